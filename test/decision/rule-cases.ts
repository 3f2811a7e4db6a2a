/**
 * Hand-made cases for every sentence of D1–D10: what a person reading the rules would expect, one row a sentence.
 *
 * Each row stands on one small laboratory plus the grants and memberships that it names, so that it can be asked of
 * the oracle, the engine, Casbin's own Enforcer or a running service alike.
 */
import type {
  GrantState,
  MembershipState,
  Permission,
  PolicyTables,
  UserState,
} from '../../src/decision/policy-state.ts'
import type { OracleReason, OracleRequest, Rule } from './oracle.ts'
import { INSTANT } from './random-world.ts'

/** `group:<name>` or a login; what; on which project; and how. Times are milliseconds after {@link INSTANT}. */
export type CaseGrant = [
  principal: string,
  permission: Permission,
  project: number,
  how?: { deny?: true; from?: number; until?: number },
]
/** A login, a group's name, and the one project it is limited to. */
export type CaseMembership = [login: string, group: string, project?: number]

/** One sentence of a rule with a request that it decides. `at` is milliseconds after {@link INSTANT}. */
export type RuleCase = {
  rule: Rule
  says: string
  grants?: CaseGrant[]
  members?: CaseMembership[]
  anonymousLacksGeneralPermission?: true
  request: OracleRequest
  at?: number
  reason: OracleReason
}

const PERSON = { isActive: true, isSuperuser: false, isAnonymous: false, generalPermissions: [], isDeleted: false }

const USERS: UserState[] = [
  { ...PERSON, id: 1, username: 'anonymous', isAnonymous: true, generalPermissions: ['can_browse'] },
  { ...PERSON, id: 2, username: 'alice' },
  { ...PERSON, id: 3, username: 'bob' },
  { ...PERSON, id: 4, username: 'carol' },
  { ...PERSON, id: 5, username: 'idle', isActive: false },
  { ...PERSON, id: 6, username: 'root', isSuperuser: true },
  { ...PERSON, id: 7, username: 'oldroot', isSuperuser: true, isActive: false },
  { ...PERSON, id: 8, username: 'gone', isActive: false, isDeleted: true },
  { ...PERSON, id: 9, username: 'nine' },
  { ...PERSON, id: 10, username: '9' },
  { ...PERSON, id: 11, username: 'general', generalPermissions: ['can_browse'] },
]

const GROUPS = [
  'tracers',
  'bob',
  'carol',
  'gone',
  'Bob',
  'bob ',
  'alice',
  'stranger',
  'nine',
  '9',
  'anonymous',
  'idle',
].map((name, place) => ({ id: place + 1, name }))

const PROJECTS = [
  { id: 1, title: 'larva' },
  { id: 2, title: 'adult' },
]

/** The tables that a case stands on. */
export function tablesOf(ruleCase: RuleCase): PolicyTables {
  const users = USERS.map((user) =>
    user.isAnonymous && ruleCase.anonymousLacksGeneralPermission ? { ...user, generalPermissions: [] } : { ...user },
  )
  const userId = (login: string) => idOf(users, ({ username }) => username === login, login)
  const groupId = (group: string) => idOf(GROUPS, ({ name }) => name === group, group)
  const memberships = (ruleCase.members ?? []).map(
    ([login, group, project], place): MembershipState => ({
      id: place + 1,
      userId: userId(login),
      groupId: groupId(group),
      projectId: project ?? null,
    }),
  )
  const grants = (ruleCase.grants ?? []).map(([principal, permission, projectId, how], place): GrantState => {
    const group = principal.startsWith('group:') ? principal.slice('group:'.length) : null
    return {
      id: place + 1,
      userId: group === null ? userId(principal) : null,
      groupId: group === null ? null : groupId(group),
      projectId,
      permission,
      effect: how?.deny ? 'deny' : 'allow',
      validFrom: how?.from === undefined ? null : INSTANT + how.from,
      validUntil: how?.until === undefined ? null : INSTANT + how.until,
    }
  })
  return {
    users,
    groups: structuredClone(GROUPS),
    projects: structuredClone(PROJECTS),
    memberships,
    grants,
    serviceKeys: [],
  }
}

function idOf<Row extends { id: number }>(rows: Row[], wanted: (row: Row) => boolean, name: string): number {
  const row = rows.find(wanted)
  if (!row) throw new Error(`the laboratory has no ${name}`)
  return row.id
}

const ask = (user: string | number | null, permission: string, more: Partial<OracleRequest> = {}): OracleRequest => ({
  user,
  project: 1,
  permission,
  ...more,
})
const edit = (user: string | number | null, creator: string | number | null, importer?: string | number) =>
  ask(user, 'can_annotate', { object: importer === undefined ? { creator } : { creator, importer } })
const byToken = (user: string | number | null, permission: string): OracleRequest =>
  ask(user, permission, { via: 'token' })

const BROWSE: CaseGrant = ['alice', 'can_browse', 1]
const ANNOTATE: CaseGrant = ['alice', 'can_annotate', 1]
const ADMINISTER: CaseGrant = ['alice', 'can_administer', 1]
const TOKEN: CaseGrant = ['alice', 'can_annotate_with_token', 1]
const PUBLIC: CaseGrant = ['anonymous', 'can_browse', 1]

const D1: RuleCase[] = [
  { rule: 'D1', says: 'no grant at all is a deny', request: ask('alice', 'can_browse'), reason: 'no_grant' },
  {
    rule: 'D1',
    says: 'a grant of another permission is none',
    grants: [ANNOTATE],
    request: ask('alice', 'can_browse'),
    reason: 'no_grant',
  },
  {
    rule: 'D1',
    says: 'a grant on another project is none',
    grants: [['alice', 'can_browse', 2]],
    request: ask('alice', 'can_browse'),
    reason: 'no_grant',
  },
  {
    rule: 'D1',
    says: "another user's grant is none",
    grants: [['bob', 'can_browse', 1]],
    request: ask('alice', 'can_browse'),
    reason: 'no_grant',
  },
  {
    rule: 'D1',
    says: 'a matching grant is an allow',
    grants: [BROWSE],
    request: ask('alice', 'can_browse'),
    reason: 'allowed',
  },
  { rule: 'D1', says: 'a user is found by id too', grants: [BROWSE], request: ask(2, 'can_browse'), reason: 'allowed' },
  { rule: 'D1', says: 'an unknown login is a deny', request: ask('mallory', 'can_browse'), reason: 'unknown_user' },
  { rule: 'D1', says: 'an unknown id is a deny', request: ask(99, 'can_browse'), reason: 'unknown_user' },
  {
    rule: 'D1',
    says: 'logins compare exactly',
    grants: [BROWSE],
    request: ask('Alice', 'can_browse'),
    reason: 'unknown_user',
  },
  {
    rule: 'D1',
    says: 'a login with a space beside it is another',
    grants: [BROWSE],
    request: ask('alice ', 'can_browse'),
    reason: 'unknown_user',
  },
  {
    rule: 'D1',
    says: 'an id written as text is a login',
    grants: [BROWSE],
    request: ask('2', 'can_browse'),
    reason: 'unknown_user',
  },
  {
    rule: 'D1',
    says: 'a login of digits is not the id',
    grants: [['9', 'can_browse', 1]],
    request: ask(9, 'can_browse'),
    reason: 'no_grant',
  },
  {
    rule: 'D1',
    says: 'a login of digits is found as text',
    grants: [['9', 'can_browse', 1]],
    request: ask('9', 'can_browse'),
    reason: 'allowed',
  },
  {
    rule: 'D1',
    says: 'a group is no user',
    grants: [['group:tracers', 'can_browse', 1]],
    request: ask('tracers', 'can_browse'),
    reason: 'unknown_user',
  },
  {
    rule: 'D1',
    says: 'an unknown project is a deny',
    grants: [BROWSE],
    request: ask('alice', 'can_browse', { project: 3 }),
    reason: 'unknown_project',
  },
  {
    rule: 'D1',
    says: 'an unknown permission is a deny',
    grants: [ADMINISTER],
    request: ask('alice', 'can_fly'),
    reason: 'unknown_permission',
  },
  {
    rule: 'D1',
    says: 'an unknown permission is a deny to superusers',
    request: ask('root', 'everything'),
    reason: 'unknown_permission',
  },
  {
    rule: 'D1',
    says: 'permission names compare exactly',
    grants: [BROWSE],
    request: ask('alice', 'Can_browse'),
    reason: 'unknown_permission',
  },
  {
    rule: 'D1',
    says: 'the user is asked about before the project',
    request: ask('mallory', 'can_fly', { project: 3 }),
    reason: 'unknown_user',
  },
  {
    rule: 'D1',
    says: 'activity is asked about before the project',
    request: ask('idle', 'can_fly', { project: 3 }),
    reason: 'inactive',
  },
  {
    rule: 'D1',
    says: 'the project is asked about before the permission',
    request: ask('alice', 'can_fly', { project: 3 }),
    reason: 'unknown_project',
  },
  {
    rule: 'D1',
    says: 'a deny is named before a missing grant',
    grants: [['alice', 'can_browse', 1, { deny: true }]],
    request: ask('alice', 'can_browse'),
    reason: 'denied',
  },
  {
    rule: 'D1',
    says: 'a missing grant is named before the token',
    request: byToken('alice', 'can_annotate'),
    reason: 'no_grant',
  },
  {
    rule: 'D1',
    says: 'the token is named before the object',
    grants: [ANNOTATE],
    request: { ...edit('alice', 'bob'), via: 'token' },
    reason: 'token_not_granted',
  },
]

const D2: RuleCase[] = [
  {
    rule: 'D2',
    says: 'an inactive user is denied what is granted',
    grants: [['idle', 'can_browse', 1]],
    request: ask('idle', 'can_browse'),
    reason: 'inactive',
  },
  { rule: 'D2', says: 'an inactive superuser is denied', request: ask('oldroot', 'can_browse'), reason: 'inactive' },
  {
    rule: 'D2',
    says: 'a deleted user is inactive',
    grants: [['gone', 'can_browse', 1]],
    request: ask('gone', 'can_browse'),
    reason: 'inactive',
  },
  { rule: 'D2', says: 'a deleted user is inactive by id too', request: ask(8, 'can_browse'), reason: 'inactive' },
  {
    rule: 'D2',
    says: 'inactivity is named before a deny',
    grants: [['idle', 'can_browse', 1, { deny: true }]],
    request: ask('idle', 'can_browse'),
    reason: 'inactive',
  },
]

const D3: RuleCase[] = [
  {
    rule: 'D3',
    says: 'a grant to a group counts for its members',
    grants: [['group:tracers', 'can_browse', 1]],
    members: [['alice', 'tracers']],
    request: ask('alice', 'can_browse'),
    reason: 'allowed',
  },
  {
    rule: 'D3',
    says: 'a grant to a group does not count for others',
    grants: [['group:tracers', 'can_browse', 1]],
    members: [['bob', 'tracers']],
    request: ask('alice', 'can_browse'),
    reason: 'no_grant',
  },
  {
    rule: 'D3',
    says: 'a group with the id of the user is not the user',
    grants: [['group:bob', 'can_browse', 1]],
    request: ask('alice', 'can_browse'),
    reason: 'no_grant',
  },
  {
    rule: 'D3',
    says: 'a grant begins at validFrom',
    grants: [['alice', 'can_browse', 1, { from: 0 }]],
    request: ask('alice', 'can_browse'),
    reason: 'allowed',
  },
  {
    rule: 'D3',
    says: 'a grant does not count a millisecond before',
    grants: [['alice', 'can_browse', 1, { from: 1 }]],
    request: ask('alice', 'can_browse'),
    reason: 'no_grant',
  },
  {
    rule: 'D3',
    says: 'a grant ends at validUntil',
    grants: [['alice', 'can_browse', 1, { until: 0 }]],
    request: ask('alice', 'can_browse'),
    reason: 'no_grant',
  },
  {
    rule: 'D3',
    says: 'a grant counts until a millisecond before',
    grants: [['alice', 'can_browse', 1, { until: 1 }]],
    request: ask('alice', 'can_browse'),
    reason: 'allowed',
  },
  {
    rule: 'D3',
    says: 'the instant is the one of the request',
    grants: [['alice', 'can_browse', 1, { from: 0, until: 1000 }]],
    request: ask('alice', 'can_browse'),
    at: 1000,
    reason: 'no_grant',
  },
  {
    rule: 'D3',
    says: 'a deny that has expired denies nothing',
    grants: [BROWSE, ['alice', 'can_browse', 1, { deny: true, until: 0 }]],
    request: ask('alice', 'can_browse'),
    reason: 'allowed',
  },
  {
    rule: 'D3',
    says: 'a deny that has not begun denies nothing',
    grants: [BROWSE, ['alice', 'can_browse', 1, { deny: true, from: 1 }]],
    request: ask('alice', 'can_browse'),
    reason: 'allowed',
  },
  {
    rule: 'D3',
    says: 'a deny in force denies',
    grants: [BROWSE, ['alice', 'can_browse', 1, { deny: true, from: 0, until: 1 }]],
    request: ask('alice', 'can_browse'),
    reason: 'denied',
  },
  {
    rule: 'D3',
    says: 'a limited membership counts in its project',
    grants: [['group:tracers', 'can_browse', 1]],
    members: [['alice', 'tracers', 1]],
    request: ask('alice', 'can_browse'),
    reason: 'allowed',
  },
  {
    rule: 'D3',
    says: 'a limited membership does not count elsewhere',
    grants: [['group:tracers', 'can_browse', 1]],
    members: [['alice', 'tracers', 2]],
    request: ask('alice', 'can_browse'),
    reason: 'no_grant',
  },
  {
    rule: 'D3',
    says: 'of several memberships each counts by itself',
    grants: [['group:tracers', 'can_browse', 1]],
    members: [
      ['alice', 'tracers', 2],
      ['alice', 'tracers', 1],
    ],
    request: ask('alice', 'can_browse'),
    reason: 'allowed',
  },
  {
    rule: 'D3',
    says: 'a limited membership does not narrow one everywhere',
    grants: [['group:tracers', 'can_browse', 1]],
    members: [
      ['alice', 'tracers', 2],
      ['alice', 'tracers'],
    ],
    request: ask('alice', 'can_browse'),
    reason: 'allowed',
  },
  {
    rule: 'D3',
    says: 'a deny to a group counts for limited members only in their project',
    grants: [BROWSE, ['group:tracers', 'can_browse', 1, { deny: true }]],
    members: [['alice', 'tracers', 2]],
    request: ask('alice', 'can_browse'),
    reason: 'allowed',
  },
]

const D4: RuleCase[] = [
  {
    rule: 'D4',
    says: 'a deny beats an allow of the same user',
    grants: [BROWSE, ['alice', 'can_browse', 1, { deny: true }]],
    request: ask('alice', 'can_browse'),
    reason: 'denied',
  },
  {
    rule: 'D4',
    says: "a group's deny beats the user's allow",
    grants: [BROWSE, ['group:tracers', 'can_browse', 1, { deny: true }]],
    members: [['alice', 'tracers']],
    request: ask('alice', 'can_browse'),
    reason: 'denied',
  },
  {
    rule: 'D4',
    says: "the user's deny beats a group's allow",
    grants: [
      ['group:tracers', 'can_browse', 1],
      ['alice', 'can_browse', 1, { deny: true }],
    ],
    members: [['alice', 'tracers']],
    request: ask('alice', 'can_browse'),
    reason: 'denied',
  },
  {
    rule: 'D4',
    says: 'a deny beats a superuser',
    grants: [['root', 'can_browse', 1, { deny: true }]],
    request: ask('root', 'can_browse'),
    reason: 'denied',
  },
  {
    rule: 'D4',
    says: "a group's deny beats a superuser",
    grants: [['group:tracers', 'can_browse', 1, { deny: true }]],
    members: [['root', 'tracers']],
    request: ask('root', 'can_browse'),
    reason: 'denied',
  },
  ...(
    ['can_administer', 'can_annotate', 'can_browse', 'can_import', 'can_queue_compute_task', 'can_fork'] as const
  ).map(
    (permission): RuleCase => ({
      rule: 'D4',
      says: `denying can_administer refuses ${permission}`,
      grants: [
        ['alice', permission, 1],
        ['alice', 'can_administer', 1, { deny: true }],
      ],
      request: ask('alice', permission),
      reason: 'denied',
    }),
  ),
  {
    rule: 'D4',
    says: 'denying can_administer refuses a superuser the six',
    grants: [['root', 'can_administer', 1, { deny: true }]],
    request: ask('root', 'can_fork'),
    reason: 'denied',
  },
  {
    rule: 'D4',
    says: 'denying can_administer does not refuse can_annotate_with_token',
    grants: [TOKEN, ['alice', 'can_administer', 1, { deny: true }]],
    request: ask('alice', 'can_annotate_with_token'),
    reason: 'allowed',
  },
  {
    rule: 'D4',
    says: 'denying can_browse refuses just that',
    grants: [ADMINISTER, ['alice', 'can_browse', 1, { deny: true }]],
    request: ask('alice', 'can_annotate'),
    reason: 'allowed',
  },
  {
    rule: 'D4',
    says: 'denying can_browse beats can_administer',
    grants: [ADMINISTER, ['alice', 'can_browse', 1, { deny: true }]],
    request: ask('alice', 'can_browse'),
    reason: 'denied',
  },
  {
    rule: 'D4',
    says: 'a deny on another project denies nothing here',
    grants: [BROWSE, ['alice', 'can_browse', 2, { deny: true }]],
    request: ask('alice', 'can_browse'),
    reason: 'allowed',
  },
]

const D5: RuleCase[] = [
  ...(
    [
      'can_administer',
      'can_annotate',
      'can_browse',
      'can_import',
      'can_queue_compute_task',
      'can_annotate_with_token',
      'can_fork',
    ] as const
  ).map(
    (permission): RuleCase => ({
      rule: 'D5',
      says: `a superuser has ${permission}`,
      request: ask('root', permission),
      reason: 'allowed',
    }),
  ),
  {
    rule: 'D5',
    says: 'a superuser has nothing on a project that is not there',
    request: ask('root', 'can_browse', { project: 3 }),
    reason: 'unknown_project',
  },
]

const D6: RuleCase[] = [
  ...(['can_annotate', 'can_browse', 'can_import', 'can_queue_compute_task', 'can_fork'] as const).map(
    (permission): RuleCase => ({
      rule: 'D6',
      says: `can_administer satisfies ${permission}`,
      grants: [ADMINISTER],
      request: ask('alice', permission),
      reason: 'allowed',
    }),
  ),
  {
    rule: 'D6',
    says: 'can_administer does not satisfy can_annotate_with_token',
    grants: [ADMINISTER],
    request: ask('alice', 'can_annotate_with_token'),
    reason: 'no_grant',
  },
  {
    rule: 'D6',
    says: 'can_annotate does not give can_browse',
    grants: [ANNOTATE],
    request: ask('alice', 'can_browse'),
    reason: 'no_grant',
  },
  {
    rule: 'D6',
    says: 'can_annotate does not give can_administer',
    grants: [ANNOTATE],
    request: ask('alice', 'can_administer'),
    reason: 'no_grant',
  },
  {
    rule: 'D6',
    says: 'can_annotate_with_token does not give can_annotate',
    grants: [TOKEN],
    request: ask('alice', 'can_annotate'),
    reason: 'no_grant',
  },
]

const D7: RuleCase[] = [
  {
    rule: 'D7',
    says: 'anonymous with grant and general permission is admitted',
    grants: [PUBLIC],
    request: ask(null, 'can_browse'),
    reason: 'allowed',
  },
  {
    rule: 'D7',
    says: 'anonymous is the same by its login',
    grants: [PUBLIC],
    request: ask('anonymous', 'can_browse'),
    reason: 'allowed',
  },
  {
    rule: 'D7',
    says: 'anonymous is the same by its id',
    grants: [PUBLIC],
    request: ask(1, 'can_browse'),
    reason: 'allowed',
  },
  {
    rule: 'D7',
    says: 'anonymous without the general permission is not admitted',
    grants: [PUBLIC],
    anonymousLacksGeneralPermission: true,
    request: ask(null, 'can_browse'),
    reason: 'anonymous_not_admitted',
  },
  {
    rule: 'D7',
    says: 'nor by its login',
    grants: [PUBLIC],
    anonymousLacksGeneralPermission: true,
    request: ask('anonymous', 'can_browse'),
    reason: 'anonymous_not_admitted',
  },
  {
    rule: 'D7',
    says: 'the general permission is not had through a group',
    grants: [PUBLIC],
    members: [['anonymous', 'tracers']],
    anonymousLacksGeneralPermission: true,
    request: ask(null, 'can_browse'),
    reason: 'anonymous_not_admitted',
  },
  { rule: 'D7', says: 'anonymous needs the grant too', request: ask(null, 'can_browse'), reason: 'no_grant' },
  {
    rule: 'D7',
    says: 'anonymous may have any permission',
    grants: [['anonymous', 'can_annotate', 1]],
    request: ask(null, 'can_annotate'),
    reason: 'allowed',
  },
  {
    rule: 'D7',
    says: 'grants to groups of anonymous count',
    grants: [['group:tracers', 'can_browse', 1]],
    members: [['anonymous', 'tracers']],
    request: ask(null, 'can_browse'),
    reason: 'allowed',
  },
  {
    rule: 'D7',
    says: 'anonymous by token is denied reading',
    grants: [PUBLIC],
    request: byToken(null, 'can_browse'),
    reason: 'anonymous_not_admitted',
  },
  {
    rule: 'D7',
    says: 'anonymous by token is denied writing',
    grants: [
      ['anonymous', 'can_annotate', 1],
      ['anonymous', 'can_annotate_with_token', 1],
    ],
    request: byToken(null, 'can_annotate'),
    reason: 'anonymous_not_admitted',
  },
  {
    rule: 'D7',
    says: 'a deny is named before the missing admission',
    grants: [['anonymous', 'can_browse', 1, { deny: true }]],
    anonymousLacksGeneralPermission: true,
    request: ask(null, 'can_browse'),
    reason: 'denied',
  },
  {
    rule: 'D7',
    says: 'nobody else inherits its grants',
    grants: [PUBLIC],
    request: ask('alice', 'can_browse'),
    reason: 'no_grant',
  },
  {
    rule: 'D7',
    says: "another user's general permission has no effect",
    request: ask('general', 'can_browse'),
    reason: 'no_grant',
  },
  {
    rule: 'D7',
    says: 'other users do not need the general permission',
    grants: [BROWSE],
    request: ask('alice', 'can_browse'),
    reason: 'allowed',
  },
]

const D8: RuleCase[] = [
  {
    rule: 'D8',
    says: 'a token reads without a token grant',
    grants: [BROWSE],
    request: byToken('alice', 'can_browse'),
    reason: 'allowed',
  },
  {
    rule: 'D8',
    says: 'a token does not write without a token grant',
    grants: [ANNOTATE],
    request: byToken('alice', 'can_annotate'),
    reason: 'token_not_granted',
  },
  {
    rule: 'D8',
    says: 'a token writes with both',
    grants: [ANNOTATE, TOKEN],
    request: byToken('alice', 'can_annotate'),
    reason: 'allowed',
  },
  {
    rule: 'D8',
    says: 'the token grant alone is not enough',
    grants: [TOKEN],
    request: byToken('alice', 'can_annotate'),
    reason: 'no_grant',
  },
  {
    rule: 'D8',
    says: 'every other permission needs it',
    grants: [['alice', 'can_fork', 1]],
    request: byToken('alice', 'can_fork'),
    reason: 'token_not_granted',
  },
  {
    rule: 'D8',
    says: 'the permission to write by token is had by token',
    grants: [TOKEN],
    request: byToken('alice', 'can_annotate_with_token'),
    reason: 'allowed',
  },
  {
    rule: 'D8',
    says: 'the token grant may be held by a group',
    grants: [ANNOTATE, ['group:tracers', 'can_annotate_with_token', 1]],
    members: [['alice', 'tracers']],
    request: byToken('alice', 'can_annotate'),
    reason: 'allowed',
  },
  {
    rule: 'D8',
    says: 'the token grant must be on that project',
    grants: [ANNOTATE, ['alice', 'can_annotate_with_token', 2]],
    request: byToken('alice', 'can_annotate'),
    reason: 'token_not_granted',
  },
  {
    rule: 'D8',
    says: 'the token grant must be in force',
    grants: [ANNOTATE, ['alice', 'can_annotate_with_token', 1, { until: 0 }]],
    request: byToken('alice', 'can_annotate'),
    reason: 'token_not_granted',
  },
  {
    rule: 'D8',
    says: 'the membership that brings it must count here',
    grants: [ANNOTATE, ['group:tracers', 'can_annotate_with_token', 1]],
    members: [['alice', 'tracers', 2]],
    request: byToken('alice', 'can_annotate'),
    reason: 'token_not_granted',
  },
  {
    rule: 'D8',
    says: 'a deny of the token grant beats it',
    grants: [ANNOTATE, TOKEN, ['alice', 'can_annotate_with_token', 1, { deny: true }]],
    request: byToken('alice', 'can_annotate'),
    reason: 'token_not_granted',
  },
  {
    rule: 'D8',
    says: 'a deny of the token grant denies nothing by session',
    grants: [ANNOTATE, ['alice', 'can_annotate_with_token', 1, { deny: true }]],
    request: ask('alice', 'can_annotate'),
    reason: 'allowed',
  },
  {
    rule: 'D8',
    says: 'a deny of the token grant does not stop reading',
    grants: [BROWSE, ['alice', 'can_annotate_with_token', 1, { deny: true }]],
    request: byToken('alice', 'can_browse'),
    reason: 'allowed',
  },
  {
    rule: 'D8',
    says: 'can_administer does not replace it',
    grants: [ADMINISTER],
    request: byToken('alice', 'can_administer'),
    reason: 'token_not_granted',
  },
  {
    rule: 'D8',
    says: 'denying can_administer does not touch the token grant',
    grants: [
      ['root', 'can_annotate_with_token', 1],
      ['root', 'can_administer', 1, { deny: true }],
    ],
    request: byToken('root', 'can_annotate_with_token'),
    reason: 'allowed',
  },
  {
    rule: 'D8',
    says: 'superuser does not replace it',
    request: byToken('root', 'can_annotate'),
    reason: 'token_not_granted',
  },
  {
    rule: 'D8',
    says: 'not even for the permission itself',
    request: byToken('root', 'can_annotate_with_token'),
    reason: 'token_not_granted',
  },
  {
    rule: 'D8',
    says: 'a superuser with the token grant writes',
    grants: [['root', 'can_annotate_with_token', 1]],
    request: byToken('root', 'can_annotate'),
    reason: 'allowed',
  },
  { rule: 'D8', says: 'a superuser reads by token', request: byToken('root', 'can_browse'), reason: 'allowed' },
]

const D9: RuleCase[] = [
  { rule: 'D9', says: 'the user created it', grants: [ANNOTATE], request: edit('alice', 'alice'), reason: 'allowed' },
  { rule: 'D9', says: 'a creator may be an id', grants: [ANNOTATE], request: edit('alice', 2), reason: 'allowed' },
  { rule: 'D9', says: 'can_annotate is needed for own data too', request: edit('alice', 'alice'), reason: 'no_grant' },
  {
    rule: 'D9',
    says: 'somebody else created it',
    grants: [ANNOTATE],
    request: edit('alice', 'bob'),
    reason: 'not_creator_group',
  },
  {
    rule: 'D9',
    says: 'a member of the group named like the creator',
    grants: [ANNOTATE],
    members: [['alice', 'bob']],
    request: edit('alice', 'bob'),
    reason: 'allowed',
  },
  {
    rule: 'D9',
    says: 'that holds for the id of the creator',
    grants: [ANNOTATE],
    members: [['alice', 'bob']],
    request: edit('alice', 3),
    reason: 'allowed',
  },
  {
    rule: 'D9',
    says: 'upper and lower case are distinct',
    grants: [ANNOTATE],
    members: [['alice', 'Bob']],
    request: edit('alice', 'bob'),
    reason: 'not_creator_group',
  },
  {
    rule: 'D9',
    says: 'a space makes another name',
    grants: [ANNOTATE],
    members: [['alice', 'bob ']],
    request: edit('alice', 'bob'),
    reason: 'not_creator_group',
  },
  {
    rule: 'D9',
    says: "a group named like the creator's id opens nothing",
    grants: [ANNOTATE],
    members: [['alice', '9']],
    request: edit('alice', 9),
    reason: 'not_creator_group',
  },
  {
    rule: 'D9',
    says: 'a group named like a login of digits',
    grants: [ANNOTATE],
    members: [['alice', '9']],
    request: edit('alice', '9'),
    reason: 'allowed',
  },
  {
    rule: 'D9',
    says: 'a limited membership counts in its project',
    grants: [ANNOTATE],
    members: [['alice', 'bob', 1]],
    request: edit('alice', 'bob'),
    reason: 'allowed',
  },
  {
    rule: 'D9',
    says: 'a limited membership does not count elsewhere',
    grants: [ANNOTATE],
    members: [['alice', 'bob', 2]],
    request: edit('alice', 'bob'),
    reason: 'not_creator_group',
  },
  {
    rule: 'D9',
    says: 'one step only: no chains of groups',
    grants: [ANNOTATE],
    members: [
      ['alice', 'bob'],
      ['bob', 'carol'],
    ],
    request: edit('alice', 'carol'),
    reason: 'not_creator_group',
  },
  {
    rule: 'D9',
    says: 'the group opens to its members, not its members to its name',
    grants: [['bob', 'can_annotate', 1]],
    members: [['alice', 'bob']],
    request: edit('bob', 'alice'),
    reason: 'not_creator_group',
  },
  {
    rule: 'D9',
    says: 'the user imported it',
    grants: [ANNOTATE],
    request: edit('alice', 'bob', 'alice'),
    reason: 'allowed',
  },
  {
    rule: 'D9',
    says: 'an importer may be an id',
    grants: [ANNOTATE],
    request: edit('alice', 'bob', 2),
    reason: 'allowed',
  },
  {
    rule: 'D9',
    says: 'somebody else imported it',
    grants: [ANNOTATE],
    request: edit('alice', 'bob', 'carol'),
    reason: 'not_creator_group',
  },
  {
    rule: 'D9',
    says: 'a member of the group named like the importer',
    grants: [ANNOTATE],
    members: [['alice', 'carol']],
    request: edit('alice', 'bob', 'carol'),
    reason: 'allowed',
  },
  {
    rule: 'D9',
    says: 'a limited membership beside the importer counts in its project only',
    grants: [ANNOTATE],
    members: [['alice', 'carol', 2]],
    request: edit('alice', 'bob', 'carol'),
    reason: 'not_creator_group',
  },
  {
    rule: 'D9',
    says: 'an importer never known opens nothing',
    grants: [ANNOTATE],
    members: [['alice', 'stranger']],
    request: edit('alice', 'bob', 'stranger'),
    reason: 'not_creator_group',
  },
  { rule: 'D9', says: 'a superuser edits anything', request: edit('root', 'bob'), reason: 'allowed' },
  {
    rule: 'D9',
    says: 'a superuser edits what a creator never known made',
    request: edit('root', 'stranger'),
    reason: 'allowed',
  },
  {
    rule: 'D9',
    says: 'can_administer alone does not open the data of others',
    grants: [ADMINISTER],
    request: edit('alice', 'bob'),
    reason: 'not_creator_group',
  },
  {
    rule: 'D9',
    says: 'can_administer opens own data',
    grants: [ADMINISTER],
    request: edit('alice', 'alice'),
    reason: 'allowed',
  },
  {
    rule: 'D9',
    says: 'a creator never known opens nothing',
    grants: [ANNOTATE],
    request: edit('alice', 'stranger'),
    reason: 'unknown_creator',
  },
  {
    rule: 'D9',
    says: 'not even by a group of that name',
    grants: [ANNOTATE],
    members: [['alice', 'stranger']],
    request: edit('alice', 'stranger'),
    reason: 'unknown_creator',
  },
  {
    rule: 'D9',
    says: 'an id never known opens nothing',
    grants: [ANNOTATE],
    request: edit('alice', 99),
    reason: 'unknown_creator',
  },
  {
    rule: 'D9',
    says: 'a known importer opens what a creator never known made',
    grants: [ANNOTATE],
    request: edit('alice', 'stranger', 'alice'),
    reason: 'allowed',
  },
  {
    rule: 'D9',
    says: 'and so does the group of a known importer',
    grants: [ANNOTATE],
    members: [['alice', 'bob']],
    request: edit('alice', 'stranger', 'bob'),
    reason: 'allowed',
  },
  {
    rule: 'D9',
    says: "a deleted user's login stays known",
    grants: [ANNOTATE],
    members: [['alice', 'gone']],
    request: edit('alice', 'gone'),
    reason: 'allowed',
  },
  {
    rule: 'D9',
    says: "a deleted user's data is not open to others",
    grants: [ANNOTATE],
    request: edit('alice', 'gone'),
    reason: 'not_creator_group',
  },
  {
    rule: 'D9',
    says: 'an inactive creator is as good as any',
    grants: [ANNOTATE],
    members: [['alice', 'idle']],
    request: edit('alice', 'idle'),
    reason: 'allowed',
  },
  {
    rule: 'D9',
    says: 'creator null is the anonymous user',
    grants: [['anonymous', 'can_annotate', 1]],
    request: edit(null, null),
    reason: 'allowed',
  },
  {
    rule: 'D9',
    says: 'the group named like the anonymous user opens its data',
    grants: [ANNOTATE],
    members: [['alice', 'anonymous']],
    request: edit('alice', null),
    reason: 'allowed',
  },
  {
    rule: 'D9',
    says: 'data of the anonymous user is not open to others',
    grants: [ANNOTATE],
    request: edit('alice', null),
    reason: 'not_creator_group',
  },
  {
    rule: 'D9',
    says: 'a deny of can_annotate refuses own data',
    grants: [ANNOTATE, ['alice', 'can_annotate', 1, { deny: true }]],
    request: edit('alice', 'alice'),
    reason: 'denied',
  },
  {
    rule: 'D9',
    says: 'a token needs its grant for own data',
    grants: [ANNOTATE],
    request: { ...edit('alice', 'alice'), via: 'token' },
    reason: 'token_not_granted',
  },
  {
    rule: 'D9',
    says: 'a token with its grant edits own data',
    grants: [ANNOTATE, TOKEN],
    request: { ...edit('alice', 'alice'), via: 'token' },
    reason: 'allowed',
  },
  {
    rule: 'D9',
    says: 'all of several objects must pass',
    grants: [ANNOTATE],
    request: ask('alice', 'can_annotate', { objects: [{ creator: 'alice' }, { creator: 'bob' }] }),
    reason: 'not_creator_group',
  },
  {
    rule: 'D9',
    says: 'several objects that all pass',
    grants: [ANNOTATE],
    members: [['alice', 'bob']],
    request: ask('alice', 'can_annotate', { objects: [{ creator: 'alice' }, { creator: 'bob' }] }),
    reason: 'allowed',
  },
  {
    rule: 'D9',
    says: 'of several reasons the first in the order of D1',
    grants: [ANNOTATE],
    request: ask('alice', 'can_annotate', { objects: [{ creator: 'bob' }, { creator: 'stranger' }] }),
    reason: 'unknown_creator',
  },
]

const D10: RuleCase[] = [
  {
    rule: 'D10',
    says: 'a project with can_browse is visible',
    grants: [BROWSE],
    request: ask('alice', 'can_browse'),
    reason: 'allowed',
  },
  {
    rule: 'D10',
    says: 'a project that may be administered is visible',
    grants: [ADMINISTER],
    request: ask('alice', 'can_browse'),
    reason: 'allowed',
  },
  {
    rule: 'D10',
    says: 'a project that may only be annotated is not visible',
    grants: [ANNOTATE],
    request: ask('alice', 'can_browse'),
    reason: 'no_grant',
  },
  {
    rule: 'D10',
    says: 'a project is visible by token alike',
    grants: [BROWSE],
    request: byToken('alice', 'can_browse'),
    reason: 'allowed',
  },
  { rule: 'D10', says: 'a superuser sees it', request: ask('root', 'can_browse'), reason: 'allowed' },
]

/** All cases, in the order of the rules. */
export const RULE_CASES: readonly RuleCase[] = [...D1, ...D2, ...D3, ...D4, ...D5, ...D6, ...D7, ...D8, ...D9, ...D10]
