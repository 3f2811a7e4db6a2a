import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { inPersonOf, publicContextOf, writeContextOf } from '../http/authenticate.ts'
import { Revision } from '../http/write-schemas.ts'
import type { LoginService } from './login-service.ts'
import {
  EndedSessions,
  FreshToken,
  NewSession,
  OpenedSession,
  OthersOnly,
  Reauthentication,
  Refresh,
  SessionPath,
  Sessions,
  UserPath,
} from './session-schemas.ts'
import type { SessionService } from './session-service.ts'
import { networkOf } from './throttle.ts'

const tags = ['sessions']
/** Far more than a login, or a token, takes. */
const BODY_LIMIT = 64 * 1024

type Routes = FastifyPluginCallbackTypebox<{ logins: LoginService; sessions: SessionService }>

/** `/v1/sessions` and `/v1/me/sessions`: login, and what comes of it. */
export const sessionRoutes: Routes = (app, options, done) => {
  app.register(openRoutes, options)
  app.register(ownRoutes, options)
  app.register(endRoutes, options)
  done()
}

const openRoutes: Routes = (app, { logins, sessions }, done) => {
  app.post(
    '/v1/sessions',
    {
      bodyLimit: BODY_LIMIT,
      config: {
        access: 'public',
        problems: [
          'invalid-credentials',
          'account-inactive',
          'email-not-confirmed',
          'too-many-attempts',
          'conflict',
          'overloaded',
          'database-unavailable',
        ],
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
  app.post(
    '/v1/sessions/refresh',
    {
      bodyLimit: BODY_LIMIT,
      config: {
        access: 'public',
        problems: ['refresh-token-invalid', 'refresh-token-reused', 'conflict', 'overloaded', 'database-unavailable'],
      },
      schema: {
        operationId: 'refreshSession',
        summary: 'Get the next pair of tokens for a refresh token',
        description: 'The refresh token is used up. Using it again, later than a retry would, ends the session.',
        tags,
        body: Refresh,
        response: { 200: OpenedSession },
      },
    },
    (request) => sessions.refresh(publicContextOf(request), request.body.refreshToken),
  )
  done()
}

const ownRoutes: Routes = (app, { sessions }, done) => {
  app.get(
    '/v1/me/sessions',
    {
      config: { access: { self: 'session' } },
      schema: {
        operationId: 'listOwnSessions',
        summary: 'List one’s own open sessions, newest first',
        tags,
        response: { 200: Sessions },
      },
    },
    async (request) => {
      const { id, sessionId } = inPersonOf(request)
      return { items: await sessions.list(id, sessionId) }
    },
  )
  app.post(
    '/v1/me/reauthentication',
    {
      bodyLimit: BODY_LIMIT,
      config: {
        access: { self: 'session' },
        problems: ['invalid-credentials', 'too-many-attempts', 'conflict'],
      },
      schema: {
        operationId: 'reauthenticate',
        summary: 'Give the password again, for what takes a login of the last minutes',
        tags,
        body: Reauthentication,
        response: { 200: FreshToken },
      },
    },
    (request) => {
      const { id, sessionId } = inPersonOf(request)
      const { password } = request.body
      const asked = { id, sessionId: sessionId ?? 0, password, network: networkOf(request.ip) }
      return sessions.reauthenticate(writeContextOf(request), asked)
    },
  )
  done()
}

const endRoutes: Routes = (app, { sessions }, done) => {
  app.delete(
    '/v1/me/sessions',
    {
      config: { access: { self: 'session' } },
      schema: {
        operationId: 'deleteOtherSessions',
        summary: 'End one’s own sessions but this one',
        tags,
        querystring: OthersOnly,
        response: { 200: EndedSessions },
      },
    },
    async (request) => {
      const { id, sessionId } = inPersonOf(request)
      const { value, revision } = await sessions.endOthers(writeContextOf(request), id, sessionId)
      return { endedSessions: value, revision }
    },
  )
  app.delete(
    '/v1/me/sessions/current',
    {
      config: { access: { self: 'session' }, problems: ['not-found'] },
      schema: { operationId: 'deleteCurrentSession', summary: 'Log out', tags, response: { 200: Revision } },
    },
    async (request) => {
      const { id, sessionId } = inPersonOf(request)
      const { revision } = await sessions.endOne(writeContextOf(request), id, sessionId ?? 0)
      return { revision }
    },
  )
  app.delete(
    '/v1/me/sessions/:id',
    {
      config: { access: { self: 'session' }, problems: ['not-found'] },
      schema: {
        operationId: 'deleteOwnSession',
        summary: 'End one of one’s own sessions',
        tags,
        params: SessionPath,
        response: { 200: Revision },
      },
    },
    async (request) => {
      const { revision } = await sessions.endOne(writeContextOf(request), inPersonOf(request).id, request.params.id)
      return { revision }
    },
  )
  app.delete(
    '/v1/users/:id/sessions',
    {
      config: { access: { scope: 'admin' }, problems: ['not-found'] },
      schema: {
        operationId: 'deleteUserSessions',
        summary: 'End all sessions of a user',
        tags,
        params: UserPath,
        response: { 200: EndedSessions },
      },
    },
    async (request) => {
      const { value, revision } = await sessions.endAll(writeContextOf(request), request.params.id)
      return { endedSessions: value, revision }
    },
  )
  done()
}
