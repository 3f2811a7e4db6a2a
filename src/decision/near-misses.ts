import { type CheckRequest, userOf } from './decide.ts'
import type { Grant } from './grant-table.ts'
import { countsIn, type GroupRecord, type ProjectRecord, UserRecord } from './policy-records.ts'
import { PERMISSIONS } from './policy-state.ts'
import type { ReasonCode } from './reasons.ts'
import type { Snapshot } from './snapshot.ts'

/** At most so many near misses are told of each kind; a person reads them. */
const MOST = 3

type Principal = UserRecord | GroupRecord
/** Where, when and for which permission a grant was looked for in vain. */
type Search = { snapshot: Snapshot; project: ProjectRecord; permission: string; instant: number }

/**
 * What came nearest to an allow when a grant was missing (`no_grant`, `token_not_granted`): grants whose time is not
 * now, grants of a group that the user is in elsewhere only, groups that have the grant, what the user does hold here.
 */
export function nearMisses(snapshot: Snapshot, request: CheckRequest, reason: ReasonCode, instant: number): string[] {
  if (reason !== 'no_grant' && reason !== 'token_not_granted') return []
  const user = userOf(snapshot, request.user)
  const project = snapshot.projects.get(request.project)
  if (user === undefined || project === undefined) return []
  const permission = reason === 'token_not_granted' ? 'can_annotate_with_token' : request.permission
  const search: Search = { snapshot, project, permission, instant }
  const here = snapshot.membershipsOf(user).filter((membership) => countsIn(membership, project.dom))
  const own = [user, ...here.map(({ group }) => group)]
  return [
    ...own.flatMap((principal) => outOfTime(search, principal)).slice(0, MOST),
    ...memberElsewhere(search, user).slice(0, MOST),
    ...own.flatMap((principal) => refusals(search, principal)).slice(0, MOST),
    ...heldHere(search, user, own),
    ...groupsThatHold(search, user),
  ]
}

function outOfTime({ snapshot, project, permission, instant }: Search, principal: Principal): string[] {
  return grantsOf(snapshot, project, principal)
    .filter((grant) => grant.permission === permission && grant.effect === 'allow')
    .flatMap(({ id, validFrom, validUntil }) => {
      const to = `grant ${id} of ${permission} to ${nameOf(principal)}`
      if (validUntil !== null && validUntil <= instant) return [`${to} ended at ${new Date(validUntil).toISOString()}`]
      if (validFrom !== null && validFrom > instant) return [`${to} begins at ${new Date(validFrom).toISOString()}`]
      return []
    })
}

function memberElsewhere(search: Search, user: UserRecord): string[] {
  const { project, permission } = search
  return search.snapshot
    .membershipsOf(user)
    .filter((membership) => !countsIn(membership, project.dom) && holds(search, membership.group, permission))
    .map(
      ({ group, dom }) =>
        `${user.username} is in ${nameOf(group)}, which has ${permission} here, but only in project ${dom}`,
    )
}

/** D8 fails by a denial as well as by a missing grant. */
function refusals({ snapshot, project, permission, instant }: Search, principal: Principal): string[] {
  return grantsOf(snapshot, project, principal)
    .filter((grant) => grant.permission === permission && grant.effect === 'deny' && isInForce(grant, instant))
    .map(({ id }) => `grant ${id} refuses ${permission} to ${nameOf(principal)}`)
}

function heldHere(search: Search, user: UserRecord, own: readonly Principal[]): string[] {
  const held = PERMISSIONS.filter((permission) => own.some((principal) => holds(search, principal, permission)))
  return held.length === 0 ? [] : [`${user.username} holds ${held.join(', ')} here`]
}

function groupsThatHold(search: Search, user: UserRecord): string[] {
  const found: string[] = []
  const memberOf = new Set(search.snapshot.membershipsOf(user).map(({ group }) => group))
  for (const group of search.snapshot.groups.values()) {
    if (found.length === MOST) break
    const isMember = memberOf.has(group)
    if (!isMember && holds(search, group, search.permission)) found.push(`\`${group.name}\``)
  }
  if (found.length === 0) return []
  return [`members of ${found.length === 1 ? 'group' : 'groups'} ${found.join(', ')} have ${search.permission} here`]
}

function holds({ snapshot, project, instant }: Search, principal: Principal, permission: string): boolean {
  return grantsOf(snapshot, project, principal).some(
    (grant) => grant.permission === permission && grant.effect === 'allow' && isInForce(grant, instant),
  )
}

/** D3: the end is not part of the time. */
function isInForce({ validFrom, validUntil }: Grant, instant: number): boolean {
  return (validFrom === null || validFrom <= instant) && (validUntil === null || instant < validUntil)
}

function grantsOf({ grants }: Snapshot, project: ProjectRecord, principal: Principal): Grant[] {
  return grants.grants(project.ordinal, principal.principal)
}

/** A principal in a person's words. */
export function nameOf(principal: Principal): string {
  return principal instanceof UserRecord ? principal.username : `group \`${principal.name}\``
}
