/**
 * The decision rules D1–D10 of docs/decision-rules.md, said once more as plainly as possible over plain tables.
 *
 * This is the witness against the engine, so it shares nothing with it but the shapes of the rows: no model, no rule
 * files, no matcher functions, no index. It is slow on purpose: every question is answered by reading whole tables.
 */
import {
  type GrantState,
  type MembershipState,
  PERMISSIONS,
  type Permission,
  type PolicyTables,
  type UserState,
} from '../../src/decision/policy-state.ts'

/** An object as a check names it: logins or ids; `creator: null` is the anonymous user. */
export type OracleObject = { creator: string | number | null; importer?: string | number }

/** A check, in the form of the interface. */
export type OracleRequest = {
  user: string | number | null
  project: number
  permission: string
  object?: OracleObject
  objects?: OracleObject[]
  via?: 'session' | 'token'
}

/** The reasons of D1 in the order of D1, and `allowed`. */
export type OracleReason =
  | 'allowed'
  | 'unknown_user'
  | 'inactive'
  | 'unknown_project'
  | 'unknown_permission'
  | 'denied'
  | 'anonymous_not_admitted'
  | 'no_grant'
  | 'token_not_granted'
  | 'unknown_creator'
  | 'not_creator_group'

/** What the rules say to one request. */
export type OracleAnswer = { allowed: boolean; reason: OracleReason }

/**
 * Every sentence of the rules that can be left out by itself. Leaving one out shows where it is decisive: where the
 * answer or its reason changes. The text says what holds when it is *not* left out.
 */
export const SENTENCES = {
  'D1 a grant is needed': 'D1',
  'D1 an unknown user is denied': 'D1',
  'D1 an unknown project is denied': 'D1',
  'D1 an unknown permission is denied': 'D1',
  'D2 an inactive user is denied everything': 'D2',
  'D3 grants to a group count for its members': 'D3',
  'D3 grants count only while in force': 'D3',
  'D3 a limited membership counts only in its project': 'D3',
  'D4 a deny beats every allow': 'D4',
  'D4 a deny covers what its permission implies': 'D4',
  'D4 a deny beats a superuser': 'D4',
  'D5 a superuser has every permission': 'D5',
  'D6 can_administer implies five permissions': 'D6',
  'D7 anonymous needs the general permission': 'D7',
  'D7 anonymous has no token': 'D7',
  'D8 a token needs its own grant': 'D8',
  'D8 can_browse needs no token grant': 'D8',
  'D8 nothing replaces the token grant': 'D8',
  'D8 the token grant is itself denied by a deny': 'D8',
  'D9 objects are asked about': 'D9',
  'D9 the creator may edit': 'D9',
  'D9 the group named like the creator may edit': 'D9',
  'D9 the importer may edit': 'D9',
  'D9 the group named like the importer may edit': 'D9',
  'D9 a superuser may edit': 'D9',
  'D9 a creator never known opens nothing': 'D9',
  'D9 a limited membership counts only in its project': 'D9',
  'D9 names compare exactly': 'D9',
  'D9 can_administer does not open the data of others': 'D9',
  'D9 every object must pass': 'D9',
  'D10 visible is where can_browse is allowed': 'D10',
} as const

/** One sentence of the rules, by its text. */
export type Sentence = keyof typeof SENTENCES

/** One of the ten rules. */
export type Rule = (typeof SENTENCES)[Sentence]

/** Sentences in the order of {@link SENTENCES}. */
export const ALL_SENTENCES = Object.keys(SENTENCES) as Sentence[]

const IMPLIED_BY_ADMINISTER: readonly string[] = [
  'can_annotate',
  'can_browse',
  'can_import',
  'can_queue_compute_task',
  'can_fork',
]

const NOTHING_OFF: ReadonlySet<Sentence> = new Set()

/** Decides by D1–D9, but for the sentences in `off`. */
export function oracle(
  tables: PolicyTables,
  request: OracleRequest,
  instant: number,
  off: ReadonlySet<Sentence> = NOTHING_OFF,
): OracleAnswer {
  const reason = reasonOf({ tables, request, instant, off })
  return { allowed: reason === 'allowed', reason }
}

type Case = {
  tables: PolicyTables
  request: OracleRequest
  instant: number
  off: ReadonlySet<Sentence>
}

/** A user without a row: what the rules would see if D1 did not stop the unknown. */
const NOBODY: UserState = {
  id: -1,
  username: '',
  isActive: true,
  isSuperuser: false,
  isAnonymous: false,
  generalPermissions: [],
  isDeleted: false,
}

function reasonOf(it: Case): OracleReason {
  const user = userCalled(it.tables, it.request.user)
  return unknownOrInactive(it, user) ?? refusal(it, user ?? NOBODY)
}

/** The first four reasons of D1. */
function unknownOrInactive({ tables, request, off }: Case, user: UserState | undefined): OracleReason | null {
  const projectExists = tables.projects.some((project) => project.id === request.project)
  const permissionExists = PERMISSIONS.some((permission) => permission === request.permission)
  if (!user && !off.has('D1 an unknown user is denied')) return 'unknown_user'
  if (user?.isActive === false && !off.has('D2 an inactive user is denied everything')) return 'inactive'
  if (!projectExists && !off.has('D1 an unknown project is denied')) return 'unknown_project'
  if (!permissionExists && !off.has('D1 an unknown permission is denied')) return 'unknown_permission'
  return null
}

/** The reasons of D1 that follow from policy, or `allowed`. */
function refusal(it: Case, user: UserState): OracleReason {
  if (isDenied(it, user, it.request.permission)) return 'denied'
  if (!isAdmitted(it, user)) return 'anonymous_not_admitted'
  if (!isGranted(it, user)) return 'no_grant'
  if (!tokenMay(it, user)) return 'token_not_granted'
  return objectsReason(it, user)
}

function userCalled(tables: PolicyTables, name: string | number | null | undefined): UserState | undefined {
  if (name === undefined) return undefined
  if (name === null) return tables.users.find((user) => user.isAnonymous)
  if (typeof name === 'number') return tables.users.find((user) => user.id === name)
  return tables.users.find((user) => user.username === name)
}

/** D3: the memberships of the user that count in the project asked about. */
function membershipsOf(it: Case, user: UserState, limit: Sentence): MembershipState[] {
  return it.tables.memberships.filter(
    (membership) =>
      membership.userId === user.id &&
      (membership.projectId === null || membership.projectId === it.request.project || it.off.has(limit)),
  )
}

/** D3: the grants on the project asked about that the user holds, directly or by a group, at the instant. */
function grantsOf(it: Case, user: UserState): GrantState[] {
  const groupIds = it.off.has('D3 grants to a group count for its members')
    ? []
    : membershipsOf(it, user, 'D3 a limited membership counts only in its project').map(({ groupId }) => groupId)
  return it.tables.grants.filter((grant) => {
    const held =
      (grant.userId !== null && grant.userId === user.id) ||
      (grant.groupId !== null && groupIds.includes(grant.groupId))
    const begun = grant.validFrom === null || grant.validFrom <= it.instant
    const ended = grant.validUntil !== null && grant.validUntil <= it.instant
    const inForce = (begun && !ended) || it.off.has('D3 grants count only while in force')
    return held && grant.projectId === it.request.project && inForce
  })
}

/** D6 */
function covers(it: Case, named: string, asked: string): boolean {
  if (named === asked) return true
  if (it.off.has('D6 can_administer implies five permissions')) return false
  return named === 'can_administer' && IMPLIED_BY_ADMINISTER.includes(asked)
}

/** D4 */
function isDenied(it: Case, user: UserState, permission: string): boolean {
  if (it.off.has('D4 a deny beats every allow')) return false
  if (user.isSuperuser && it.off.has('D4 a deny beats a superuser')) return false
  const namedOnly = it.off.has('D4 a deny covers what its permission implies')
  return grantsOf(it, user).some(
    (grant) =>
      grant.effect === 'deny' &&
      (namedOnly ? grant.permission === permission : covers(it, grant.permission, permission)),
  )
}

/** D7 */
function isAdmitted(it: Case, user: UserState): boolean {
  if (!user.isAnonymous) return true
  if (it.request.via === 'token' && !it.off.has('D7 anonymous has no token')) return false
  return user.generalPermissions.includes('can_browse') || it.off.has('D7 anonymous needs the general permission')
}

/** D3, D5, D6; and D10 left out reads "visible" as CATMAID's list did: any grant at all shows the project. */
function isGranted(it: Case, user: UserState): boolean {
  if (it.off.has('D1 a grant is needed')) return true
  if (user.isSuperuser && !it.off.has('D5 a superuser has every permission')) return true
  const anyShows = it.off.has('D10 visible is where can_browse is allowed') && it.request.permission === 'can_browse'
  return grantsOf(it, user).some(
    (grant) => grant.effect === 'allow' && (anyShows || covers(it, grant.permission, it.request.permission)),
  )
}

/** D8 */
function tokenMay(it: Case, user: UserState): boolean {
  if (it.request.via !== 'token' || it.off.has('D8 a token needs its own grant')) return true
  if (it.request.permission === 'can_browse' && !it.off.has('D8 can_browse needs no token grant')) return true
  const grants = grantsOf(it, user)
  const named = (permission: Permission, effect: string) =>
    grants.some((grant) => grant.permission === permission && grant.effect === effect)
  if (!it.off.has('D8 the token grant is itself denied by a deny') && named('can_annotate_with_token', 'deny')) {
    return false
  }
  if (named('can_annotate_with_token', 'allow')) return true
  return it.off.has('D8 nothing replaces the token grant') && (user.isSuperuser || named('can_administer', 'allow'))
}

/** D9: of several failing objects the reason that stands first in D1. */
function objectsReason(it: Case, user: UserState): OracleReason {
  const { request, off } = it
  if (request.permission !== 'can_annotate' || off.has('D9 objects are asked about')) return 'allowed'
  const objects = request.objects ?? (request.object ? [request.object] : [])
  const reasons = objects.map((object) => objectReason(it, user, object))
  if (off.has('D9 every object must pass') && reasons.includes('allowed')) return 'allowed'
  if (reasons.includes('unknown_creator')) return 'unknown_creator'
  return reasons.includes('not_creator_group') ? 'not_creator_group' : 'allowed'
}

function objectReason(it: Case, user: UserState, object: OracleObject): OracleReason {
  const { tables, off } = it
  const creator = userCalled(tables, object.creator)
  if (opensEverything(it, user) || createdOrImported(it, user, object)) return 'allowed'
  if (creator) return 'not_creator_group'
  if (!off.has('D9 a creator never known opens nothing')) return 'unknown_creator'
  return groupNamesOf(it, user).includes(String(object.creator)) ? 'allowed' : 'not_creator_group'
}

function opensEverything(it: Case, user: UserState): boolean {
  if (user.isSuperuser && !it.off.has('D9 a superuser may edit')) return true
  return it.off.has('D9 can_administer does not open the data of others') && holdsAdminister(it, user)
}

function createdOrImported(it: Case, user: UserState, object: OracleObject): boolean {
  const { tables, off } = it
  const creator = userCalled(tables, object.creator)
  const importer = userCalled(tables, object.importer)
  const created = creator?.id === user.id
  const imported = importer?.id === user.id
  const besideCreator = creator !== undefined && inGroupNamed(it, user, creator.username)
  const besideImporter = importer !== undefined && inGroupNamed(it, user, importer.username)
  return (
    (created && !off.has('D9 the creator may edit')) ||
    (besideCreator && !off.has('D9 the group named like the creator may edit')) ||
    (imported && !off.has('D9 the importer may edit')) ||
    (besideImporter && !off.has('D9 the group named like the importer may edit'))
  )
}

function inGroupNamed(it: Case, user: UserState, name: string): boolean {
  const folded = (text: string) => text.trim().toLowerCase()
  const groups = groupNamesOf(it, user)
  if (!it.off.has('D9 names compare exactly')) return groups.includes(name)
  return groups.some((group) => folded(group) === folded(name))
}

function holdsAdminister(it: Case, user: UserState): boolean {
  return grantsOf(it, user).some((grant) => grant.permission === 'can_administer' && grant.effect === 'allow')
}

function groupNamesOf(it: Case, user: UserState): string[] {
  const memberships = membershipsOf(it, user, 'D9 a limited membership counts only in its project')
  return it.tables.groups
    .filter((group) => memberships.some((membership) => membership.groupId === group.id))
    .map((group) => group.name)
}

/** D10: ids of the projects on which the user has the permission, by checking one by one, ascending. */
export function oracleProjectsOf(
  tables: PolicyTables,
  userId: number,
  permission: string,
  via: 'session' | 'token',
  instant: number,
): number[] {
  return tables.projects
    .map(({ id }) => id)
    .filter((project) => oracle(tables, { user: userId, project, permission, via }, instant).allowed)
    .sort((a, b) => a - b)
}

/** What the user may do in the project, by checking one by one, in the order of {@link PERMISSIONS}. */
export function oraclePermissionsOf(
  tables: PolicyTables,
  userId: number,
  project: number,
  via: 'session' | 'token',
  instant: number,
): Permission[] {
  return PERMISSIONS.filter((permission) => oracle(tables, { user: userId, project, permission, via }, instant).allowed)
}

/** Ids of the users who have the permission on the project, by checking one by one, ascending. */
export function oracleUsersOf(
  tables: PolicyTables,
  project: number,
  permission: string,
  via: 'session' | 'token',
  instant: number,
): number[] {
  return tables.users
    .map(({ id }) => id)
    .filter((user) => oracle(tables, { user, project, permission, via }, instant).allowed)
    .sort((a, b) => a - b)
}
