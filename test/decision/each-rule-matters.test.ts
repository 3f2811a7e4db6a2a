/**
 * Takes each rule out of the service, one at a time, and sees that the comparison with the rules notices: a test that
 * cannot turn red proves nothing. Where the rule is said in `model.conf` or `policies/`, it is taken out there.
 */
import t from 'tap'
import { decide } from '../../src/decision/decide.ts'
import { PERMISSIONS, type PolicyTables } from '../../src/decision/policy-state.ts'
import type { Snapshot } from '../../src/decision/snapshot.ts'
import { type Decide, differences, engineDecides, type Fault } from './engine-comparison.ts'
import type { OracleAnswer, OracleRequest, Rule } from './oracle.ts'
import { edited, modelOf, policyAsShipped } from './policy-as-shipped.ts'
import { Chance } from './random-world.ts'

const SEED = 20261122
const POLICY = policyAsShipped()
const MODEL = modelOf(POLICY)

type Broken = { rule: Rule; without: string; fault: Fault; onlyReasons?: true }

const text = (rule: Rule, without: string, file: string, from: string, to: string): Broken => ({
  rule,
  without,
  fault: { model: modelOf(edited(POLICY, file, from, to)) },
})
const model = (rule: Rule, without: string, from: string, to: string) => text(rule, without, 'model.conf', from, to)
const sight = (rule: Rule, without: string, sees: (tables: PolicyTables) => PolicyTables): Broken => ({
  rule,
  without,
  fault: { sees },
})
const code = (rule: Rule, without: string, by: Decide): Broken => ({ rule, without, fault: { by } })

const allowing = (reason: string, replaced: OracleAnswer): Decide => {
  return (snapshot, request, instant) => {
    const answer = engineDecides(snapshot, request, instant)
    return answer.reason === reason ? replaced : answer
  }
}
const ALLOWED: OracleAnswer = { allowed: true, reason: 'allowed' }

const D1: Broken[] = [
  model('D1', 'default deny', ' e = some(where (p.eft == allow)) && !some('.trim(), 'e = !some('),
  model('D1', 'the deny for unknown projects', 'projectExists(r.dom) && \\\n', '\\\n'),
  code('D1', 'the deny for a missing grant', allowing('no_grant', ALLOWED)),
  code('D1', 'the deny for unknown users', (snapshot, request, instant) =>
    engineDecides(snapshot, isKnown(snapshot, request) ? request : { ...request, user: null }, instant),
  ),
  code('D1', 'the deny for unknown permissions', (snapshot, request, instant) => {
    const known = PERMISSIONS.some((permission) => permission === request.permission)
    return engineDecides(snapshot, known ? request : { ...request, permission: 'can_browse' }, instant)
  }),
  {
    ...code('D1', 'the order of reasons', (snapshot, request, instant) => {
      const answer = engineDecides(snapshot, request, instant)
      return answer.reason === 'denied' ? { allowed: false, reason: 'no_grant' } : answer
    }),
    onlyReasons: true,
  },
]

const D2: Broken[] = [
  model('D2', 'the deny for inactive users', 'active(r.sub) && \\\n', '\\\n'),
  sight('D2', 'the deny for inactive superusers', (tables) => ({
    ...tables,
    users: tables.users.map((user) => ({ ...user, isActive: user.isActive || user.isSuperuser })),
  })),
]

const D3: Broken[] = [
  model(
    'D3',
    'time limits',
    'g2(p.act, r.act) && \\\n    inForce(p.from, p.until, r.now) && \\\n',
    'g2(p.act, r.act) && \\\n',
  ),
  model(
    'D3',
    'grants to groups',
    'm = (p.dom == r.dom || p.dom == "*") && \\\n    (g(r.sub, p.sub, r.dom) || g(r.sub, p.sub, "*"))',
    'm = (p.dom == r.dom || p.dom == "*") && \\\n    (r.sub == p.sub || p.sub == "role:superuser" && superuser(r.sub))',
  ),
  model(
    'D3',
    'limited memberships',
    'm = (p.dom == r.dom || p.dom == "*") && \\\n    (g(r.sub, p.sub, r.dom) || g(r.sub, p.sub, "*"))',
    'm = (p.dom == r.dom || p.dom == "*") && \\\n    g(r.sub, p.sub, "*")',
  ),
  model(
    'D3',
    'memberships everywhere',
    'm = (p.dom == r.dom || p.dom == "*") && \\\n    (g(r.sub, p.sub, r.dom) || g(r.sub, p.sub, "*"))',
    'm = (p.dom == r.dom || p.dom == "*") && \\\n    (g(r.sub, p.sub, r.dom) || p.sub == "role:superuser" && superuser(r.sub))',
  ),
  sight('D3', 'the limit of memberships', (tables) => ({
    ...tables,
    memberships: tables.memberships.map((membership) => ({ ...membership, projectId: null })),
  })),
  sight('D3', 'all but the first membership in a group', (tables) => ({
    ...tables,
    memberships: tables.memberships.filter(
      ({ userId, groupId }, place, all) =>
        all.findIndex((other) => other.userId === userId && other.groupId === groupId) === place,
    ),
  })),
  sight('D3', 'the beginning of grants', (tables) => ({
    ...tables,
    grants: tables.grants.map((grant) => ({ ...grant, validFrom: null })),
  })),
  sight('D3', 'the very millisecond of the end', (tables) => ({
    ...tables,
    grants: tables.grants.map((grant) => ({ ...grant, validUntil: grant.validUntil && grant.validUntil + 1 })),
  })),
  sight('D3', 'the expiry of denies', (tables) => ({
    ...tables,
    grants: tables.grants.map((grant) => (grant.effect === 'deny' ? { ...grant, validUntil: null } : grant)),
  })),
]

const D4: Broken[] = [
  model('D4', 'denies', ' && !some(where (p.eft == deny))', ''),
  model(
    'D4',
    'the implication of denies',
    '    g2(p.act, r.act) && \\\n',
    '    g2(p.act, r.act) && (p.eft == "allow" || p.act == r.act) && \\\n',
  ),
  model(
    'D4',
    'denies of superusers',
    '    g2(p.act, r.act) && \\\n',
    '    g2(p.act, r.act) && (p.eft == "allow" || !superuser(r.sub)) && \\\n',
  ),
  model(
    'D4',
    'denies held by groups',
    '    g2(p.act, r.act) && \\\n',
    '    g2(p.act, r.act) && (p.eft == "allow" || p.sub == r.sub) && \\\n',
  ),
]

const D5: Broken[] = [
  text('D5', 'the rule for superusers', 'policies/superusers.csv', 'p, role:superuser, *, everything, allow, ,', '# '),
  text(
    'D5',
    'writing by token for superusers',
    'policies/superusers.csv',
    'g2, everything, can_annotate_with_token',
    '',
  ),
]

const D6: Broken[] = [
  ...['can_annotate', 'can_browse', 'can_import', 'can_queue_compute_task', 'can_fork'].map((implied) =>
    text(
      'D6',
      `can_administer implying ${implied}`,
      'policies/permissions.csv',
      `g2, can_administer, ${implied}\n`,
      '',
    ),
  ),
  text(
    'D6',
    'the limit to these five',
    'policies/permissions.csv',
    'g2, can_administer, can_fork\n',
    'g2, can_administer, can_fork\ng2, can_administer, can_annotate_with_token\n',
  ),
  text(
    'D6',
    '"nothing else implies anything"',
    'policies/permissions.csv',
    'g2, can_administer, can_fork\n',
    'g2, can_administer, can_fork\ng2, can_annotate, can_browse\n',
  ),
]

const D7: Broken[] = [
  model('D7', 'the general permission', 'anonymousAdmitted(r.sub, r.via) && \\\n', '\\\n'),
  model('D7', 'the deny by token', 'anonymousAdmitted(r.sub, r.via)', 'anonymousAdmitted(r.sub, "session")'),
  sight('D7', 'the need of a grant beside it', (tables) => ({
    ...tables,
    users: tables.users.map((user) => ({ ...user, isSuperuser: user.isSuperuser || user.isAnonymous })),
  })),
  sight('D7', '"nobody else inherits its grants"', (tables) => ({
    ...tables,
    grants: tables.grants.map((grant) =>
      tables.users.some(({ id, isAnonymous }) => isAnonymous && id === grant.userId)
        ? { ...grant, userId: null, groupId: tables.groups[0]?.id ?? null }
        : grant,
    ),
  })),
]

const TOKEN = '    (r.via != "token" || r.act == "can_browse" || tokenAllowed(r.sub, r.dom, r.now)) && \\\n'
const D8: Broken[] = [
  model('D8', 'the token grant', TOKEN, '    \\\n'),
  model('D8', 'reading without it', TOKEN, TOKEN.replace('r.act == "can_browse" || ', '')),
  model('D8', 'superusers needing it', TOKEN, TOKEN.replace('tokenAllowed', 'superuser(r.sub) || tokenAllowed')),
  model(
    'D8',
    'administrators needing it',
    'p.act == "can_annotate_with_token"',
    '(p.act == "can_annotate_with_token" || p.act == "can_administer")',
  ),
  model(
    'D8',
    'implication not replacing it',
    'm2 = p.dom == r.dom && p.act == "can_annotate_with_token"',
    'm2 = (p.dom == r.dom || p.dom == "*") && g2(p.act, r.act)',
  ),
  model('D8', 'its denies', 'm2 = p.dom == r.dom', 'm2 = p.eft == "allow" && p.dom == r.dom'),
  model(
    'D8',
    'its time limits',
    '(g(r.sub, p.sub, r.dom) || g(r.sub, p.sub, "*")) && \\\n    inForce(p.from, p.until, r.now)\n',
    '(g(r.sub, p.sub, r.dom) || g(r.sub, p.sub, "*"))\n',
  ),
  model('D8', 'its project', 'm2 = p.dom == r.dom', 'm2 = p.dom != "*"'),
]

const OBJECT = POLICY.modelText.slice(
  POLICY.modelText.indexOf('(r.act != "can_annotate"'),
  POLICY.modelText.indexOf('\nm2 = '),
)
const objectWithout = (clause: string) => OBJECT.replace(clause, '')
const D9: Broken[] = [
  model('D9', 'the rule about objects', OBJECT, 'r.via != ""'),
  model('D9', 'superusers', OBJECT, objectWithout('superuser(r.sub) || ')),
  model('D9', 'the creator', OBJECT, objectWithout('created(r.sub, r.obj.creator) || ')),
  model(
    'D9',
    'the group named like the creator',
    OBJECT,
    objectWithout('inGroupNamedLike(r.sub, r.obj.creator, r.dom) || '),
  ),
  model('D9', 'the importer', OBJECT, objectWithout('imported(r.sub, r.obj.importer) || ')),
  model(
    'D9',
    'the group named like the importer',
    OBJECT,
    objectWithout(' || inGroupNamedLike(r.sub, r.obj.importer, r.dom)'),
  ),
  model('D9', 'the grant for own data', 'm = (p.dom == r.dom', 'm = (r.obj.given || p.dom == r.dom'),
  model('D9', 'other permissions not asking', OBJECT, OBJECT.replace('r.act != "can_annotate" || ', '')),
  sight('D9', 'exact names', (tables) => ({
    ...tables,
    groups: tables.groups.map((group) => ({ ...group, name: group.name.trim().toLowerCase() })),
  })),
  sight('D9', 'the memory of deleted logins', (tables) => ({
    ...tables,
    users: tables.users.map((user) => (user.isDeleted ? { ...user, username: `deleted ${user.id}` } : user)),
  })),
  code('D9', 'the denial for creators never known', allowing('unknown_creator', ALLOWED)),
  code('D9', 'every object but the first', (snapshot, { objects, ...request }, instant) =>
    engineDecides(snapshot, objects?.[0] ? { ...request, object: objects[0] } : request, instant),
  ),
  code('D9', '"all must pass"', (snapshot, { objects, ...request }, instant) => {
    const answers = objects?.map((object) => engineDecides(snapshot, { ...request, object }, instant)) ?? []
    return answers.find(({ allowed }) => allowed) ?? answers[0] ?? engineDecides(snapshot, request, instant)
  }),
]

const D10: Broken[] = [
  code('D10', '"where can_browse is allowed": any permission shows the project', (snapshot, request, instant) => {
    const answer = engineDecides(snapshot, request, instant)
    if (request.permission !== 'can_browse' || answer.allowed) return answer
    const any = PERMISSIONS.some((permission) => decide(snapshot, { ...request, permission }, instant).allowed)
    return any ? ALLOWED : answer
  }),
  code('D10', '"with the same via"', (snapshot, request, instant) =>
    request.permission === 'can_browse' || request.object || request.objects
      ? engineDecides(snapshot, request, instant)
      : engineDecides(snapshot, { ...request, via: 'session' }, instant),
  ),
]

function isKnown(snapshot: Snapshot, request: OracleRequest): boolean {
  return engineDecides(snapshot, request, 0).reason !== 'unknown_user'
}

t.test('the service as it is answers every one of these checks by the rules', async (t) => {
  const { checks, decisions, reasons } = differences(new Chance(SEED), MODEL, {})
  t.same({ decisions, reasons }, { decisions: 0, reasons: 0 }, `${checks} checks`)
})

for (const { rule, without, fault, onlyReasons } of [
  ...D1,
  ...D2,
  ...D3,
  ...D4,
  ...D5,
  ...D6,
  ...D7,
  ...D8,
  ...D9,
  ...D10,
]) {
  t.test(`${rule}: a service without ${without} turns the comparison red`, async (t) => {
    const { checks, decisions, reasons } = differences(new Chance(SEED), MODEL, fault)
    const found = onlyReasons ? reasons : decisions
    t.ok(found > 0, `${decisions} of ${checks} decisions differ, ${reasons} reasons`)
  })
}
