import { DomainError } from './errors.ts'
import type { WriteContext } from './policy/policy-write.ts'

/** What bounds the rights of whoever writes in person: what they must leave to superusers and service keys. */
export interface ProjectRightsStore {
  /** Holds off others who write in person about who administers these projects, until the transaction ends. */
  holdProjects(projectIds: readonly number[]): Promise<void>
  /**
   * Those of the projects that somebody administers now: an active user, not the anonymous one, with a grant of
   * can_administer in force, direct or through a group, and no deny of it. Being a superuser does not count.
   */
  administered(projectIds: readonly number[]): Promise<number[]>
  /** The projects that a group holds grants or denies of can_administer on. */
  administeredByGroup(groupId: number): Promise<number[]>
  /** Those of the users who are superusers, or of the groups that a superuser is in, as it counts in the project. */
  holdingSuperusers(type: 'user' | 'group', ids: readonly number[], projectId: number): Promise<number[]>
  /** Whether a group is refused anything on the project; with null, on any. */
  isDenied(groupId: number, projectId: number | null): Promise<boolean>
}

/**
 * Runs a write that may end somebody's can_administer on these projects. Who writes in person may not leave a project
 * without anybody who holds it that had somebody before; what is held counts as of the end of the write. Superusers and
 * service keys are not bound by this.
 *
 * @throws DomainError `last-administrator`
 */
export async function keepingAdministrators<T>(
  { inPerson }: WriteContext,
  rights: ProjectRightsStore,
  projectIds: readonly number[],
  write: () => Promise<T>,
): Promise<T> {
  if (inPerson === null || projectIds.length === 0) return write()
  await rights.holdProjects(projectIds)
  const before = await rights.administered(projectIds)
  const value = await write()
  const after = new Set(await rights.administered(before))
  const left = before.find((projectId) => !after.has(projectId))
  if (left === undefined) return value
  throw new DomainError('last-administrator', `nobody could administer project ${left} any more`)
}

/** The refusal of a write in person by which a deny would meet a superuser, or no longer meet one. */
export const denyMeetsSuperuser = () =>
  new DomainError('not-permitted', 'denies that meet a superuser are for superusers to give and to take')
