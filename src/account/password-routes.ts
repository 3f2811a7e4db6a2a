import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { blocklistSize, PASSWORD_POLICY } from './password-policy.ts'
import { PasswordPolicy } from './password-schemas.ts'

/** `/v1/password-policy`: what a form should say before anybody chooses a password. */
export const passwordRoutes: FastifyPluginCallbackTypebox = (app, _options, done) => {
  app.get(
    '/v1/password-policy',
    {
      config: { access: 'public' },
      schema: {
        operationId: 'getPasswordPolicy',
        summary: 'Show what a new password must be; there is no rule about kinds of characters',
        tags: ['sessions'],
        response: { 200: PasswordPolicy },
      },
    },
    () => ({ ...PASSWORD_POLICY, blocklist: blocklistSize() }),
  )
  done()
}
