import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import {
  Accepted,
  AddressBody,
  Confirmation,
  Confirmed,
  NewRegistration,
  RegistrationTerms,
} from './registration-schemas.ts'
import type { Origin, RegistrationService } from './registration-service.ts'

/** Far more than any of these takes. */
const bodyLimit = 64 * 1024
const tags = ['accounts']
const access = 'public'
const accepted = { status: 'accepted' } as const

/** `originOf`: how a request came. */
type Options = { registration: RegistrationService; originOf: (request: FastifyRequest) => Origin }
type Routes = FastifyPluginCallbackTypebox<Options>

/** `/v1/registration…` and `/v1/email-confirmations`: how people get accounts by themselves. */
export const registrationRoutes: Routes = (app, options, done) => {
  // Before the body is read: where registration is off, nobody learns anything else about it.
  app.addHook('onRequest', (_request, _reply, next) => {
    options.registration.refuseWhereDisabled()
    next()
  })
  app.register(registerRoutes, options)
  app.register(confirmationRoutes, options)
  done()
}

const registerRoutes: Routes = (app, { registration, originOf }, done) => {
  app.get(
    '/v1/registration',
    {
      config: { access, problems: ['registration-disabled'] },
      schema: {
        operationId: 'getRegistration',
        summary: 'Show what has to be known to register',
        tags,
        response: { 200: RegistrationTerms },
      },
    },
    () => registration.terms(),
  )
  app.post(
    '/v1/registrations',
    {
      bodyLimit,
      config: {
        access,
        problems: [
          'registration-disabled',
          'terms-not-accepted',
          'password-too-short',
          'password-too-long',
          'password-blocklisted',
          'name-taken',
          'too-many-attempts',
          'conflict',
          'overloaded',
          'database-unavailable',
        ],
      },
      schema: {
        operationId: 'register',
        summary: 'Ask for an account',
        description:
          'The answer is the same whoever has an account already: what came of it is mailed to the address. Only where accounts open without confirmation, a login that is taken is refused at once (`name-taken`).',
        tags,
        body: NewRegistration,
        response: { 202: Accepted },
      },
    },
    async (request, reply) => {
      await registration.register(request.body, originOf(request))
      return reply.code(202).send(accepted)
    },
  )
  done()
}

const confirmationRoutes: Routes = (app, { registration, originOf }, done) => {
  app.post(
    '/v1/email-confirmations',
    {
      bodyLimit,
      config: {
        access,
        problems: [
          'registration-disabled',
          'token-invalid',
          'invalid-credentials',
          'too-many-attempts',
          'conflict',
          'overloaded',
          'database-unavailable',
        ],
      },
      schema: {
        operationId: 'confirmEmail',
        summary: 'Confirm the address of a new account with the token that was mailed, which opens the account',
        tags,
        body: Confirmation,
        response: { 200: Confirmed },
      },
    },
    (request) => registration.confirm(request.body, originOf(request)),
  )
  app.post(
    '/v1/email-confirmations/resend',
    {
      bodyLimit,
      config: {
        access,
        problems: ['registration-disabled', 'too-many-attempts', 'conflict', 'overloaded', 'database-unavailable'],
      },
      schema: {
        operationId: 'resendConfirmation',
        summary: 'Ask for another link to confirm with; the answer is the same for every address',
        tags,
        body: AddressBody,
        response: { 202: Accepted },
      },
    },
    async (request, reply) => {
      await registration.resend(request.body.email, originOf(request))
      return reply.code(202).send(accepted)
    },
  )
  done()
}
