import { ABSENT } from './id-index.ts'

/**
 * What the decision plane knows of each row of policy: the shapes of `policy_changes.state` (migration 0002).
 *
 * Ids are the database's; times are epoch milliseconds, `null` for an open end.
 */
export type UserState = {
  id: number
  username: string
  isActive: boolean
  isSuperuser: boolean
  isAnonymous: boolean
  generalPermissions: string[]
  isDeleted: boolean
}
export type GroupState = { id: number; name: string }
export type ProjectState = { id: number; title: string }
/** `projectId: null` counts in every project, otherwise only in that one (D3). */
export type MembershipState = { id: number; userId: number; groupId: number; projectId: number | null }
/** Exactly one of `userId` and `groupId` is set. In force while `validFrom <= instant < validUntil` (D3). */
export type GrantState = {
  id: number
  userId: number | null
  groupId: number | null
  projectId: number
  permission: Permission
  effect: Effect
  validFrom: number | null
  validUntil: number | null
}
/** `keyHash` is the SHA-256 of the key in lower-case hex. */
export type ServiceKeyState = { id: number; name: string; keyHash: string; scopes: string[] }

/** `tokenHash` is the SHA-256 of the token in lower-case hex; in force while the instant is before `expiresAt`. */
export type ApiTokenState = {
  id: number
  userId: number
  tokenHash: string
  scopes: string[]
  expiresAt: number | null
}
/** A key that access tokens are signed with from `activeFrom` on; `publicKey` is a JWK (RFC 7517). */
export type SigningKeyState = {
  id: number
  kid: string
  publicKey: Record<string, string>
  activeFrom: number
  publishedUntil: number | null
}
/** The end of the session of that id: its access tokens open nothing any more. */
export type EndedSessionState = { id: number; endedAt: number }

/** The seven permissions, in the order of DESIGN; a permission's place here is its bit in the grant table. */
export const PERMISSIONS = [
  'can_administer',
  'can_annotate',
  'can_browse',
  'can_import',
  'can_queue_compute_task',
  'can_annotate_with_token',
  'can_fork',
] as const
export type Permission = (typeof PERMISSIONS)[number]
const PLACES = new Map<string, number>(PERMISSIONS.map((name, place) => [name, place]))
/** The place in PERMISSIONS of the permission of this name; {@link ABSENT} where there is none. */
export const permissionPlace = (name: string): number => PLACES.get(name) ?? ABSENT
export type Effect = 'allow' | 'deny'

/** All rows of policy at one revision, as far as tests, benchmarks and policy test files make it up. */
export type PolicyTables = {
  users: UserState[]
  groups: GroupState[]
  projects: ProjectState[]
  memberships: MembershipState[]
  grants: GrantState[]
  serviceKeys: ServiceKeyState[]
}

type Change<Kind extends string, State> = { kind: Kind; id: number; state: State | null }
/** A row as it is now, or `state: null` where it is gone. */
export type PolicyChange =
  | Change<'user', UserState>
  | Change<'group', GroupState>
  | Change<'project', ProjectState>
  | Change<'membership', MembershipState>
  | Change<'grant', GrantState>
  | Change<'serviceKey', ServiceKeyState>
  | Change<'apiToken', ApiTokenState>
  | Change<'signingKey', SigningKeyState>
  | Change<'endedSession', EndedSessionState>

/** The changes that one transaction made, in their order. `changes: null`: a table was truncated, read everything. */
export type ChangeSet = { revision: number; changes: PolicyChange[] | null }

/**
 * Revisions above `after` up to `upTo` that somebody has seen and the database has no more: it failed over to a copy, or
 * was restored. The same numbers may stand for other changes by now.
 */
export type LostRevisions = { after: number; upTo: number }

/** The database is not the one, or not in the state, that the last revision came from. */
export class HistoryLostError extends Error {
  readonly lost: LostRevisions

  constructor(lost: LostRevisions) {
    super(`the database has lost the revisions from ${lost.after + 1} to ${lost.upTo}`)
    this.name = 'HistoryLostError'
    this.lost = lost
  }
}

/**
 * Where the keeper reads policy from; the PostgreSQL implementation is `policy/policy-source-store.ts`. Every call fails
 * rather than wait for ever.
 */
export interface PolicySource {
  /**
   * Reads all policy at one revision, in one consistent snapshot of the database; rows arrive in batches, in the order
   * users, groups, projects, memberships, grants, then credentials. `lost` is what the database knows to have lost.
   */
  readAll(receive: (batch: PolicyChange[]) => void): Promise<{ revision: number; lost: LostRevisions | null }>
  /**
   * The change sets after `revision`, in order and without a gap, at most `limit` of them; empty when there is none.
   * Null when the log no longer reaches back that far, or the database's revision is smaller than `revision`: read
   * everything.
   *
   * @throws HistoryLostError when this source gave out `revision`, and the database has another one of that number, or
   *   has it no more
   */
  changesSince(revision: number, limit: number): Promise<ChangeSet[] | null>
  /**
   * Tells the database, and by it every replica, of revisions that it has lost. Their numbers are not given out again.
   */
  keepLost(lost: LostRevisions): Promise<void>
  /** Calls `onNotice` when a revision may have been committed; ends with `stop()`; calls `onLost` once if it breaks. */
  listen(onNotice: () => void, onLost: (cause: unknown) => void): Promise<{ stop(): Promise<void> }>
  /** Gives up what it holds open. */
  close(): Promise<void>
}
