import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { DomainError } from '../errors.ts'
import { writeContextOf } from '../http/authenticate.ts'
import { pageOf, pageQuery, pageRequestOf, pageSchema } from '../http/page.ts'
import type { AccountPasswordService } from './account-password-service.ts'
import {
  ChangedEmail,
  EmailChange,
  OwnAccount,
  OwnAccountPatch,
  PasswordChange,
  Revocations,
  SECURITY_EVENT_SORTS,
  SecurityEvent,
  securityEventFilters,
  TokenBody,
  WrittenOwnAccount,
} from './own-account-schemas.ts'
import type { OwnAccountService } from './own-account-service.ts'
import { Accepted } from './registration-schemas.ts'
import type { Origin } from './registration-service.ts'

/** Far more than any of these takes. */
const bodyLimit = 64 * 1024
const tags = ['accounts']

/** `originOf`: how a request came. */
type Options = {
  ownAccounts: OwnAccountService
  passwords: AccountPasswordService
  originOf: (request: FastifyRequest) => Origin
}
type Routes = FastifyPluginCallbackTypebox<Options>

/** `/v1/me`: what users see and change of their own accounts. */
export const ownAccountRoutes: Routes = (app, options, done) => {
  app.register(accountRoutes, options)
  app.register(securityEventRoute, options)
  app.register(passwordRoute, options)
  app.register(emailRoutes, options)
  done()
}

const accountRoutes: Routes = (app, { ownAccounts }, done) => {
  app.get(
    '/v1/me',
    {
      config: { access: { self: 'token' }, problems: ['not-found'] },
      schema: {
        operationId: 'getOwnAccount',
        summary: 'Show the own account',
        tags,
        response: { 200: OwnAccount },
      },
    },
    (request) => ownAccounts.get(selfOf(request).id),
  )
  app.patch(
    '/v1/me',
    {
      bodyLimit,
      config: { access: { self: 'session' }, problems: ['not-found', 'conflict'] },
      schema: {
        operationId: 'updateOwnAccount',
        summary: 'Change the own name; the address and the password have routes of their own',
        tags,
        body: OwnAccountPatch,
        response: { 200: WrittenOwnAccount },
      },
    },
    async (request) => {
      const { value, revision } = await ownAccounts.update(writeContextOf(request), selfOf(request).id, request.body)
      return { ...value, revision }
    },
  )
  done()
}

const securityEventRoute: Routes = (app, { ownAccounts }, done) => {
  app.get(
    '/v1/me/security-events',
    {
      config: { access: { self: 'token' }, problems: ['invalid-cursor'] },
      schema: {
        operationId: 'listOwnSecurityEvents',
        summary: 'List what happened to the own account and its credentials, newest first',
        tags,
        querystring: pageQuery(SECURITY_EVENT_SORTS, securityEventFilters),
        response: { 200: pageSchema(SecurityEvent) },
      },
    },
    async (request) => {
      const page = pageRequestOf(request, SECURITY_EVENT_SORTS)
      return pageOf(request, page, await ownAccounts.securityEvents(selfOf(request).id, page), (event) => event.id)
    },
  )
  done()
}

const passwordRoute: Routes = (app, { passwords, originOf }, done) => {
  app.put(
    '/v1/me/password',
    {
      bodyLimit,
      config: {
        access: { self: 'session' },
        problems: [
          'invalid-credentials',
          'password-too-short',
          'password-too-long',
          'password-blocklisted',
          'too-many-attempts',
          'not-found',
          'conflict',
        ],
      },
      schema: {
        operationId: 'changeOwnPassword',
        summary: 'Change the own password',
        description: 'A notice goes to the address of the account.',
        tags,
        body: PasswordChange,
        response: { 200: Revocations },
      },
    },
    (request) => passwords.change(writeContextOf(request), selfOf(request), request.body, originOf(request).network),
  )
  done()
}

const emailRoutes: Routes = (app, { ownAccounts, originOf }, done) => {
  app.post(
    '/v1/me/email-change',
    {
      bodyLimit,
      config: {
        access: { self: 'fresh' },
        problems: ['invalid-credentials', 'too-many-attempts', 'not-found', 'conflict'],
      },
      schema: {
        operationId: 'askForEmailChange',
        summary: 'Ask for another address: a link goes there, and a notice to the present one',
        tags,
        body: EmailChange,
        response: { 202: Accepted },
      },
    },
    async (request, reply) => {
      const { network } = originOf(request)
      await ownAccounts.askForEmail(writeContextOf(request), selfOf(request).id, request.body, network)
      return reply.code(202).send({ status: 'accepted' as const })
    },
  )
  app.post(
    '/v1/email-changes',
    {
      bodyLimit,
      config: { access: 'public', problems: ['token-invalid', 'conflict', 'overloaded', 'database-unavailable'] },
      schema: {
        operationId: 'changeEmail',
        summary: 'Change the address of an account with the token that was mailed to the new one',
        tags,
        body: TokenBody,
        response: { 200: ChangedEmail },
      },
    },
    async (request) => ({ email: await ownAccounts.changeEmail(request.body.token, originOf(request)) }),
  )
  done()
}

/** The user who calls; access sees to it that it is one. */
function selfOf({ caller }: FastifyRequest): { id: number; sessionId: number | null } {
  if (caller.user === null) throw new DomainError('not-permitted', 'this is for users in person')
  return caller.user
}
