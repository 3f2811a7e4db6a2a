import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { DomainError } from '../errors.ts'
import type { Caller } from '../http/access.ts'
import type { Callers } from '../http/authenticate.ts'
import { Introspection, TokenState } from './session-schemas.ts'

type Routes = FastifyPluginCallbackTypebox<{
  callers: Callers
  /** The login of a user of the snapshot of now. */
  usernameOf: (userId: number) => string | undefined
}>

/** `/v1/introspection`: what a token of a user is worth, for services that do not verify tokens themselves. */
export const introspectionRoutes: Routes = (app, { callers, usernameOf }, done) => {
  app.post(
    '/v1/introspection',
    {
      bodyLimit: 64 * 1024,
      config: { access: { scope: 'check' } },
      schema: {
        operationId: 'introspectToken',
        summary: 'Show what an access token or API token is worth now (RFC 7662); for service keys only',
        tags: ['sessions'],
        body: Introspection,
        response: { 200: TokenState },
      },
    },
    (request): TokenState => {
      if (request.caller.user !== null) throw new DomainError('not-permitted', 'this is for service keys')
      const caller = callers.current()(request.body.token)
      return stateOf(caller, usernameOf)
    },
  )
  done()
}

/** Of a service key this tells as little as of a token that nobody gave out. */
function stateOf(caller: Caller | undefined, usernameOf: (userId: number) => string | undefined): TokenState {
  if (!caller?.user || caller.expiresAt <= Date.now()) return { active: false }
  const { user, scopes, expiresAt } = caller
  const username = usernameOf(user.id)
  const opened = [...scopes].filter((scope) => scope !== 'admin' || user.isSuperuser)
  return {
    active: true,
    sub: String(user.id),
    ...(username !== undefined && { username }),
    scope: opened.join(' '),
    ...(Number.isFinite(expiresAt) && { exp: Math.floor(expiresAt / 1000) }),
    token_type: 'Bearer',
    via: user.via,
  }
}
