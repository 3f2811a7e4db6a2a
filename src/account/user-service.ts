import { DomainError } from '../errors.ts'
import { type NameField, refuseBadEmail, refuseBadNames } from '../names.ts'
import type { PageRequest } from '../page.ts'
import type { Committed, PolicyWrite, WriteContext } from '../policy/policy-write.ts'
import { confirmShifts, type NameStore, nameTaken, shiftByLogin } from './edit-rights.ts'
import {
  type Deactivation,
  MAX_EMAIL_LENGTH,
  MAX_NAME_LENGTH,
  type NewUser,
  type USER_SORTS,
  type User,
  type UserFilter,
  type UserPatch,
} from './user-schemas.ts'

/** How a list of users is asked for. */
export type UserPage = PageRequest<keyof typeof USER_SORTS>

/** Reads users; a deleted one is not there. */
export interface UserReader {
  find(id: number): Promise<User | null>
  /** Up to `limit + 1` users, see {@link PageRequest}. */
  list(filter: UserFilter, page: UserPage): Promise<User[]>
}

/** What a user holds, as the audit trail of a deletion keeps it. */
export type Belongings = { memberships: object[]; grants: object[]; maintainedGroups: number[] }

/** What a write about users needs, in its transaction. */
export interface UserStore extends UserReader {
  /** Reads a user and keeps others from changing it until the transaction ends. */
  hold(id: number): Promise<User | null>
  add(fields: UserFields): Promise<User>
  change(id: number, fields: Partial<UserFields>): Promise<void>
  /**
   * Empties the row of personal data and of rights and marks it deleted; its login stays, everything else that belongs
   * to the user goes. Gives back the rights that went.
   */
  remove(id: number): Promise<Belongings>
  /** The active superusers, at most two of them. */
  activeSuperusers(): Promise<number[]>
}

/** What a write can set on a user. */
export type UserFields = Omit<User, 'id' | 'isAnonymous' | 'createdAt' | 'lastLoginAt' | 'emailConfirmedAt'>

/** The part of the group store that a user's name needs. */
export interface NamesakeStore {
  add(name: string): Promise<{ id: number }>
  rename(id: number, name: string): Promise<void>
}

/** The part of the profile store that a new user needs. */
export interface NewProfileStore {
  /** Gives a user who was just made a profile: the defaults of now, and a color. */
  addFor(userId: number): Promise<void>
}

type Stores = { names: NameStore; users: UserStore; groups: NamesakeStore; profiles: NewProfileStore }

/**
 * Accounts, and what their names stand for.
 *
 * The anonymous user is an account like any other, but cannot be deleted or made superuser. It can be deactivated: that
 * shuts every project to whoever has not logged in (D2), at once and without touching a grant.
 */
export class UserService {
  readonly #write: PolicyWrite<Stores>
  readonly #users: UserReader

  constructor(write: PolicyWrite<Stores>, users: UserReader) {
    this.#write = write
    this.#users = users
  }

  /** @throws DomainError `not-found`, also for a deleted user */
  async get(id: number): Promise<User> {
    return known(id, await this.#users.find(id))
  }

  /** Up to `limit + 1` users, see {@link PageRequest}. */
  list(filter: UserFilter, page: UserPage): Promise<User[]> {
    return this.#users.list(filter, page)
  }

  /**
   * Makes a user, and an empty group of the same name unless there is one or `createGroup` is false.
   *
   * @throws DomainError `invalid-request`, `name-taken`, `name-carries-edit-rights`
   */
  create(context: WriteContext, input: NewUser): Promise<Committed<User>> {
    refuseBadFields(input)
    const { createGroup = true, confirmEditRights = false, ...given } = input
    return this.#write(context, async ({ names, users, groups, profiles }, audit) => {
      await names.lock()
      if (await names.isLogin(given.username)) throw loginTaken()
      const namesake = await names.groupNamed(given.username)
      const editRightsConfirmed = confirmShifts([shiftByLogin(namesake)], confirmEditRights, '/username')
      const user = await users.add({ ...NOBODY, ...given, ...deactivation(given.isActive === false) })
      await profiles.addFor(user.id)
      const group = createGroup && namesake === null ? await groups.add(user.username) : null
      const after = { ...user, ...(group && { createdGroup: group.id }) }
      audit({ action: 'user.create', target: `user:${user.id}`, after, editRightsConfirmed })
      return user
    })
  }

  /**
   * Changes a user; a new name renames the group of the old name along with it, a new address counts as unconfirmed.
   *
   * @throws DomainError `not-found`, `invalid-request`, `name-taken`, `name-carries-edit-rights`, `anonymous-user`,
   *   `last-superuser`
   */
  update(context: WriteContext, id: number, patch: UserPatch): Promise<Committed<User>> {
    return this.#change(context, id, patch, undefined)
  }

  /**
   * Deactivates a user, or gives a deactivation another message; one that something else made (an import, inactivity, an
   * address that was never confirmed) becomes one by hand, which only {@link reactivate} ends. Sessions and links that
   * were mailed end with it.
   *
   * @throws DomainError `not-found`, `last-superuser`
   */
  deactivate(context: WriteContext, id: number, deactivation: Deactivation): Promise<Committed<User>> {
    return this.#change(context, id, { isActive: false }, deactivation)
  }

  /**
   * Ends a deactivation, whatever made it, and restarts the clock of inactivity; sessions that it ended stay ended.
   *
   * @throws DomainError `not-found`
   */
  reactivate(context: WriteContext, id: number): Promise<Committed<User>> {
    return this.#change(context, id, { isActive: true }, undefined)
  }

  #change(
    context: WriteContext,
    id: number,
    { confirmEditRights = false, ...given }: UserPatch,
    byHand: Deactivation | undefined,
  ): Promise<Committed<User>> {
    return this.#write(context, async (stores, audit) => {
      await stores.names.lock()
      const user = known(id, await stores.users.hold(id))
      const changes = changesOf(user, given, byHand)
      if (Object.keys(changes).length === 0) return user
      refuseBadFields(changes)
      await refuseUnfitting(stores.users, user, changes)
      const { renamedGroup, editRightsConfirmed } = await renameGroup(stores, user, changes.username, confirmEditRights)
      await stores.users.change(id, changes)
      const before = Object.fromEntries(Object.entries(user).filter(([name]) => name in changes))
      const reason = byHand?.reason
      const after = {
        ...changes,
        ...(renamedGroup !== null && { renamedGroup }),
        ...(reason !== undefined && { reason }),
      }
      audit({ action: 'user.update', target: `user:${id}`, before, after, editRightsConfirmed })
      return known(id, await stores.users.find(id))
    })
  }

  /**
   * Deletes a user: the row stays, for its login and its id, and holds nothing else any more. Whoever may edit what the
   * user made still may.
   *
   * @throws DomainError `not-found`, `anonymous-user`, `last-superuser`
   */
  delete(context: WriteContext, id: number): Promise<Committed<void>> {
    return this.#write(context, async ({ names, users }, audit) => {
      await names.lock()
      const user = known(id, await users.hold(id))
      if (user.isAnonymous) throw anonymous('be deleted')
      await keepSuperuser(users, user)
      const { username, isActive, isSuperuser } = user
      const belongings = await users.remove(id)
      const before = { username, isActive, isSuperuser, ...belongings }
      audit({ action: 'user.delete', target: `user:${id}`, before })
    })
  }
}

const NOBODY: Omit<UserFields, 'username'> = {
  email: '',
  firstName: '',
  lastName: '',
  isActive: true,
  isSuperuser: false,
  generalPermissions: [],
  deactivatedAt: null,
  deactivationReason: null,
  deactivationMessage: null,
}

function known(id: number, user: User | null): User {
  if (user === null) throw new DomainError('not-found', `there is no user ${id}`)
  return user
}

/** Checks the fields that are there; all faults of names in one answer. */
function refuseBadFields({ username, firstName, lastName, email }: Partial<UserFields>): void {
  const fields = { username, firstName, lastName }
  refuseBadNames(
    Object.entries(fields).flatMap(([name, value]): NameField[] =>
      value === undefined ? [] : [{ pointer: `/${name}`, value, limit: MAX_NAME_LENGTH, empty: name !== 'username' }],
    ),
  )
  if (email !== undefined) refuseBadEmail({ pointer: '/email', value: email, limit: MAX_EMAIL_LENGTH, empty: true })
}

type DeactivationFields = Pick<UserFields, 'deactivatedAt' | 'deactivationReason' | 'deactivationMessage'>

const deactivation = (deactivated: boolean, message: string | null = null): DeactivationFields => ({
  deactivatedAt: deactivated ? new Date().toISOString() : null,
  deactivationReason: deactivated ? 'admin' : null,
  deactivationMessage: deactivated ? message : null,
})

/**
 * Of what is given, what differs from how the user is; hostile names of an import may so be sent back as they are. To
 * deactivate what an import left inactive is a change too: from then on no import may reactivate it. Likewise to give
 * another message, which only a deactivation by hand brings.
 */
function changesOf(
  user: User,
  given: Omit<UserPatch, 'confirmEditRights'>,
  byHand: Deactivation | undefined,
): Partial<UserFields> {
  const changes: Partial<UserFields> = Object.fromEntries(
    Object.entries(given).filter(([name, value]) => String(value) !== String(user[name as keyof User])),
  )
  const message = byHand?.message ?? null
  const deactivates = given.isActive === false && user.deactivationReason !== 'admin'
  if (changes.isActive === true || deactivates) return { ...changes, ...deactivation(deactivates, message) }
  return byHand !== undefined && message !== user.deactivationMessage
    ? { ...changes, deactivationMessage: message }
    : changes
}

async function refuseUnfitting(users: UserStore, user: User, changes: Partial<UserFields>): Promise<void> {
  if (user.isAnonymous && changes.isSuperuser) throw anonymous('be a superuser')
  if (changes.isActive === false || changes.isSuperuser === false) await keepSuperuser(users, user)
}

/** The last active superuser would leave nobody who may undo a mistake. */
async function keepSuperuser(users: UserStore, user: User): Promise<void> {
  if (!user.isActive || !user.isSuperuser) return
  const active = await users.activeSuperusers()
  if (active.length > 1) return
  throw new DomainError('last-superuser', 'this is the only active superuser: make another one first')
}

/** Renames the group of the old login along, once whatever the new one shifts is confirmed. */
async function renameGroup(
  { names, groups }: Pick<Stores, 'names' | 'groups'>,
  user: User,
  username: string | undefined,
  confirmed: boolean,
): Promise<{ renamedGroup: number | null; editRightsConfirmed: boolean }> {
  if (username === undefined) return { renamedGroup: null, editRightsConfirmed: false }
  if (await names.isLogin(username)) throw loginTaken()
  const group = await names.groupNamed(user.username)
  const namesake = await names.groupNamed(username)
  if (group && namesake) {
    throw nameTaken('/username', 'the group of the old login is renamed along, and another group has the new name')
  }
  const editRightsConfirmed = confirmShifts([shiftByLogin(namesake)], confirmed, '/username')
  if (group) await groups.rename(group.id, username)
  return { renamedGroup: group?.id ?? null, editRightsConfirmed }
}

const loginTaken = () => nameTaken('/username', 'another user has this login, or a deleted user had it')

const anonymous = (what: string) => new DomainError('anonymous-user', `the anonymous user cannot ${what}`)
