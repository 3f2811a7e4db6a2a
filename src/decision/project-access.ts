import type { NamedGrant } from './explain.ts'
import type { Permission } from './policy-state.ts'
import { grantsFor, permissionsOf, type Range } from './reverse-lookups.ts'
import type { Snapshot } from './snapshot.ts'

/** A user with what they may do in a project by session. */
export type Permitted = { id: number; permissions: Permission[] }

/** Everybody who has any permission on the project by session; each is decided like a single check. */
export function permittedUsers(snapshot: Snapshot, projectId: number, instant: number): Permitted[] {
  const found: Permitted[] = []
  for (const id of snapshot.users.keys()) {
    const permissions = permissionsOf(snapshot, id, projectId, 'session', instant)
    if (permissions.length > 0) found.push({ id, permissions })
  }
  return found
}

/** The part of a list that is asked for, by id. */
export function withinRange(all: readonly Permitted[], { after, limit, descending }: Range): Permitted[] {
  const direction = descending ? -1 : 1
  return all
    .filter(({ id }) => after === null || (id - after) * direction > 0)
    .sort((a, b) => (a.id - b.id) * direction)
    .slice(0, limit)
}

/** The same user with the rules that let them have each permission. */
export function accessOf(
  snapshot: Snapshot,
  projectId: number,
  { id, permissions }: Permitted,
  instant: number,
): { id: number; username: string; access: { permission: Permission; grants: NamedGrant[] }[] } {
  const access = permissions.map((permission) => {
    const request = { user: id, project: projectId, permission, via: 'session' as const }
    return { permission, grants: grantsFor(snapshot, request, instant) }
  })
  return { id, username: snapshot.users.get(id)?.username ?? '', access }
}
