import { DomainError } from '../errors.ts'

/**
 * Who asks about the members of a group. `inPerson` is null for whoever administers the whole site; `administersProject`
 * is what the decision engine says of the project that the request names, false where it names none.
 */
export type MemberAsker = { inPerson: number | null; administersProject: boolean }

/** Whoever administers the whole site: a program, a command, a superuser. */
export const SITE: MemberAsker = { inPerson: null, administersProject: false }

/** What the rights of people over the members of groups depend on. */
export interface MemberRightsReader {
  isMaintainer(groupId: number, userId: number): Promise<boolean>
  /** Whether the group is named like a login, a deleted user's too; false where there is no such group. */
  isNamedLikeLogin(groupId: number): Promise<boolean>
}

/**
 * Passes maintainers of the group, and, about memberships that are limited to a project, whoever administers that
 * project, unless the group is named like a user: its members may edit that user's data.
 *
 * @throws DomainError `not-permitted`, also where there is no such group: nobody learns of groups that way
 */
export async function refuseOutsiders(
  { inPerson, administersProject }: MemberAsker,
  groupId: number,
  reader: MemberRightsReader,
): Promise<void> {
  if (inPerson === null || (await reader.isMaintainer(groupId, inPerson))) return
  if (administersProject && !(await reader.isNamedLikeLogin(groupId))) return
  throw new DomainError(
    'not-permitted',
    'this is for maintainers of the group, for memberships limited to a project for those who may administer it, unless the group is named like a user, and for superusers',
  )
}
