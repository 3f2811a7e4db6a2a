import type { FastifyRequest } from 'fastify'
import { DomainError } from '../errors.ts'
import type { Access, Caller, CallerInPerson, Scope, Via } from './access.ts'

/** How long after giving the password a session may do what cannot be undone by its owner alone. */
const FRESH_MS = 10 * 60_000

/** The decision engine, asked about our own routes. */
export type Administrators = {
  /** D1 to D8 for `can_administer`. @throws DomainError `snapshot-unavailable` */
  mayAdminister(userId: number, project: number, via: Via): boolean
}

/**
 * Our own policy enforcement point: passes whoever a route's access admits.
 *
 * No answer depends on whether what the path names is there, so nobody learns of it who may not see it.
 *
 * @throws DomainError `insufficient-scope`, `not-permitted`, `reauthentication-required`
 */
export function refuseAccess(
  caller: Caller,
  access: Exclude<Access, 'public'>,
  request: Pick<FastifyRequest, 'params'>,
  administrators: Administrators,
): void {
  if ('self' in access) refuseOthers(caller, access.self)
  else if (caller.user === null || (access.scope !== 'admin' && access.orInPerson === undefined)) {
    needScope(caller, access.scope)
  } else refuseInPerson(caller, caller.user, access.orInPerson, request, administrators)
}

function refuseOthers(caller: Caller, need: 'token' | 'session' | 'fresh'): void {
  const { user } = caller
  if (user === null) throw new DomainError('not-permitted', 'this is for users in person, not for service keys')
  if (need === 'token') needScope(caller, 'account')
  else if (user.via === 'token') throw new DomainError('not-permitted', 'this takes a login, not an API token')
  if (need === 'fresh' && Date.now() - (user.authenticatedAt ?? 0) > FRESH_MS) {
    throw new DomainError('reauthentication-required', 'give the password again: POST /v1/me/reauthentication')
  }
}

/** No grant ever refuses administration to an active superuser, so they are looked at first. */
function refuseInPerson(
  caller: Caller,
  user: CallerInPerson,
  orInPerson: 'project' | 'member' | undefined,
  { params }: Pick<FastifyRequest, 'params'>,
  administrators: Administrators,
): void {
  if (user.isSuperuser && caller.scopes.has('admin')) return
  if (orInPerson === undefined) {
    if (user.isSuperuser) needScope(caller, 'admin')
    throw new DomainError('not-permitted', 'this is for superusers')
  }
  needScope(caller, 'projects')
  if (orInPerson === 'member') return
  const project = Number((params as { id?: string }).id)
  if (!administrators.mayAdminister(user.id, project, user.via)) {
    throw new DomainError('not-permitted', 'this is for those who may administer the project, and for superusers')
  }
}

function needScope({ scopes }: Caller, scope: Scope): void {
  if (!scopes.has(scope)) throw new DomainError('insufficient-scope', `this takes the scope ${scope}`)
}
