import type {
  GrantState,
  GroupState,
  MembershipState,
  Permission,
  PolicyTables,
  UserState,
} from '../src/decision/policy-state.ts'
import { grouped } from './grouped.ts'
import type { Check } from './request-load.ts'

/** The right answer, and what made it: 'group' where it is allowed and the user's own grants alone would not do. */
export type Expected = { allowed: boolean; through: 'group' | 'user' | 'superuser' | 'nothing'; deniedByGrant: boolean }

/** What a user holds on one project at one instant, resolved: what a caller of another engine would have to send. */
export type Holdings = { user: UserState; allows: Permission[]; denies: Permission[]; groupNames: string[] }

const IMPLIED_BY_ADMINISTER: Permission[] = [
  'can_annotate',
  'can_browse',
  'can_import',
  'can_queue_compute_task',
  'can_fork',
]

/**
 * The decision rules D1 to D9, written down a second time, plainly and over plain lists: a benchmark of wrong answers
 * is worth nothing. Shares no code with the service.
 */
export class ExpectedAnswers {
  private readonly users = new Map<string | number, UserState>()
  private readonly anonymous: UserState | undefined
  private readonly groups: Map<number, GroupState>
  private readonly memberships: Map<number, MembershipState[]>
  private readonly grants: Map<number, GrantState[]>
  private readonly instant: number

  constructor(tables: PolicyTables, instant: number) {
    for (const user of tables.users) this.users.set(user.id, user).set(user.username, user)
    this.anonymous = tables.users.find((user) => user.isAnonymous)
    this.groups = new Map(tables.groups.map((group) => [group.id, group]))
    this.memberships = grouped(tables.memberships, ({ userId }) => userId)
    this.grants = grouped(tables.grants, ({ projectId }) => projectId)
    this.instant = instant
  }

  /** What the user holds there; `own: true` leaves out what comes through groups. */
  holdings(check: Check, { own = false } = {}): Holdings {
    const user = check.user === null ? this.anonymous : this.users.get(check.user)
    if (!user) throw new Error(`no user ${check.user} in the load`)
    const counting = (this.memberships.get(user.id) ?? []).filter(
      ({ projectId }) => projectId === null || projectId === check.project,
    )
    const groupIds = new Set(own ? [] : counting.map(({ groupId }) => groupId))
    const held = (this.grants.get(check.project) ?? []).filter(
      (grant) =>
        (grant.userId === user.id || (grant.groupId !== null && groupIds.has(grant.groupId))) &&
        (grant.validFrom ?? -Infinity) <= this.instant &&
        this.instant < (grant.validUntil ?? Infinity),
    )
    const named = (effect: string) => [
      ...new Set(held.filter((grant) => grant.effect === effect).map(({ permission }) => permission)),
    ]
    const groupNames = counting.map(({ groupId }) => this.groups.get(groupId)?.name ?? '')
    return { user, allows: named('allow'), denies: named('deny'), groupNames }
  }

  /** The answer to one check, and through what it came about. */
  of(check: Check): Expected {
    const all = this.holdings(check)
    const deniedByGrant = covers(all.denies, check.permission)
    if (!allowedBy(all, check)) return { allowed: false, through: 'nothing', deniedByGrant }
    if (all.user.isSuperuser) return { allowed: true, through: 'superuser', deniedByGrant }
    const own = allowedBy({ ...all, allows: this.holdings(check, { own: true }).allows }, check)
    return { allowed: true, through: own ? 'user' : 'group', deniedByGrant }
  }
}

function covers(held: Permission[], asked: Permission): boolean {
  return held.includes(asked) || (held.includes('can_administer') && IMPLIED_BY_ADMINISTER.includes(asked))
}

function allowedBy(held: Holdings, check: Check): boolean {
  return hasPermission(held, check) && mayUseToken(held, check) && mayEdit(held, check)
}

function hasPermission({ user, allows, denies }: Holdings, { permission }: Check): boolean {
  if (!user.isActive || covers(denies, permission)) return false
  if (user.isAnonymous && !user.generalPermissions.includes('can_browse')) return false
  return user.isSuperuser || covers(allows, permission)
}

function mayUseToken({ user, allows, denies }: Holdings, { via, permission }: Check): boolean {
  if (via !== 'token') return true
  if (user.isAnonymous) return false
  if (permission === 'can_browse') return true
  return allows.includes('can_annotate_with_token') && !denies.includes('can_annotate_with_token')
}

function mayEdit({ user, groupNames }: Holdings, { object }: Check): boolean {
  if (!object || user.isSuperuser) return true
  const opening = [user.username, ...groupNames]
  return opening.includes(object.creator) || (object.importer !== undefined && opening.includes(object.importer))
}
