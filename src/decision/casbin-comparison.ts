import { type CheckRequest, decide, type ObjectRef, resolve, userOf } from './decide.ts'
import { casbinQuestions, type FullEnforcer } from './full-enforcer.ts'
import { UserRecord } from './policy-records.ts'
import { PERMISSIONS } from './policy-state.ts'
import type { Snapshot } from './snapshot.ts'

/** What a comparison found: checks made, how many were allowed, and those on which the two do not agree. */
export type Comparison = { checks: number; allowed: number; differences: { request: CheckRequest; allowed: boolean }[] }

/**
 * Asks random checks about the users and projects of a snapshot, of the index and of Casbin's own enforcer.
 *
 * @param chance gives numbers from 0 up to but not including 1
 * @param onCheck told after each check how many were made; Casbin takes seconds for one at a million grants
 */
export function compareWithCasbin(
  snapshot: Snapshot,
  casbin: FullEnforcer,
  checks: number,
  { chance, instant, onCheck }: { chance: () => number; instant: number; onCheck: (done: number) => void },
): Comparison {
  const draw = drawer(snapshot, chance)
  const comparison: Comparison = { checks: 0, allowed: 0, differences: [] }
  while (comparison.checks < checks) {
    const request = draw()
    const { allowed } = decide(snapshot, request, instant)
    if (allowed !== allowedByCasbin(snapshot, casbin, request, instant))
      comparison.differences.push({ request, allowed })
    if (allowed) comparison.allowed += 1
    comparison.checks += 1
    onCheck(comparison.checks)
  }
  return comparison
}

/**
 * What Casbin's own enforcer says of a check. Users and permissions that do not exist are denied beforehand, as D1
 * says, and several objects are the AND of the single answers.
 */
export function allowedByCasbin(
  snapshot: Snapshot,
  casbin: FullEnforcer,
  request: CheckRequest,
  instant: number,
): boolean {
  const user = userOf(snapshot, request.user)
  if (user === undefined || !(PERMISSIONS as readonly string[]).includes(request.permission)) return false
  const resolved = resolve(snapshot, user.ordinal, request, instant)
  return casbinQuestions(snapshot, resolved).every((question) => casbin.allows(question))
}

type Pick = <T>(list: readonly T[]) => T | undefined

/** Draws checks about those who are there: half of them for projects on which the user, or a group of it, has a grant. */
function drawer(snapshot: Snapshot, chance: () => number): () => CheckRequest {
  const pick: Pick = (list) => list[Math.floor(chance() * list.length)]
  const users = [...snapshot.users.keys()]
  const projects = [...snapshot.projects.keys()]
  const grants = [...snapshot.grants.all()]
  const anywhere = () => ({ user: pick(users), project: pick(projects) })
  const withGrant = () => {
    const held = pick(grants)
    if (held === undefined) return anywhere()
    const user = holderOf(snapshot, snapshot.principal(held.principal), pick)
    return { user, project: snapshot.projectAt(held.project).id }
  }
  return () => {
    const { user = null, project = 0 } = chance() < 0.5 ? withGrant() : anywhere()
    const permission = pick(PERMISSIONS) ?? 'can_browse'
    const via = chance() < 0.2 ? 'token' : 'session'
    if (permission !== 'can_annotate' || chance() < 0.5) return { user, project, permission, via }
    const object: ObjectRef = { creator: pick(users) ?? null }
    return { user, project, permission, via, object }
  }
}

/** The user itself, or some member of the group. */
function holderOf(snapshot: Snapshot, principal: ReturnType<Snapshot['principal']>, pick: Pick): number | undefined {
  if (principal instanceof UserRecord) return principal.id
  const members = [...snapshot.users.values()].filter((user) =>
    snapshot.membershipsOf(user).some(({ group }) => group === principal),
  )
  return pick(members)?.id
}
