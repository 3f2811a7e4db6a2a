import type { MatchedRule } from './candidates.ts'
import { type CheckRequest, decide, decideWitnessed, projectsWithin, type Via } from './decide.ts'
import { type NamedGrant, namedGrant } from './explain.ts'
import { PERMISSIONS, type Permission } from './policy-state.ts'
import type { Snapshot } from './snapshot.ts'

/** Which part of a list to make: up to `limit` rows whose id lies after `after`, ascending or descending. */
export type Range = { after: number | null; limit: number; descending: boolean }
const WHOLE: Range = { after: null, limit: Number.POSITIVE_INFINITY, descending: false }

/** A user who may, and the rules that say so. */
export type PermittedUser = { id: number; username: string; grants: NamedGrant[] }

/** D10: the projects on which the user has the permission, by id; each is decided like a single check. */
export function projectsOf(
  snapshot: Snapshot,
  userId: number,
  permission: string,
  via: Via,
  instant: number,
  range: Range = WHOLE,
): { id: number; title: string }[] {
  const found: { id: number; title: string }[] = []
  const user = snapshot.users.get(userId)
  const within = user && projectsWithin(snapshot, user)
  const ids = within ? Array.from(within, ({ id }) => id) : [...snapshot.projects.keys()]
  for (const project of inRange(ids, range)) {
    if (found.length >= range.limit) break
    if (!decide(snapshot, { user: userId, project, permission, via }, instant).allowed) continue
    found.push({ id: project, title: snapshot.projects.get(project)?.title ?? '' })
  }
  return found
}

/** What the user may do in the project, in the order of PERMISSIONS; each is decided like a single check. */
export function permissionsOf(
  snapshot: Snapshot,
  userId: number,
  projectId: number,
  via: Via,
  instant: number,
): Permission[] {
  return PERMISSIONS.filter(
    (permission) => decide(snapshot, { user: userId, project: projectId, permission, via }, instant).allowed,
  )
}

/** Who has the permission on the project, and through what, by id; each is decided like a single check. */
export function usersOf(
  snapshot: Snapshot,
  projectId: number,
  permission: string,
  via: Via,
  instant: number,
  range: Range = WHOLE,
): PermittedUser[] {
  const found: PermittedUser[] = []
  for (const id of inRange([...snapshot.users.keys()], range)) {
    if (found.length >= range.limit) break
    const request = { user: id, project: projectId, permission, via }
    if (!decide(snapshot, request, instant).allowed) continue
    const grants = grantsFor(snapshot, request, instant)
    found.push({ id, username: snapshot.users.get(id)?.username ?? '', grants })
  }
  return found
}

/** The allowing grants and rules that let a check pass. */
export function grantsFor(snapshot: Snapshot, request: CheckRequest, instant: number): NamedGrant[] {
  const matched: MatchedRule[] = []
  const onMatch = (rule: MatchedRule) => void matched.push(rule)
  const deaf = () => {}
  const witness = { onMatch, onTokenMatch: onMatch, onRefusedObject: deaf, onObjectPath: deaf }
  decideWitnessed(snapshot, request, instant, witness)
  return matched.map(namedGrant).filter(({ effect }) => effect === 'allow')
}

function inRange(all: number[], { after, descending }: Range): number[] {
  const ids = after === null ? all : all.filter((id) => (descending ? id < after : id > after))
  return ids.sort((a, b) => (descending ? b - a : a - b))
}
