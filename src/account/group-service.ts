import { DomainError } from '../errors.ts'
import { refuseBadNames } from '../names.ts'
import type { PageRequest } from '../page.ts'
import type { Committed, PolicyWrite, WriteContext } from '../policy/policy-write.ts'
import { denyMeetsSuperuser, keepingAdministrators, type ProjectRightsStore } from '../project-rights.ts'
import { confirmShifts, type NameStore, nameTaken, shiftByGroupName, shiftByLosingName } from './edit-rights.ts'
import type {
  GROUP_SORTS,
  Group,
  GroupFilter,
  GroupPatch,
  MEMBER_SORTS,
  MemberFilter,
  Membership,
  NewGroup,
} from './group-schemas.ts'
import { type MemberAsker, type MemberRightsReader, refuseOutsiders, SITE } from './member-rights.ts'
import { MAX_NAME_LENGTH } from './user-schemas.ts'

/** How a list of groups is asked for. */
export type GroupPage = PageRequest<keyof typeof GROUP_SORTS>
/** How a list of members is asked for. */
export type MemberPage = PageRequest<keyof typeof MEMBER_SORTS>

/** Reads groups and who is in them. */
export interface GroupReader extends MemberRightsReader {
  find(id: number): Promise<Group | null>
  /** Up to `limit + 1` groups, see {@link PageRequest}. */
  list(filter: GroupFilter, page: GroupPage): Promise<Group[]>
  /** Up to `limit + 1` memberships, see {@link PageRequest}. */
  members(groupId: number, filter: MemberFilter, page: MemberPage): Promise<Membership[]>
}

/** What a write about groups needs, in its transaction. */
export interface GroupStore extends GroupReader {
  /** Reads a group and keeps others from changing it until the transaction ends. */
  hold(id: number): Promise<Group | null>
  add(name: string): Promise<Group>
  rename(id: number, name: string): Promise<void>
  /** Removes a group with its memberships and grants, and tells how many of each went. */
  remove(id: number): Promise<{ memberships: number; grants: number }>
  /** What is known of a user who is to be in a group, held until the transaction ends; null for a deleted user. */
  holdUser(id: number): Promise<{ username: string; isAnonymous: boolean } | null>
  /** Whether there is this project, held until the transaction ends. */
  holdProject(id: number): Promise<boolean>
  membership(place: MembershipPlace): Promise<Membership | null>
  addMembership(place: MembershipPlace): Promise<Membership>
  removeMembership(id: number): Promise<void>
  /** Gives whether the user had not been a maintainer. */
  addMaintainer(groupId: number, userId: number): Promise<boolean>
  /** Gives whether the user had been a maintainer. */
  removeMaintainer(groupId: number, userId: number): Promise<boolean>
}

/** One of a user's memberships in a group: everywhere (`projectId` null), or limited to one project. */
export type MembershipPlace = { groupId: number; userId: number; projectId: number | null }

type Stores = { names: NameStore; groups: GroupStore; rights: ProjectRightsStore }

/** Groups, their members and their maintainers. Putting a member into a group named like a login is what it is for. */
export class GroupService {
  readonly #write: PolicyWrite<Stores>
  readonly #groups: GroupReader

  constructor(write: PolicyWrite<Stores>, groups: GroupReader) {
    this.#write = write
    this.#groups = groups
  }

  /** @throws DomainError `not-found`; to somebody in person who does not maintain the group `not-permitted` */
  async get(id: number, asker: MemberAsker = SITE): Promise<Group> {
    await refuseOutsiders(asker, id, this.#groups)
    return known(id, await this.#groups.find(id))
  }

  /** Up to `limit + 1` groups, see {@link PageRequest}. */
  list(filter: GroupFilter, page: GroupPage): Promise<Group[]> {
    return this.#groups.list(filter, page)
  }

  /**
   * Up to `limit + 1` memberships, see {@link PageRequest}.
   *
   * @throws DomainError `not-found`, `not-permitted`
   */
  async members(id: number, filter: MemberFilter, page: MemberPage, asker: MemberAsker = SITE): Promise<Membership[]> {
    await this.get(id, asker)
    return this.#groups.members(id, filter, page)
  }

  /** @throws DomainError `invalid-request`, `name-taken`, `name-carries-edit-rights` */
  create(context: WriteContext, { name, confirmEditRights = false }: NewGroup): Promise<Committed<Group>> {
    refuseBadName(name)
    return this.#write(context, async ({ names, groups }, audit) => {
      await names.lock()
      if (await names.groupNamed(name)) throw groupTaken()
      const shift = shiftByGroupName(await names.isLogin(name))
      const editRightsConfirmed = confirmShifts([shift], confirmEditRights, '/name')
      const group = await groups.add(name)
      audit({ action: 'group.create', target: `group:${group.id}`, after: group, editRightsConfirmed })
      return group
    })
  }

  /**
   * Renames a group. A group with members that is named like a login needs the confirmation to lose that name too.
   *
   * @throws DomainError `not-found`, `invalid-request`, `name-taken`, `name-carries-edit-rights`
   */
  update(context: WriteContext, id: number, patch: GroupPatch): Promise<Committed<Group>> {
    const { name, confirmEditRights = false } = patch
    return this.#write(context, async ({ names, groups }, audit) => {
      await names.lock()
      const group = known(id, await groups.hold(id))
      if (name === undefined || name === group.name) return group
      refuseBadName(name)
      if (await names.groupNamed(name)) throw groupTaken()
      const gained = shiftByGroupName(await names.isLogin(name))
      const old = await names.groupNamed(group.name)
      const lost = shiftByLosingName(old?.hasMembers === true, await names.isLogin(group.name))
      const editRightsConfirmed = confirmShifts([gained, lost], confirmEditRights, '/name')
      await groups.rename(id, name)
      const before = { name: group.name }
      audit({ action: 'group.update', target: `group:${id}`, before, after: { name }, editRightsConfirmed })
      return { ...group, name }
    })
  }

  /**
   * Deletes a group with its memberships and grants, whatever it is named: who deletes a group means to end what it
   * gave.
   *
   * @throws DomainError `not-found`
   */
  delete(context: WriteContext, id: number): Promise<Committed<void>> {
    return this.#write(context, async ({ names, groups }, audit) => {
      await names.lock()
      const group = known(id, await groups.hold(id))
      const went = await groups.remove(id)
      audit({ action: 'group.delete', target: `group:${id}`, before: { ...group, ...went } })
    })
  }

  /**
   * Puts a user into a group; `created` tells whether that membership is new.
   *
   * @throws DomainError `not-found` for the group or user, `invalid-request` for the project; in person
   *   `not-permitted`, `last-administrator`
   */
  addMember(
    context: WriteContext,
    place: MembershipPlace,
    administersProject = false,
  ): Promise<Committed<{ membership: Membership; created: boolean }>> {
    return this.#write(context, async (stores, audit) => {
      const { groups } = stores
      const bounded = await holdMembership(stores, context, place, administersProject)
      const present = await groups.membership(place)
      if (present) return { membership: present, created: false }
      const membership = await bounded(() => groups.addMembership(place))
      audit({ action: 'membership.create', target: `membership:${membership.id}`, after: membership })
      return { membership, created: true }
    })
  }

  /**
   * Ends one membership: the one everywhere, or the one limited to that project. Others of the same user stay.
   *
   * @throws DomainError `not-found` also when there is no such membership: nobody shall think that a right has ended
   *   which the user still has another way; in person `not-permitted`, `last-administrator`
   */
  removeMember(context: WriteContext, place: MembershipPlace, administersProject = false): Promise<Committed<void>> {
    return this.#write(context, async (stores, audit) => {
      const { groups } = stores
      const bounded = await holdMembership(stores, context, place, administersProject)
      const membership = await groups.membership(place)
      if (!membership) throw noMembership(place)
      await bounded(() => groups.removeMembership(membership.id))
      audit({ action: 'membership.delete', target: `membership:${membership.id}`, before: membership })
    })
  }

  /**
   * Makes a user a maintainer of a group; `created` tells whether the user had not been one.
   *
   * @throws DomainError `not-found`; `anonymous-user`, since everybody could then change the group
   */
  addMaintainer(
    context: WriteContext,
    groupId: number,
    userId: number,
  ): Promise<Committed<{ group: Group; created: boolean }>> {
    return this.#write(context, async ({ groups }, audit) => {
      const { isAnonymous } = await holdPlace(groups, { groupId, userId, projectId: null })
      if (isAnonymous) throw new DomainError('anonymous-user', 'the anonymous user cannot maintain a group')
      const created = await groups.addMaintainer(groupId, userId)
      if (created) audit({ action: 'maintainer.create', target: `group:${groupId}`, after: { userId } })
      return { group: known(groupId, await groups.find(groupId)), created }
    })
  }

  /** @throws DomainError `not-found`, also when the user is no maintainer of the group */
  removeMaintainer(context: WriteContext, groupId: number, userId: number): Promise<Committed<void>> {
    return this.#write(context, async ({ groups }, audit) => {
      await holdPlace(groups, { groupId, userId, projectId: null })
      if (!(await groups.removeMaintainer(groupId, userId))) {
        throw new DomainError('not-found', `user ${userId} does not maintain group ${groupId}`)
      }
      audit({ action: 'maintainer.delete', target: `group:${groupId}`, before: { userId } })
    })
  }
}

function known(id: number, group: Group | null): Group {
  if (group === null) throw new DomainError('not-found', `there is no group ${id}`)
  return group
}

/**
 * As {@link holdPlace}, once whoever writes in person may; no name changes meanwhile. Gives what runs the write itself
 * so that nobody's last administrator goes with the membership: in every project that the group may administer, or the
 * one that the membership is limited to.
 */
async function holdMembership(
  { names, groups, rights }: Stores,
  context: WriteContext,
  place: MembershipPlace,
  administersProject: boolean,
): Promise<<T>(write: () => Promise<T>) => Promise<T>> {
  const { inPerson } = context
  const { groupId, userId, projectId } = place
  if (inPerson !== null) {
    await names.lock()
    await refuseOutsiders({ inPerson, administersProject }, groupId, groups)
  }
  await holdPlace(groups, place)
  if (inPerson === null) return (write) => write()
  const superusers = await rights.holdingSuperusers('user', [userId], projectId ?? 0)
  if (superusers.length > 0 && (await rights.isDenied(groupId, projectId))) throw denyMeetsSuperuser()
  const projects = projectId === null ? await rights.administeredByGroup(groupId) : [projectId]
  return (write) => keepingAdministrators(context, rights, projects, write)
}

/**
 * Makes sure that user, group and project are there and stay so. Every write takes them in this order, the renaming of a
 * user with its group too, so that no two writes wait for each other.
 */
async function holdPlace(groups: GroupStore, { groupId, userId, projectId }: MembershipPlace) {
  const user = await groups.holdUser(userId)
  known(groupId, await groups.hold(groupId))
  if (user === null) throw new DomainError('not-found', `there is no user ${userId}`)
  if (projectId !== null && !(await groups.holdProject(projectId))) {
    const detail = `there is no project ${projectId}`
    throw new DomainError('invalid-request', detail, { faults: [{ pointer: '?project', detail }] })
  }
  return user
}

function noMembership({ groupId, userId, projectId }: MembershipPlace): DomainError {
  const where = projectId === null ? 'everywhere' : `limited to project ${projectId}`
  return new DomainError('not-found', `user ${userId} has no membership in group ${groupId} ${where}`)
}

function refuseBadName(name: string): void {
  refuseBadNames([{ pointer: '/name', value: name, limit: MAX_NAME_LENGTH, empty: false }])
}

const groupTaken = () => nameTaken('/name', 'another group has this name')
