import { type CheckRequest, userOf } from './decide.ts'
import { NO_HOLDING } from './grant-table.ts'
import { countsIn, EVERYWHERE, type GroupRecord, type ProjectRecord, UserRecord } from './policy-records.ts'
import { PERMISSIONS } from './policy-state.ts'
import type { ReasonCode } from './reasons.ts'
import type { Snapshot } from './snapshot.ts'

/** At most so many near misses are told of each kind; a person reads them. */
const MOST = 3

/**
 * What came nearest to an allow when a grant was missing (`no_grant`, `token_not_granted`): grants whose time is not
 * now, grants of a group that the user is in elsewhere only, groups that have the grant, what the user does hold here.
 */
export function nearMisses(snapshot: Snapshot, request: CheckRequest, reason: ReasonCode, instant: number): string[] {
  const permission = reason === 'token_not_granted' ? 'can_annotate_with_token' : request.permission
  if (reason !== 'no_grant' && reason !== 'token_not_granted') return []
  const user = userOf(snapshot, request.user)
  const project = snapshot.projects.get(request.project)
  if (user === undefined || project === undefined) return []
  const own = [user, ...groupsIn(user, project.dom)]
  const elsewhere = user.memberships.filter((membership) => !countsIn(membership, project.dom))
  return [
    ...own.flatMap((principal) => outOfTime(snapshot, project, principal, permission, instant)).slice(0, MOST),
    ...elsewhere
      .filter(({ group }) => holds(snapshot, project, group, permission))
      .slice(0, MOST)
      .map(
        ({ group, dom }) =>
          `${user.username} is in group \`${group.name}\`, which has ${permission} here, but only in project ${dom}`,
      ),
    ...deniedTokens(snapshot, project, own, permission),
    ...heldHere(snapshot, user, project, own),
    ...groupsThatHold(snapshot, user, project, permission),
  ]
}

function groupsIn(user: UserRecord, dom: string): GroupRecord[] {
  return user.memberships.filter((membership) => countsIn(membership, dom)).map(({ group }) => group)
}

function outOfTime(
  snapshot: Snapshot,
  project: ProjectRecord,
  principal: UserRecord | GroupRecord,
  permission: string,
  instant: number,
): string[] {
  return grantsOf(snapshot, project, principal)
    .filter((grant) => grant.permission === permission && grant.effect === 'allow')
    .flatMap(({ id, validFrom, validUntil }) => {
      const to = `grant ${id} of ${permission} to ${nameOf(principal)}`
      if (validUntil !== null && validUntil <= instant) return [`${to} ended at ${new Date(validUntil).toISOString()}`]
      if (validFrom !== null && validFrom > instant) return [`${to} begins at ${new Date(validFrom).toISOString()}`]
      return []
    })
}

/** D8 fails by a deny as well as by a missing grant. */
function deniedTokens(
  snapshot: Snapshot,
  project: ProjectRecord,
  principals: readonly (UserRecord | GroupRecord)[],
  permission: string,
): string[] {
  return principals.flatMap((principal) =>
    grantsOf(snapshot, project, principal)
      .filter((grant) => grant.permission === permission && grant.effect === 'deny')
      .map(({ id }) => `grant ${id} refuses ${permission} to ${nameOf(principal)}`),
  )
}

function heldHere(
  snapshot: Snapshot,
  user: UserRecord,
  project: ProjectRecord,
  principals: readonly (UserRecord | GroupRecord)[],
): string[] {
  const held = PERMISSIONS.filter((permission) =>
    principals.some((principal) => holds(snapshot, project, principal, permission)),
  )
  return held.length === 0 ? [] : [`${user.username} holds ${held.join(', ')} here`]
}

function groupsThatHold(snapshot: Snapshot, user: UserRecord, project: ProjectRecord, permission: string): string[] {
  const found: string[] = []
  for (const group of snapshot.groups.values()) {
    if (found.length === MOST) break
    const isMember = user.memberships.some((membership) => membership.group === group)
    if (!isMember && holds(snapshot, project, group, permission)) found.push(`\`${group.name}\``)
  }
  if (found.length === 0) return []
  return [`members of ${found.length === 1 ? 'group' : 'groups'} ${found.join(', ')} have ${permission} here`]
}

function holds(snapshot: Snapshot, project: ProjectRecord, principal: UserRecord | GroupRecord, permission: string) {
  return grantsOf(snapshot, project, principal).some(
    (grant) => grant.permission === permission && grant.effect === 'allow',
  )
}

function grantsOf({ grants }: Snapshot, project: ProjectRecord, principal: UserRecord | GroupRecord) {
  const holding = grants.holding(project.ordinal, principal.ordinal)
  return holding === NO_HOLDING ? [] : [...grants.grants(holding)]
}

/** A principal in a person's words. */
export function nameOf(principal: UserRecord | GroupRecord): string {
  return principal instanceof UserRecord ? principal.username : `group \`${principal.name}\``
}

/** Where a membership counts, in a person's words. */
export function placeOf({ dom }: { dom: string }): string {
  return dom === EVERYWHERE ? 'every project' : `project ${dom}`
}
