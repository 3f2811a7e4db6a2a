/**
 * Small random policies and requests, made from a seed: the same seed gives the same policy and the same requests.
 *
 * Not uniform but full of what goes wrong: denies, ends of validity exactly at the instant, several memberships in one
 * group, logins that look like ids, groups almost named like logins, names that mean something to a programming
 * language or to Casbin.
 */
import {
  type GrantState,
  type GroupState,
  type MembershipState,
  PERMISSIONS,
  type Permission,
  type PolicyChange,
  type PolicyTables,
  type UserState,
} from '../../src/decision/policy-state.ts'
import { type OracleObject, type OracleRequest, oracle } from './oracle.ts'

/** The instant around which grants of random policies begin and end. */
export const INSTANT = Date.UTC(2026, 10, 22, 12)

/** A source of random numbers that a seed repeats (mulberry32). */
export class Chance {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** The next number, 0 <= x < 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }

  /** True with the given probability. */
  happens(probability: number): boolean {
    return this.next() < probability
  }

  /** A whole number, both ends included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1))
  }

  /** One of the list; throws when it is empty. */
  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new Error('nothing to pick from')
    return list[this.between(0, list.length - 1)] as T
  }

  /** One of the values, each as likely as its weight says. */
  weighted<T>(choices: readonly (readonly [number, T])[]): T {
    let left = this.next() * choices.reduce((sum, [weight]) => sum + weight, 0)
    for (const [weight, value] of choices) {
      left -= weight
      if (left < 0) return value
    }
    return (choices[choices.length - 1] as readonly [number, T])[1]
  }

  /** The list in another order; the list itself is left alone. */
  shuffled<T>(list: readonly T[]): T[] {
    const copy = [...list]
    for (let last = copy.length - 1; last > 0; last--) {
      const other = this.between(0, last)
      const moved = copy[last] as T
      copy[last] = copy[other] as T
      copy[other] = moved
    }
    return copy
  }
}

const LOGINS = [
  'alice',
  'Alice',
  'alice ',
  'bob',
  'bob,carol',
  'carol',
  "o'brien",
  'eve", "2", "can_annotate", "allow',
  '#root',
  '*',
  '__proto__',
  'constructor',
  'toString',
  '1',
  '2',
  '123',
  'user:2',
  'group:1',
  'role:superuser',
  'everything',
  'null',
  'zo\u00eb',
  'zoe\u0308',
  '\u202ebob',
  'new\nline',
  'a$$b',
] as const

const PLAIN_GROUPS = ['tracers', 'reviewers', 'Alice', 'ALICE', 'alice ', ' bob', 'Bob', '1', '123', '*', 'null']

/** Names that no login, and permissions that no permission is. */
const STRANGERS = ['mallory', 'ALICE', ' bob', 'undefined', 'hasOwnProperty', '', 'NaN', '0x1', '1.0']
const NO_PERMISSIONS = [
  'everything',
  'superuser',
  'role:superuser',
  '*',
  '',
  'Can_browse',
  'can_browse ',
  '__proto__',
  'constructor',
  'allow',
  'can_annotate,can_browse',
  'user:1',
]
/** Ids that rows have, now or after some changes. */
const IDS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 33, 123]
const NO_IDS = [0, -1, 77, 1.5, 2 ** 31, 2 ** 53, Number.NaN]

/** Policy of about 5 users, 4 to 7 groups, 3 projects and at most 25 grants. */
export function randomTables(chance: Chance): PolicyTables {
  const users = randomUsers(chance)
  const groups = randomGroups(chance, users)
  const projects = chance
    .shuffled([1, 2, 3, 4, 33, 123])
    .slice(0, chance.between(2, 3))
    .map((id) => ({ id, title: `project ${id}` }))
  const tables: PolicyTables = { users, groups, projects, memberships: [], grants: [], serviceKeys: [] }
  const memberships = chance.between(4, 12)
  for (let tries = 0; tries < memberships; tries++) addIfNew(tables.memberships, randomMembership(chance, tables))
  const grants = chance.between(7, 25)
  for (let tries = 0; tries < grants; tries++) addIfNew(tables.grants, randomGrant(chance, tables))
  return tables
}

function randomUsers(chance: Chance): UserState[] {
  const ids = chance.shuffled([1, 2, 3, 4, 5, 6, 7, 123])
  const logins = chance.happens(0.6)
    ? [...chance.shuffled(LOGINS.slice(0, 6)).slice(0, 3), ...chance.shuffled(LOGINS.slice(6))]
    : chance.shuffled(LOGINS)
  const people = ids
    .slice(1, chance.between(4, 6))
    .map((id, place) => randomPerson(chance, id, logins[place] as string, 0.03))
  if (chance.happens(0.6)) people[0] = { ...(people[0] as UserState), isSuperuser: true }
  const anonymous: UserState = {
    id: ids[0] as number,
    username: chance.pick(['anonymous', 'AnonymousUser']),
    isActive: chance.happens(0.95),
    isSuperuser: false,
    isAnonymous: true,
    generalPermissions: chance.happens(0.6) ? ['can_browse'] : [],
    isDeleted: false,
  }
  return chance.happens(0.97) ? [anonymous, ...people] : people
}

function randomPerson(chance: Chance, id: number, username: string, superuser: number): UserState {
  const isActive = chance.happens(0.93)
  return {
    id,
    username,
    isActive,
    isSuperuser: chance.happens(superuser),
    isAnonymous: false,
    generalPermissions: chance.happens(0.2) ? ['can_browse'] : [],
    isDeleted: !isActive && chance.happens(0.7),
  }
}

function randomGroups(chance: Chance, users: UserState[]): GroupState[] {
  const names = users.filter(() => chance.happens(0.75)).map(({ username }) => username)
  names.push(...chance.shuffled(PLAIN_GROUPS).slice(0, chance.between(1, 2)))
  if (chance.happens(0.5)) names.push(almost(chance, chance.pick(users).username))
  if (chance.happens(0.3)) names.push(chance.pick(STRANGERS))
  const ids = chance.shuffled([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 123])
  const different = [...new Set(names.filter((name) => name !== ''))].slice(0, 8)
  return different.map((name, place) => ({ id: ids[place] as number, name }))
}

function almost(chance: Chance, name: string): string {
  return chance.pick([name.toUpperCase(), `${name} `, ` ${name}`, `${name[0]?.toUpperCase()}${name.slice(1)}`])
}

function randomMembership(chance: Chance, tables: PolicyTables): MembershipState {
  const again = tables.memberships.length > 0 && chance.happens(0.3) ? chance.pick(tables.memberships) : null
  return {
    id: nextId(tables.memberships),
    userId: again?.userId ?? chance.pick(tables.users).id,
    groupId: again?.groupId ?? chance.pick(tables.groups).id,
    projectId: chance.happens(0.45) && tables.projects.length > 0 ? chance.pick(tables.projects).id : null,
  }
}

/** Half of the grants concern a principal and project that another grant concerns, so that they meet. */
function randomGrant(chance: Chance, tables: PolicyTables): GrantState {
  const beside = tables.grants.length > 0 && chance.happens(0.5) ? chance.pick(tables.grants) : null
  const permission = chance.weighted<Permission>([
    [32, 'can_annotate'],
    [14, 'can_administer'],
    [10, 'can_browse'],
    [29, 'can_annotate_with_token'],
    [5, 'can_import'],
    [5, 'can_queue_compute_task'],
    [5, 'can_fork'],
  ])
  return {
    id: nextId(tables.grants),
    ...(beside ? { userId: beside.userId, groupId: beside.groupId } : randomPrincipal(chance, tables)),
    projectId: beside?.projectId ?? chance.pick(tables.projects).id,
    permission,
    effect: chance.happens(permission === 'can_annotate_with_token' ? 0.25 : 0.12) ? 'deny' : 'allow',
    ...randomValidity(chance),
  }
}

function randomPrincipal(chance: Chance, tables: PolicyTables): { userId: number | null; groupId: number | null } {
  return tables.groups.length === 0 || chance.happens(0.4)
    ? { userId: chance.pick(tables.users).id, groupId: null }
    : { userId: null, groupId: chance.pick(tables.groups).id }
}

function nextId(rows: readonly { id: number }[]): number {
  return rows.reduce((largest, { id }) => Math.max(largest, id), 0) + 1
}

function randomValidity(chance: Chance): { validFrom: number | null; validUntil: number | null } {
  if (chance.happens(0.6)) return { validFrom: null, validUntil: null }
  const around = [-86_400_000, -1000, -1, 0, 0, 1, 1000, 86_400_000]
  const validFrom = chance.happens(0.3) ? null : INSTANT + chance.pick(around)
  const validUntil = chance.happens(0.3) ? null : INSTANT + chance.pick(around)
  if (validFrom === null || validUntil === null || validFrom < validUntil) return { validFrom, validUntil }
  return validFrom === validUntil ? { validFrom, validUntil: null } : { validFrom: validUntil, validUntil: validFrom }
}

/** Adds the row unless the table has one that differs by its id alone (the database has unique constraints). */
function addIfNew<Row extends { id: number }>(table: Row[], row: Row): boolean {
  const shape = (other: Row) => JSON.stringify({ ...other, id: 0 })
  if (table.some((other) => shape(other) === shape(row))) return false
  table.push(row)
  return true
}

/** A request and the instant it is judged at. */
export type RandomCheck = { request: OracleRequest; instant: number }

/**
 * A request that may concern the policy. A good third of them ask to edit objects after the permission itself was
 * found to be there (by the oracle, within a few tries), since few would get as far as D9 by chance.
 */
export function randomRequest(chance: Chance, tables: PolicyTables): RandomCheck {
  if (chance.happens(0.6)) return randomCheck(chance, tables, randomPermission)
  let edit = randomCheck(chance, tables, () => 'can_annotate')
  for (let tries = 0; tries < 6; tries++) {
    const { object, objects, ...bare } = edit.request
    if ((object || objects) && oracle(tables, bare, edit.instant).allowed) break
    edit = randomCheck(chance, tables, () => 'can_annotate')
  }
  return edit
}

type PermissionChoice = (chance: Chance, grant: GrantState | null) => string

function randomCheck(chance: Chance, tables: PolicyTables, permissionOf: PermissionChoice): RandomCheck {
  const grant = tables.grants.length > 0 && chance.happens(0.75) ? chance.pick(tables.grants) : null
  const user = chance.happens(0.97) ? randomCaller(chance, tables, grant) : null
  const permission = permissionOf(chance, grant)
  const request: OracleRequest = {
    user: user ? nameOf(chance, user) : randomStranger(chance),
    project: randomProject(chance, tables, grant),
    permission,
    ...(chance.happens(permission === 'can_annotate' ? 0.75 : 0.03) && randomObjects(chance, tables, user)),
  }
  if (chance.happens(0.4)) request.via = chance.happens(0.7) ? 'token' : 'session'
  const instant =
    INSTANT +
    chance.weighted([
      [8, 0],
      [1, -1],
      [1, 1],
      [1, 999],
      [1, -100_000_000],
    ])
  return { request, instant }
}

/** A name or id that nobody has, or nobody has any more. */
function randomStranger(chance: Chance): string | number | null {
  return chance.happens(0.5) ? chance.pick([...LOGINS, ...IDS]) : chance.pick([null, ...STRANGERS, ...NO_IDS])
}

function randomObjects(chance: Chance, tables: PolicyTables, user: UserState | null): Partial<OracleRequest> {
  const object = () => randomObject(chance, tables, user)
  return chance.happens(0.7) ? { object: object() } : { objects: Array.from({ length: chance.between(1, 3) }, object) }
}

function randomCaller(chance: Chance, tables: PolicyTables, grant: GrantState | null): UserState | null {
  const held = tables.users.filter(
    ({ id }) =>
      grant?.userId === id ||
      tables.memberships.some(({ userId, groupId }) => userId === id && groupId === grant?.groupId),
  )
  return tables.users.length === 0 ? null : chance.pick(held.length > 0 ? held : tables.users)
}

function nameOf(chance: Chance, user: UserState): string | number | null {
  if (user.isAnonymous && chance.happens(0.5)) return null
  return chance.happens(0.5) ? user.username : user.id
}

function randomProject(chance: Chance, tables: PolicyTables, grant: GrantState | null): number {
  if (chance.happens(0.03) || tables.projects.length === 0) return chance.pick([...NO_IDS, ...IDS])
  return grant && chance.happens(0.85) ? grant.projectId : chance.pick(tables.projects).id
}

function randomPermission(chance: Chance, grant: GrantState | null): string {
  if (chance.happens(0.05)) return chance.pick(NO_PERMISSIONS)
  return chance.weighted<() => string>([
    [45, () => 'can_annotate'],
    [20, () => 'can_browse'],
    [25, () => grant?.permission ?? 'can_administer'],
    [10, () => chance.pick(PERMISSIONS)],
  ])()
}

function randomObject(chance: Chance, tables: PolicyTables, user: UserState | null): OracleObject {
  const creator = randomOwner(chance, tables, user)
  const importer = chance.happens(0.5) ? randomOwner(chance, tables, user) : null
  return importer === null ? { creator } : { creator, importer }
}

function randomOwner(chance: Chance, tables: PolicyTables, user: UserState | null): string | number | null {
  const groupIds = tables.memberships.filter(({ userId }) => userId === user?.id).map(({ groupId }) => groupId)
  const names = tables.groups.filter(({ id }) => groupIds.includes(id)).map(({ name }) => name)
  const folded = names.map((name) => name.trim().toLowerCase())
  const named = tables.users.filter(({ username }) => names.includes(username))
  const nearly = tables.users.filter(({ username }) => folded.includes(username.trim().toLowerCase()))
  return chance.weighted<() => string | number | null>([
    [12, () => (user ? nameOf(chance, user) : null)],
    [22, () => nameOf(chance, chance.pick(named.length > 0 ? named : tables.users))],
    [20, () => nameOf(chance, chance.pick(nearly.length > 0 ? nearly : tables.users))],
    [26, () => nameOf(chance, chance.pick(tables.users))],
    [9, () => (names.length > 0 ? chance.pick(names) : 'tracers')],
    [8, () => randomStranger(chance)],
    [3, () => null],
  ])()
}

/**
 * One random change of the policy: `tables` is changed in place and the change set that the database's triggers would
 * leave is returned (cascaded deletes included, in one order or the other).
 */
export function randomChange(chance: Chance, tables: PolicyTables): PolicyChange[] {
  const change = chance.weighted<() => PolicyChange[]>([
    [30, () => changeGrants(chance, tables)],
    [25, () => changeMemberships(chance, tables)],
    [18, () => changeUser(chance, tables)],
    [8, () => changeGroup(chance, tables)],
    [8, () => removeParent(chance, tables)],
    [8, () => addParent(chance, tables)],
    [5, () => swapNames(chance, tables)],
    [5, () => takeOverName(chance, tables)],
  ])
  return change()
}

function changeGrants(chance: Chance, tables: PolicyTables): PolicyChange[] {
  if (tables.projects.length === 0 || tables.users.length === 0) return []
  const removed = tables.grants.length > 22 || chance.happens(0.35)
  if (removed && tables.grants.length > 0) return [take('grant', tables.grants, chance.pick(tables.grants))]
  const grant = randomGrant(chance, tables)
  if (tables.grants.length > 0 && chance.happens(0.4)) {
    const old = chance.pick(tables.grants)
    return set('grant', tables.grants, { ...grant, id: old.id })
  }
  return set('grant', tables.grants, grant)
}

function changeMemberships(chance: Chance, tables: PolicyTables): PolicyChange[] {
  if (tables.groups.length === 0 || tables.users.length === 0) return []
  const removed = tables.memberships.length > 12 || chance.happens(0.35)
  if (removed && tables.memberships.length > 0) {
    return [take('membership', tables.memberships, chance.pick(tables.memberships))]
  }
  const membership = randomMembership(chance, tables)
  if (tables.memberships.length > 0 && chance.happens(0.4)) {
    const old = chance.pick(tables.memberships)
    return set('membership', tables.memberships, { ...membership, id: old.id })
  }
  return set('membership', tables.memberships, membership)
}

function changeUser(chance: Chance, tables: PolicyTables): PolicyChange[] {
  if (tables.users.length === 0) return []
  const user = { ...chance.pick(tables.users) }
  const free = LOGINS.filter((login) => !tables.users.some(({ username }) => username === login))
  const change = chance.pick(['active', 'superuser', 'general', 'name', 'anonymous'])
  if (change === 'active') {
    user.isActive = !user.isActive
    user.isDeleted = !user.isActive && !user.isAnonymous && chance.happens(0.3)
  }
  if (change === 'superuser') user.isSuperuser = !user.isSuperuser && !user.isAnonymous
  if (change === 'general') user.generalPermissions = user.generalPermissions.length > 0 ? [] : ['can_browse']
  if (change === 'anonymous') user.isAnonymous = mayBeAnonymous(tables, user) && !user.isAnonymous
  if (change === 'name') user.username = chance.pick(free)
  return set('user', tables.users, user)
}

/** The database keeps to one anonymous user, who is no superuser. */
function mayBeAnonymous(tables: PolicyTables, user: UserState): boolean {
  return !user.isSuperuser && !tables.users.some(({ id, isAnonymous }) => isAnonymous && id !== user.id)
}

function changeGroup(chance: Chance, tables: PolicyTables): PolicyChange[] {
  if (tables.groups.length === 0) return []
  const names = [...tables.users.map(({ username }) => username), ...PLAIN_GROUPS]
  const free = names.filter((taken) => !tables.groups.some(({ name }) => name === taken))
  return free.length > 0 ? set('group', tables.groups, { ...chance.pick(tables.groups), name: chance.pick(free) }) : []
}

/** Two users change names by way of a third, in one transaction. */
function swapNames(chance: Chance, tables: PolicyTables): PolicyChange[] {
  const [one, other] = chance.shuffled(tables.users)
  if (!one || !other) return []
  return [
    ...set('user', tables.users, { ...one, username: 'between names' }),
    ...set('user', tables.users, { ...other, username: one.username }),
    ...set('user', tables.users, { ...one, username: other.username }),
  ]
}

/** A user or group goes, and another takes its name, in one transaction. */
function takeOverName(chance: Chance, tables: PolicyTables): PolicyChange[] {
  const isUser = chance.happens(0.5)
  const [gone, heir] = chance.shuffled<UserState | GroupState>(isUser ? tables.users : tables.groups)
  if (!gone || !heir) return []
  const removed = remove(chance, tables, isUser ? 'user' : 'group', gone.id)
  if ('username' in gone)
    return [...removed, ...set('user', tables.users, { ...(heir as UserState), username: gone.username })]
  return [...removed, ...set('group', tables.groups, { ...(heir as GroupState), name: gone.name })]
}

function addParent(chance: Chance, tables: PolicyTables): PolicyChange[] {
  const free = (rows: readonly { id: number }[]) => IDS.filter((taken) => !rows.some(({ id }) => id === taken))
  const kind = chance.pick(['user', 'group', 'project'])
  if (kind === 'project' && tables.projects.length < 4) {
    return set('project', tables.projects, { id: chance.pick(free(tables.projects)), title: 'new' })
  }
  if (kind === 'group' && tables.groups.length < 8) {
    const logins = tables.users.map(({ username }) => username)
    const names = [...logins, 'painters'].filter((taken) => !tables.groups.some(({ name }) => name === taken))
    if (names.length === 0) return []
    return set('group', tables.groups, { id: chance.pick(free(tables.groups)), name: chance.pick(names) })
  }
  if (tables.users.length >= 6) return []
  const logins = LOGINS.filter((login) => !tables.users.some(({ username }) => username === login))
  return set('user', tables.users, {
    id: chance.pick(free(tables.users)),
    username: chance.pick(logins),
    isActive: chance.happens(0.9),
    isSuperuser: chance.happens(0.1),
    isAnonymous: !tables.users.some(({ isAnonymous }) => isAnonymous) && chance.happens(0.3),
    generalPermissions: [],
    isDeleted: false,
  }).map(withoutAnonymousSuperuser)
}

function withoutAnonymousSuperuser(change: PolicyChange): PolicyChange {
  if (change.kind === 'user' && change.state?.isAnonymous) change.state.isSuperuser = false
  return change
}

function removeParent(chance: Chance, tables: PolicyTables): PolicyChange[] {
  const kind = chance.pick(['user', 'group', 'project'] as const)
  const rows: { id: number }[] = tables[`${kind}s`]
  return rows.length < 2 ? [] : remove(chance, tables, kind, chance.pick(rows).id)
}

/** A user, group or project goes, and with it what refers to it. */
function remove(chance: Chance, tables: PolicyTables, kind: 'user' | 'group' | 'project', id: number): PolicyChange[] {
  const refers = (row: MembershipState | GrantState) => row[`${kind}Id`] === id
  const children = [
    ...tables.grants.filter(refers).map((row) => take('grant', tables.grants, row)),
    ...tables.memberships.filter(refers).map((row) => take('membership', tables.memberships, row)),
  ]
  const parent = removeRow(kind, tables[`${kind}s`], id)
  return chance.happens(0.5) ? [parent, ...children] : [...children, parent]
}

function take<Row extends { id: number }>(kind: PolicyChange['kind'], table: Row[], row: Row): PolicyChange {
  return removeRow(kind, table, row.id)
}

function removeRow(kind: PolicyChange['kind'], table: { id: number }[], id: number): PolicyChange {
  table.splice(
    table.findIndex((row) => row.id === id),
    1,
  )
  return { kind, id, state: null }
}

/** Puts the row in place of the one with its id, or adds it; nothing when another row is equal but for the id. */
function set<Row extends { id: number }>(kind: PolicyChange['kind'], table: Row[], row: Row): PolicyChange[] {
  const others = table.filter(({ id }) => id !== row.id)
  if (kind !== 'project' && !addIfNew([...others], row)) return []
  const place = table.findIndex(({ id }) => id === row.id)
  if (place < 0) table.push(row)
  else table[place] = row
  return [{ kind, id: row.id, state: { ...row } } as unknown as PolicyChange]
}

/**
 * The smallest policy and request found that still `differs`, by leaving out rows and parts of the request one by one:
 * what a person wants to read when the engine and the rules disagree.
 */
export function smallest(
  tables: PolicyTables,
  request: OracleRequest,
  differs: (tables: PolicyTables, request: OracleRequest) => boolean,
): { tables: PolicyTables; request: OracleRequest } {
  let best = { tables, request }
  for (let shrunk = true; shrunk; ) {
    shrunk = false
    for (const smaller of smallerThan(best.tables, best.request)) {
      if (!differs(smaller.tables, smaller.request)) continue
      best = smaller
      shrunk = true
      break
    }
  }
  return best
}

function smallerThan(tables: PolicyTables, request: OracleRequest) {
  const fewerRows = [...smallerTables(tables)].map((less) => ({ tables: less, request }))
  return [...fewerRows, ...[...smallerRequests(request)].map((less) => ({ tables, request: less }))]
}

function* smallerTables(tables: PolicyTables): Generator<PolicyTables> {
  for (const table of ['grants', 'memberships', 'groups', 'users', 'projects'] as const) {
    const rows: { id: number }[] = tables[table]
    for (const { id } of rows) {
      const less = { ...tables, [table]: rows.filter((row) => row.id !== id) }
      if (isWhole(less)) yield less
    }
  }
}

function* smallerRequests({ object, objects, via, ...bare }: OracleRequest): Generator<OracleRequest> {
  if (via !== undefined) yield { ...bare, ...(object && { object }), ...(objects && { objects }) }
  const viaAsBefore = via && { via }
  if (object || objects) yield { ...bare, ...viaAsBefore }
  for (const one of objects ?? []) yield { ...bare, object: one, ...viaAsBefore }
  if (object?.importer !== undefined) yield { ...bare, object: { creator: object.creator }, ...viaAsBefore }
}

/** Whether every row that a row refers to is there. */
function isWhole(tables: PolicyTables): boolean {
  const has = (rows: readonly { id: number }[], wanted: number | null) =>
    wanted === null || rows.some(({ id }) => id === wanted)
  return [...tables.memberships, ...tables.grants].every(
    (row) => has(tables.users, row.userId) && has(tables.groups, row.groupId) && has(tables.projects, row.projectId),
  )
}
