import type { UserFacts } from './matcher-functions.ts'
import type { MembershipSlice } from './membership-table.ts'
import type { GroupState, ProjectState, UserState } from './policy-state.ts'

const [ACTIVE, SUPERUSER, ANONYMOUS, BROWSES] = [1, 2, 4, 8]

/** In every project: the domain of a membership that is not limited, and of superusers. */
export const EVERYWHERE = '*'

/**
 * A user as the snapshot holds it, and where its memberships stand. `sub` is its name in Casbin, `ordinal` its place
 * among the principals.
 */
export class UserRecord implements MembershipSlice, UserFacts {
  // WHY in this order: a decision reads the first five, which so share a line of the processor's cache.
  start = 0
  count = 0
  readonly ordinal: number
  #standing = 0
  readonly sub: string
  /** The group named exactly like this user's login, whose members may edit what the user made (D9). */
  namesake: GroupRecord | undefined
  readonly id: number
  username = ''
  isDeleted = false
  room = 0

  constructor(id: number, ordinal: number) {
    this.ordinal = ordinal
    this.sub = `user:${id}`
    this.id = id
  }

  get isActive(): boolean {
    return (this.#standing & ACTIVE) !== 0
  }
  get isSuperuser(): boolean {
    return (this.#standing & SUPERUSER) !== 0
  }
  get isAnonymous(): boolean {
    return (this.#standing & ANONYMOUS) !== 0
  }
  /** The general permission can_browse in the user's own settings (D7). */
  get mayBrowseGenerally(): boolean {
    return (this.#standing & BROWSES) !== 0
  }

  /** Takes over a new state; memberships are rows of their own and stay. */
  take(state: UserState): void {
    this.username = state.username
    this.isDeleted = state.isDeleted
    this.#standing =
      (state.isActive ? ACTIVE : 0) |
      (state.isSuperuser ? SUPERUSER : 0) |
      (state.isAnonymous ? ANONYMOUS : 0) |
      (state.generalPermissions.includes('can_browse') ? BROWSES : 0)
  }
}

/** A group as the snapshot holds it. */
export class GroupRecord {
  readonly id: number
  readonly sub: string
  readonly ordinal: number
  name = ''

  constructor(id: number, ordinal: number) {
    this.id = id
    this.sub = `group:${id}`
    this.ordinal = ordinal
  }

  take(state: GroupState): void {
    this.name = state.name
  }
}

/** A project as the snapshot holds it. `dom` is its name in Casbin, `ordinal` its place among the projects. */
export class ProjectRecord {
  readonly id: number
  readonly dom: string
  readonly ordinal: number
  title = ''

  constructor(id: number, ordinal: number) {
    this.id = id
    this.dom = String(id)
    this.ordinal = ordinal
  }

  take(state: ProjectState): void {
    this.title = state.title
  }
}

/** A membership: `dom` is {@link EVERYWHERE} or the one project it counts in (D3). */
export type MembershipRecord = { readonly id: number; readonly group: GroupRecord; readonly dom: string }

/** Does a membership, or a rule, of this domain count in this project? */
export function countsIn({ dom }: { readonly dom: string }, project: string): boolean {
  return dom === EVERYWHERE || dom === project
}
