import { ABSENT, IdIndex } from './id-index.ts'
import { LoginIndex } from './login-index.ts'
import type { UserFacts } from './matcher-functions.ts'
import { UserRecord } from './policy-records.ts'
import type { UserState } from './policy-state.ts'
import { UserRows } from './user-rows.ts'

const [ACTIVE, SUPERUSER, ANONYMOUS, BROWSES] = [1, 2, 4, 8]

/**
 * All users. A decision knows a user by ordinal alone, and finds what it must know in arrays by ordinal, so that no
 * look-up waits for another; everybody else takes the record.
 */
export class UserTable implements UserFacts {
  readonly #records = new Map<number, UserRecord>()
  readonly #byOrdinal: UserRecord[] = []
  readonly #ordinals = new IdIndex()
  /** What a decision reads of each user, the first memberships among it. */
  readonly rows = new UserRows()
  readonly #logins = new LoginIndex(this.rows)
  #anonymous: UserRecord | undefined

  get size(): number {
    return this.#records.size
  }
  /** The one user marked anonymous. */
  get anonymous(): UserRecord | undefined {
    return this.#anonymous
  }
  /** The user of this id. */
  get(id: number): UserRecord | undefined {
    return this.#records.get(id)
  }
  has(id: number): boolean {
    return this.#records.has(id)
  }
  /** The ids of all users, in the order in which they came. */
  keys(): Iterable<number> {
    return this.#records.keys()
  }
  values(): Iterable<UserRecord> {
    return this.#records.values()
  }
  /** The user of this ordinal, who is there or was. */
  at(ordinal: number): UserRecord {
    return this.#byOrdinal[ordinal] as UserRecord
  }
  /** The ordinal of the user of this id, or {@link ABSENT}. */
  ordinalOf(id: number): number {
    return this.#ordinals.get(id)
  }
  /** The ordinal of the user with exactly this login, or {@link ABSENT}. */
  ordinalNamed(login: string): number {
    return this.#logins.get(login)
  }

  isActive(ordinal: number): boolean {
    return this.#stands(ordinal, ACTIVE)
  }
  isSuperuser(ordinal: number): boolean {
    return this.#stands(ordinal, SUPERUSER)
  }
  isAnonymous(ordinal: number): boolean {
    return this.#stands(ordinal, ANONYMOUS)
  }
  /** D7: has the user the general permission can_browse in their own settings? */
  mayBrowseGenerally(ordinal: number): boolean {
    return this.#stands(ordinal, BROWSES)
  }
  /** D9: the group, as a principal, whose members may edit what the user made; {@link ABSENT} where none is. */
  namesakeOf(ordinal: number): number {
    return this.rows.namesake(ordinal)
  }
  setNamesake(ordinal: number, principal: number): void {
    this.rows.setNamesake(ordinal, principal)
  }

  /** Takes over a user's new state, whom it makes known where they are new; memberships are rows of their own and stay. */
  put(state: UserState): void {
    const user = this.#records.get(state.id) ?? this.#add(state.id)
    this.#logins.delete(user.username, user.ordinal)
    user.username = state.username
    user.isDeleted = state.isDeleted
    this.#logins.set(user.username, user.ordinal)
    this.rows.setStanding(user.ordinal, standingOf(state))
    if (state.isAnonymous) this.#anonymous = user
    else if (this.#anonymous === user) this.#anonymous = undefined
  }

  /** Takes the user out; nothing happens where there is none. */
  delete(id: number): void {
    const user = this.#records.get(id)
    if (user === undefined) return
    this.#records.delete(id)
    this.#ordinals.delete(id)
    this.#logins.delete(user.username, user.ordinal)
    this.rows.setStanding(user.ordinal, 0)
    if (this.#anonymous === user) this.#anonymous = undefined
  }

  #add(id: number): UserRecord {
    const user = new UserRecord(id, this.#byOrdinal.length, this)
    this.#byOrdinal.push(user)
    this.rows.reach(user.ordinal)
    this.rows.setNamesake(user.ordinal, ABSENT)
    this.#records.set(id, user)
    this.#ordinals.set(id, user.ordinal)
    return user
  }

  #stands(ordinal: number, as: number): boolean {
    return (this.rows.standing(ordinal) & as) !== 0
  }
}

function standingOf({ isActive, isSuperuser, isAnonymous, generalPermissions }: UserState): number {
  return (
    (isActive ? ACTIVE : 0) |
    (isSuperuser ? SUPERUSER : 0) |
    (isAnonymous ? ANONYMOUS : 0) |
    (generalPermissions.includes('can_browse') ? BROWSES : 0)
  )
}
