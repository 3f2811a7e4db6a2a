import {
  type GrantState,
  type MembershipState,
  PERMISSIONS,
  type Permission,
  type PolicyTables,
  type UserState,
} from '../src/decision/policy-state.ts'
import { grouped } from './grouped.ts'
import { at, type Random, seeded } from './random.ts'

/** How many rows of each kind go with a number of grants: 1,000,000 come with 100,000 memberships, 10,000 projects. */
export function populationOf(grants: number) {
  return {
    grants,
    users: Math.max(50, Math.round(grants / 20)),
    laboratories: Math.max(10, Math.round(grants / 500)),
    projects: Math.max(50, Math.round(grants / 100)),
    memberships: Math.max(10, Math.round(grants / 10)),
  }
}

/** What one principal is usually given together on a project. */
const BUNDLES: Permission[][] = [
  ['can_browse'],
  ['can_browse', 'can_annotate'],
  ['can_browse', 'can_annotate', 'can_annotate_with_token'],
  ['can_browse', 'can_annotate', 'can_import', 'can_queue_compute_task', 'can_fork'],
  ['can_administer'],
  ['can_administer', 'can_annotate_with_token'],
]
const LONG_AGO = Date.UTC(2015, 0)
const AGO = Date.UTC(2020, 0)
const FAR_AHEAD = Date.UTC(2090, 0)
const FARTHER_AHEAD = Date.UTC(2095, 0)
const DENIES = 0.1
const GRANTS_TO_USERS = 0.2
const TIMED = 0.03
const LIMITED_MEMBERSHIPS = 0.05

/**
 * Policy of a site with so many grants: every user has a group of the same name (what D9 looks at), laboratories are
 * the groups that hold most grants, a tenth of all grants deny, half of those somebody who would be allowed.
 *
 * Ids start behind those of a freshly migrated database, where the anonymous user is number 1.
 */
export function policyOf(grants: number, seed: number): PolicyTables {
  const random = seeded(seed)
  const size = populationOf(grants)
  const users = usersOf(size.users, random)
  const laboratories = Array.from({ length: size.laboratories }, (_, n) => ({
    id: users.length + 1 + n,
    name: `laboratory ${n + 1}`,
  }))
  const named = users.map(({ id, username }) => ({ id, name: username }))
  const projects = Array.from({ length: size.projects }, (_, n) => ({ id: n + 1, title: `Volume ${n + 1}` }))
  const memberships = membershipsOf(size, users.length, random)
  return {
    users,
    groups: [...named, ...laboratories],
    projects,
    memberships,
    grants: grantsOf(size, memberships, users.length, random),
    serviceKeys: [],
  }
}

function usersOf(count: number, random: Random): UserState[] {
  const anonymous = {
    id: 1,
    username: 'anonymous',
    isActive: true,
    isSuperuser: false,
    isAnonymous: true,
    generalPermissions: ['can_browse'],
    isDeleted: false,
  }
  const people = Array.from({ length: count - 1 }, (_, n) => ({
    id: n + 2,
    username: `${random.pick(['ada', 'bela', 'chidi', 'dora', 'emeka'])}.${(n + 2).toString(36)}`,
    isActive: !random.chance(0.01),
    isSuperuser: random.chance(0.001),
    isAnonymous: false,
    generalPermissions: [],
    isDeleted: false,
  }))
  return [anonymous, ...people]
}

function membershipsOf(size: ReturnType<typeof populationOf>, users: number, random: Random): MembershipState[] {
  const rows: MembershipState[] = []
  const seen = new Set<string>()
  while (rows.length < size.memberships) {
    const userId = 1 + random.below(users)
    const groupId = random.chance(0.65) ? users + 1 + random.below(size.laboratories) : 1 + random.below(users)
    const projectId = random.chance(LIMITED_MEMBERSHIPS) ? 1 + random.below(size.projects) : null
    const key = `${userId} ${groupId} ${projectId}`
    if (seen.has(key)) continue
    seen.add(key)
    rows.push({ id: rows.length + 1, userId, groupId, projectId })
  }
  return rows
}

type NewGrant = Omit<GrantState, 'id' | 'validFrom' | 'validUntil'>

/** Collects grants, none of them twice: the database would refuse the second. */
class GrantRows {
  readonly rows: GrantState[] = []
  private readonly seen = new Set<number>()
  private readonly random: Random

  constructor(random: Random) {
    this.random = random
  }

  add(grant: NewGrant): void {
    const principal = (grant.userId ?? 0) * 2 + (grant.groupId ?? 0) * 2 + (grant.userId === null ? 0 : 1)
    const cell = PERMISSIONS.indexOf(grant.permission) * 2 + (grant.effect === 'deny' ? 1 : 0)
    const key = (grant.projectId * 16 + cell) * 2 ** 22 + principal
    if (this.seen.has(key)) return
    this.seen.add(key)
    this.rows.push({ id: this.rows.length + 1, ...grant, ...periodOf(this.random) })
  }
}

function grantsOf(
  size: ReturnType<typeof populationOf>,
  memberships: MembershipState[],
  users: number,
  random: Random,
): GrantState[] {
  const principal = () =>
    random.chance(GRANTS_TO_USERS)
      ? { userId: 1 + random.below(users), groupId: null }
      : { userId: null, groupId: users + 1 + random.below(size.laboratories) }
  const project = () => 1 + random.below(size.projects)
  const grants = new GrantRows(random)
  const allows = Math.round(size.grants * (1 - DENIES))
  while (grants.rows.length < allows) {
    const held = { ...principal(), projectId: project(), effect: 'allow' } as const
    for (const permission of random.pick(BUNDLES).slice(0, allows - grants.rows.length)) {
      grants.add({ ...held, permission })
    }
  }
  const members = grouped(memberships, ({ groupId }) => groupId)
  while (grants.rows.length < size.grants) {
    const { groupId, projectId, permission } = at(grants.rows, random.below(allows))
    const member = groupId !== null && random.chance(0.5) ? members.get(groupId) : undefined
    const refused = member ? { userId: random.pick(member).userId, groupId: null, projectId } : undefined
    grants.add({ ...(refused ?? { ...principal(), projectId: project() }), permission, effect: 'deny' })
  }
  return grants.rows
}

function periodOf(random: Random) {
  if (!random.chance(TIMED)) return { validFrom: null, validUntil: null }
  return random.pick([
    { validFrom: LONG_AGO, validUntil: AGO },
    { validFrom: AGO, validUntil: FAR_AHEAD },
    { validFrom: null, validUntil: FAR_AHEAD },
    { validFrom: FAR_AHEAD, validUntil: FARTHER_AHEAD },
  ])
}
