import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction, RouteOptions } from 'fastify'
import { DomainError } from '../errors.ts'
import type { WriteContext } from '../policy/policy-write.ts'
import type { Access, Caller, CallerInPerson } from './access.ts'
import { type Administrators, refuseAccess } from './enforce.ts'

export type { Caller } from './access.ts'

/** Gives the caller of an `Authorization` header. @throws DomainError `unauthenticated`, `two-credentials` */
export type CallerOf = (header: string | undefined) => Caller

const REALM = 'Bearer realm="gatehouse"'
/** Every key makes a handful of headers (`bearer` in any case); more than this is somebody playing. */
const MAX_REMEMBERED = 4096

/** Who the credentials of callers belong to. */
export interface Callers {
  /**
   * How to find callers now: the same function until any credential, or the account behind one, changes.
   *
   * @throws DomainError `snapshot-unavailable` when nobody can tell
   */
  current(): CallerLookup
}
/** Gives the caller that a credential belongs to, or undefined when it is nobody's, or nobody's any more. */
export type CallerLookup = (credential: string) => Caller | undefined

/** What a service needs to know about the write that a request asks for. */
export const writeContextOf = ({ caller, id }: FastifyRequest): WriteContext => ({
  caller: caller.name,
  requestId: id,
  inPerson: caller.user === null || isSiteAdministrator(caller) ? null : caller.user.id,
})

/**
 * The user who calls, on a route for users in person.
 *
 * @throws DomainError `not-permitted` for a service key, which such a route's access does not admit
 */
export function inPersonOf({ caller }: Pick<FastifyRequest, 'caller'>): CallerInPerson {
  if (caller.user === null) throw new DomainError('not-permitted', 'this is for users in person, not for service keys')
  return caller.user
}

/** The same of a request to a public route, whose caller nobody knows. */
export const publicContextOf = ({ id }: FastifyRequest): WriteContext => ({
  caller: 'public',
  requestId: id,
  inPerson: null,
})

/** May this caller administer the whole site? A superuser may with a session, or a token of scope `admin`. */
export const isSiteAdministrator = ({ scopes, user }: Caller): boolean =>
  scopes.has('admin') && (user === null || user.isSuperuser)

/**
 * Closes every route to whoever its declared access does not admit, before its body is read. A route that declares
 * nothing stops the start. `used` is told of every user who calls, also where the route stays closed.
 */
export function requireAccess(
  app: FastifyInstance,
  callerOf: CallerOf,
  administrators: Administrators,
  used: (user: CallerInPerson) => void,
): void {
  // Set before any handler of a route that is not public; a public one has no caller to ask for.
  app.decorateRequest('caller', null as unknown as Caller)
  app.addHook('onRoute', (route: RouteOptions) => {
    const access = declaredAccess(route)
    if (access === 'public') return
    route.onRequest = [admission(access, callerOf, administrators, used), ...[route.onRequest ?? []].flat()]
  })
}

function declaredAccess({ config, method, url }: RouteOptions): Access {
  const access = config?.access
  if (access === undefined) throw new Error(`${[method].flat().join(', ')} ${url} does not declare its access`)
  return access
}

/**
 * Callers by their whole `Authorization` header: checking a credential anew each time costs more than the decision.
 * Only headers that were good are remembered, until they expire, and none of them once any credential has changed.
 */
export function rememberingCallers(callers: Callers): CallerOf {
  const remembered = new Map<string, Caller>()
  let lookup: CallerLookup | undefined
  return (header) => {
    const current = callers.current()
    if (current !== lookup) {
      remembered.clear()
      lookup = current
    }
    const known = header === undefined ? undefined : remembered.get(header)
    if (known !== undefined && (known.user === null || Date.now() < known.expiresAt)) return known
    const caller = callerIn(header, current)
    if (remembered.size >= MAX_REMEMBERED) remembered.clear()
    if (header !== undefined) remembered.set(header, caller)
    return caller
  }
}

/**
 * The credential is taken from the header alone, never from the query string (RFC 6750, 5.3); the scheme `Token` is the
 * one that CATMAID's clients send.
 */
function callerIn(header: string | undefined, lookup: CallerLookup): Caller {
  const [, credential] = /^(?:Bearer|Token) ([^\s,]+)$/i.exec(header ?? '') ?? []
  if (credential === undefined) throw withoutCredential(header)
  const caller = lookup(credential)
  if (caller === undefined) throw new DomainError('unauthenticated', 'this credential is not, or no longer, known')
  return caller
}

function withoutCredential(header: string | undefined): DomainError {
  // Node joins the values of a header that was sent twice with a comma, which no credential holds.
  if (header?.includes(',')) return new DomainError('two-credentials', 'send one Authorization header')
  if (/^(Bearer|Token)( |$)/i.test(header ?? ''))
    return new DomainError('unauthenticated', 'the credential is malformed')
  return new NoCredential(
    'unauthenticated',
    'send a service key, an access token or an API token: Authorization: Bearer …',
  )
}

/** Nothing was sent that could be wrong: the challenge then names no error (RFC 6750, 3.1). */
class NoCredential extends DomainError {}

function admission(
  access: Exclude<Access, 'public'>,
  callerOf: CallerOf,
  administrators: Administrators,
  used: (user: CallerInPerson) => void,
) {
  return (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void => {
    try {
      const caller = callerOf(request.headers.authorization)
      if (caller.user !== null) used(caller.user)
      refuseAccess(caller, access, request, administrators)
      request.caller = caller
    } catch (error) {
      reply.header('www-authenticate', challengeOf(error, 'scope' in access ? access.scope : 'account'))
      done(error as Error)
      return
    }
    done()
  }
}

const ERRORS: Record<string, string> = {
  unauthenticated: 'invalid_token',
  'insufficient-scope': 'insufficient_scope',
  'two-credentials': 'invalid_request',
}

/** What a caller is told besides the problem (RFC 6750, 3); nothing when the fault is not the credential's. */
function challengeOf(error: unknown, scope: string): string | undefined {
  if (error instanceof NoCredential) return REALM
  const name = error instanceof DomainError ? ERRORS[error.code] : undefined
  if (name === undefined) return undefined
  return `${REALM}, error="${name}"${name === 'insufficient_scope' ? `, scope="${scope}"` : ''}`
}
