import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { publicContextOf } from '../http/authenticate.ts'
import type { LoginService } from './login-service.ts'
import { NewSession, OpenedSession } from './session-schemas.ts'
import { networkOf } from './throttle.ts'

const tags = ['sessions']
/** Far more than a login, or a token, takes. */
const BODY_LIMIT = 64 * 1024

type Routes = FastifyPluginCallbackTypebox<{ logins: LoginService }>

/** `/v1/sessions`: login, and what comes of it. */
export const sessionRoutes: Routes = (app, { logins }, done) => {
  app.post(
    '/v1/sessions',
    {
      bodyLimit: BODY_LIMIT,
      config: {
        access: 'public',
        problems: ['invalid-credentials', 'account-inactive', 'email-not-confirmed', 'too-many-attempts', 'conflict'],
      },
      schema: {
        operationId: 'createSession',
        summary: 'Log in with a password',
        tags,
        body: NewSession,
        response: { 201: OpenedSession },
      },
    },
    async (request, reply) => {
      const { login, password, deviceName = '' } = request.body
      const network = networkOf(request.ip)
      const opened = await logins.open(publicContextOf(request), { login, password, deviceName, network })
      return reply.code(201).header('location', `/v1/me/sessions/${opened.session.id}`).send(opened)
    },
  )
  done()
}
