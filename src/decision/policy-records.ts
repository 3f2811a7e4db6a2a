import type { UserFacts } from './matcher-functions.ts'
import type { GroupState, ProjectState } from './policy-state.ts'

/** In every project: the domain of a membership that is not limited, and of superusers. */
export const EVERYWHERE = '*'

/**
 * A user or group in the tables of grants and memberships: users are the even numbers, groups the odd ones, each by
 * their ordinals.
 */
export const principalOfUser = (ordinal: number): number => ordinal * 2
const principalOfGroup = (ordinal: number): number => ordinal * 2 + 1
/** Is this number of a principal that of a group? */
export const isGroup = (principal: number): boolean => (principal & 1) === 1
/** The ordinal, among users or among groups, in a principal's number. */
export const ordinalIn = (principal: number): number => principal >> 1

/**
 * A user as whoever wants more of it takes it than a decision reads: that is in the table of users, by `ordinal`, the
 * user's place there. `sub` is its name in Casbin.
 */
export class UserRecord {
  readonly id: number
  readonly ordinal: number
  username = ''
  isDeleted = false
  readonly #facts: UserFacts

  constructor(id: number, ordinal: number, facts: UserFacts) {
    this.id = id
    this.ordinal = ordinal
    this.#facts = facts
  }

  get isActive(): boolean {
    return this.#facts.isActive(this.ordinal)
  }
  get isSuperuser(): boolean {
    return this.#facts.isSuperuser(this.ordinal)
  }
  get isAnonymous(): boolean {
    return this.#facts.isAnonymous(this.ordinal)
  }
  get sub(): string {
    return `user:${this.id}`
  }
  get principal(): number {
    return principalOfUser(this.ordinal)
  }
}

/** A group as the snapshot holds it. */
export class GroupRecord {
  readonly id: number
  readonly ordinal: number
  name = ''

  constructor(id: number, ordinal: number) {
    this.id = id
    this.ordinal = ordinal
  }

  get sub(): string {
    return `group:${this.id}`
  }
  get principal(): number {
    return principalOfGroup(this.ordinal)
  }

  take(state: GroupState): void {
    this.name = state.name
  }
}

/** A project as the snapshot holds it. `dom` is its name in Casbin, `ordinal` its place among the projects. */
export class ProjectRecord {
  readonly id: number
  readonly ordinal: number
  title = ''

  constructor(id: number, ordinal: number) {
    this.id = id
    this.ordinal = ordinal
  }

  get dom(): string {
    return String(this.id)
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
