import type { UserFacts } from './matcher-functions.ts'
import type { GroupState, ProjectState, UserState } from './policy-state.ts'

/** In every project: the domain of a membership that is not limited, and of superusers. */
export const EVERYWHERE = '*'

/** A user as the snapshot holds it. `sub` is its name in Casbin, `ordinal` its place among the principals. */
export class UserRecord implements UserFacts {
  readonly id: number
  readonly sub: string
  readonly ordinal: number
  username = ''
  isActive = false
  isSuperuser = false
  isAnonymous = false
  isDeleted = false
  mayBrowseGenerally = false
  readonly memberships: MembershipRecord[] = []

  constructor(id: number, ordinal: number) {
    this.id = id
    this.sub = `user:${id}`
    this.ordinal = ordinal
  }

  /** Takes over a new state; memberships are rows of their own and stay. */
  take(state: UserState): void {
    this.username = state.username
    this.isActive = state.isActive
    this.isSuperuser = state.isSuperuser
    this.isAnonymous = state.isAnonymous
    this.isDeleted = state.isDeleted
    this.mayBrowseGenerally = state.generalPermissions.includes('can_browse')
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
