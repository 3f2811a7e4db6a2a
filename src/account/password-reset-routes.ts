import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { writeContextOf } from '../http/authenticate.ts'
import type { AccountPasswordService } from './account-password-service.ts'
import { MailQueued, PasswordReset, Revocations } from './own-account-schemas.ts'
import { Accepted, AddressBody } from './registration-schemas.ts'
import type { Origin } from './registration-service.ts'
import { UserPath } from './user-schemas.ts'

/** Far more than any of these takes. */
const bodyLimit = 64 * 1024
const tags = ['accounts']

/** `originOf`: how a request came. */
type Options = { passwords: AccountPasswordService; originOf: (request: FastifyRequest) => Origin }
type Routes = FastifyPluginCallbackTypebox<Options>

/** `/v1/password-resets`: how those who forgot their password choose another one. */
export const passwordResetRoutes: Routes = (app, options, done) => {
  app.register(ownerRoutes, options)
  app.register(administrationRoute, options)
  done()
}

const ownerRoutes: Routes = (app, { passwords, originOf }, done) => {
  app.post(
    '/v1/password-resets',
    {
      bodyLimit,
      config: { access: 'public', problems: ['too-many-attempts', 'conflict', 'overloaded', 'database-unavailable'] },
      schema: {
        operationId: 'askForPasswordReset',
        summary: 'Ask for a link to set a new password; the answer is the same for every address',
        tags,
        body: AddressBody,
        response: { 202: Accepted },
      },
    },
    async (request, reply) => {
      await passwords.askForReset(request.body.email, originOf(request))
      return reply.code(202).send({ status: 'accepted' as const })
    },
  )
  app.post(
    '/v1/password-resets/confirm',
    {
      bodyLimit,
      config: {
        access: 'public',
        problems: [
          'token-invalid',
          'password-too-short',
          'password-too-long',
          'password-blocklisted',
          'conflict',
          'overloaded',
          'database-unavailable',
        ],
      },
      schema: {
        operationId: 'resetPassword',
        summary: 'Set a new password with the token that was mailed; all sessions of the account end',
        tags,
        body: PasswordReset,
        response: { 200: Revocations },
      },
    },
    (request) => passwords.reset(request.body, originOf(request)),
  )
  done()
}

const administrationRoute: Routes = (app, { passwords }, done) => {
  app.post(
    '/v1/users/:id/password-reset',
    {
      bodyLimit,
      config: { access: { scope: 'admin' }, problems: ['not-found', 'cannot-be-mailed', 'conflict'] },
      schema: {
        operationId: 'mailPasswordReset',
        summary: 'Mail a user a link to set a new password; nobody sets the password of somebody else',
        tags: ['users'],
        params: UserPath,
        response: { 202: MailQueued },
      },
    },
    async (request, reply) => {
      await passwords.mailReset(writeContextOf(request), request.params.id)
      return reply.code(202).send({ status: 'queued' as const })
    },
  )
  done()
}
