/** An operator's edits of model.conf and policies/ change decisions as written, and Casbin's own Enforcer agrees. */
import t, { type Test } from 'tap'
import { loadPolicyModel } from '../../src/decision/policy-model.ts'
import { PolicyModelError } from '../../src/decision/policy-model-error.ts'
import { snapshotOf } from '../../src/decision/snapshot.ts'
import type { PolicyText } from './casbin-reference.ts'
import { differenceFromCasbin, engineDecides, randomChecks } from './engine-comparison.ts'
import type { OracleReason } from './oracle.ts'
import { edited, modelOf, policyAsShipped } from './policy-as-shipped.ts'
import { Chance, INSTANT, randomTables } from './random-world.ts'
import { RULE_CASES, type RuleCase, tablesOf } from './rule-cases.ts'

const SHIPPED = policyAsShipped()
const [ANY_CASE] = RULE_CASES as [RuleCase]

/** The answer to a hand-made request under an edited policy. */
function answer(policy: PolicyText, ask: Omit<RuleCase, 'rule' | 'says' | 'reason'>): OracleReason {
  const tables = tablesOf({ ...ANY_CASE, ...ask })
  return engineDecides(snapshotOf(modelOf(policy), tables, 1), ask.request, INSTANT + (ask.at ?? 0)).reason
}

async function agreesWithCasbin(t: Test, policy: PolicyText, worlds = 25): Promise<void> {
  const chance = new Chance(5)
  const model = modelOf(policy)
  let allowed = 0
  for (let world = 0; world < worlds; world++) {
    const tables = randomTables(chance)
    const snapshot = snapshotOf(model, tables, 1)
    const checks = randomChecks(chance, tables, 40)
    allowed += checks.filter(({ request, instant }) => engineDecides(snapshot, request, instant).allowed).length
    const difference = await differenceFromCasbin({ policy, model, tables, snapshot }, checks)
    if (difference !== null) {
      t.fail(`Casbin differs: ${difference}`)
      return
    }
  }
  t.pass(`Casbin agrees on ${worlds * 40} checks, ${allowed} of them allowed`)
}

const inModel = (from: string, to: string, policy = SHIPPED) => edited(policy, 'model.conf', from, to)
const withRules = (...lines: string[]): PolicyText => ({
  ...SHIPPED,
  ruleFiles: [...SHIPPED.ruleFiles, { file: 'policies/ours.csv', text: `${lines.join('\n')}\n` }],
})

const RULES = 'm = (p.dom == r.dom || p.dom == "*") && \\\n    (g(r.sub, p.sub, r.dom) || g(r.sub, p.sub, "*"))'
const TOKEN = '    (r.via != "token" || r.act == "can_browse" || tokenAllowed(r.sub, r.dom, r.now)) && \\\n'
const ADMITTED = '    anonymousAdmitted(r.sub, r.via) && \\\n'

t.test('without the importer rule, the importer may not edit', async (t) => {
  const request = {
    user: 'alice',
    project: 1,
    permission: 'can_annotate',
    object: { creator: 'bob', importer: 'alice' },
  }
  const grants: RuleCase['grants'] = [['alice', 'can_annotate', 1]]
  const policy = inModel(
    '     imported(r.sub, r.obj.importer) || inGroupNamedLike(r.sub, r.obj.importer, r.dom))',
    '     false)',
  )
  t.equal(answer(SHIPPED, { grants, request }), 'allowed')
  t.equal(answer(policy, { grants, request }), 'not_creator_group')
  t.equal(answer(policy, { grants, request: { ...request, object: { creator: 'alice' } } }), 'allowed')
  await agreesWithCasbin(t, policy)
})

t.test('without the superuser clause, a superuser needs the group of the creator like anybody', async (t) => {
  const request = { user: 'root', project: 1, permission: 'can_annotate', object: { creator: 'bob' } }
  const policy = inModel(' || superuser(r.sub) ||', ' ||')
  t.equal(answer(SHIPPED, { request }), 'allowed')
  t.equal(answer(policy, { request }), 'not_creator_group')
  t.equal(answer(policy, { request, members: [['root', 'bob']] }), 'allowed')
  await agreesWithCasbin(t, policy)
})

t.test('without the rule for superusers, a superuser needs grants like anybody', async (t) => {
  const request = { user: 'root', project: 1, permission: 'can_browse' }
  const policy = edited(SHIPPED, 'policies/superusers.csv', 'p, role:superuser, *, everything, allow, ,', '# ')
  t.equal(answer(SHIPPED, { request }), 'allowed')
  t.equal(answer(policy, { request }), 'no_grant')
  t.equal(answer(policy, { request, grants: [['root', 'can_browse', 1]] }), 'allowed')
  await agreesWithCasbin(t, policy)
})

t.test('superusers who may only browse', async (t) => {
  const policy = edited(SHIPPED, 'policies/superusers.csv', '*, everything, allow', '*, can_browse, allow')
  t.equal(answer(policy, { request: { user: 'root', project: 1, permission: 'can_browse' } }), 'allowed')
  t.equal(answer(policy, { request: { user: 'root', project: 1, permission: 'can_annotate' } }), 'no_grant')
  await agreesWithCasbin(t, policy)
})

t.test('without D8, a token writes where a session writes', async (t) => {
  const request = { user: 'alice', project: 1, permission: 'can_annotate', via: 'token' } as const
  const grants: RuleCase['grants'] = [['alice', 'can_annotate', 1]]
  const policy = inModel(TOKEN, '    \\\n')
  t.equal(answer(SHIPPED, { grants, request }), 'token_not_granted')
  t.equal(answer(policy, { grants, request }), 'allowed')
  await agreesWithCasbin(t, policy)
})

t.test('can_annotate made to imply can_browse, denies alike', async (t) => {
  const request = { user: 'alice', project: 1, permission: 'can_browse' }
  const policy = edited(
    SHIPPED,
    'policies/permissions.csv',
    'g2, can_administer, can_fork',
    'g2, can_administer, can_fork\ng2, can_annotate, can_browse',
  )
  t.equal(answer(SHIPPED, { grants: [['alice', 'can_annotate', 1]], request }), 'no_grant')
  t.equal(answer(policy, { grants: [['alice', 'can_annotate', 1]], request }), 'allowed')
  t.equal(
    answer(policy, {
      grants: [
        ['alice', 'can_browse', 1],
        ['alice', 'can_annotate', 1, { deny: true }],
      ],
      request,
    }),
    'denied',
  )
  await agreesWithCasbin(t, policy)
})

t.test('an effect where allow beats deny', async (t) => {
  const request = { user: 'alice', project: 1, permission: 'can_browse' }
  const policy = inModel(' && !some(where (p.eft == deny))', '')
  const deny: RuleCase['grants'] = [['alice', 'can_browse', 1, { deny: true }]]
  t.equal(answer(policy, { grants: [['alice', 'can_browse', 1], ...deny], request }), 'allowed')
  t.not(answer(policy, { grants: deny, request }), 'allowed', 'a deny alone still allows nothing')
  await agreesWithCasbin(t, policy)
})

t.test('p fields in another order, with the rule files in that order', async (t) => {
  const policy = edited(
    inModel('p = sub, dom, act, eft, from, until', 'p = until, eft, act, dom, from, sub'),
    'policies/superusers.csv',
    'p, role:superuser, *, everything, allow, ,',
    'p, , allow, everything, *, , role:superuser',
  )
  for (const ruleCase of RULE_CASES) t.equal(answer(policy, ruleCase), ruleCase.reason, ruleCase.says)
  await agreesWithCasbin(t, policy)
})

t.test('p fields in another order, with the rule files left behind, stop the start', async (t) => {
  const policy = inModel('p = sub, dom, act, eft, from, until', 'p = until, eft, act, dom, from, sub')
  t.throws(() => modelOf(policy), { name: 'PolicyModelError', message: /^policies\/superusers\.csv:\d+: / })
})

t.test('r fields in another order', async (t) => {
  const policy = inModel('r = sub, dom, act, obj, via, now', 'r = now, via, obj, act, dom, sub')
  for (const ruleCase of RULE_CASES) t.equal(answer(policy, ruleCase), ruleCase.reason, ruleCase.says)
  await agreesWithCasbin(t, policy)
})

t.test('rules of its own for groups and users, allowing and denying, for a time', async (t) => {
  const policy = withRules(
    'p, group:1, *, can_browse, allow, , ',
    'p, user:3, 1, can_fork, allow, , ',
    'p, user:4, *, can_administer, deny, , ',
    `p, user:9, 1, can_import, allow, ${INSTANT}, ${INSTANT + 1000}`,
  )
  const may = (user: string, permission: string, more: Partial<RuleCase> = {}) =>
    answer(policy, { ...more, request: { user, project: 1, permission } })
  t.equal(may('alice', 'can_browse'), 'no_grant')
  t.equal(may('alice', 'can_browse', { members: [['alice', 'tracers']] }), 'allowed')
  t.equal(may('alice', 'can_browse', { members: [['alice', 'tracers', 2]] }), 'no_grant')
  t.equal(may('bob', 'can_fork'), 'allowed')
  t.equal(may('carol', 'can_browse', { grants: [['carol', 'can_browse', 1]] }), 'denied')
  t.equal(may('nine', 'can_import'), 'allowed')
  t.equal(may('nine', 'can_import', { at: -1 }), 'no_grant')
  t.equal(may('nine', 'can_import', { at: 1000 }), 'no_grant')
  await agreesWithCasbin(t, policy)
})

t.test('links of its own: a group within a group, a user made superuser', async (t) => {
  const policy = withRules('g, group:1, group:2, *', 'g, user:9, role:superuser, *', 'g, user:4, group:1, 1')
  const grants: RuleCase['grants'] = [['group:bob', 'can_browse', 1]]
  const may = (user: string, more: Partial<RuleCase> = {}) =>
    answer(policy, { grants, ...more, request: { user, project: 1, permission: 'can_browse' } })
  t.equal(may('alice'), 'no_grant')
  t.equal(may('alice', { members: [['alice', 'tracers']] }), 'allowed')
  t.equal(may('nine', { grants: [] }), 'allowed')
  t.equal(may('carol'), 'no_grant', 'links of two domains make no chain, as in Casbin')
  await agreesWithCasbin(t, policy)
})

t.test('a link to a user goes on through what the database links that user to, denies and superuser too', async (t) => {
  const policy = withRules('g, user:2, user:3, *', 'g, user:9, user:6, *', 'g, user:4, user:3, 1')
  const may = (user: string, more: Partial<RuleCase>) =>
    answer(policy, { ...more, request: { user, project: 1, permission: 'can_browse' } })
  const members: RuleCase['members'] = [['bob', 'tracers']]
  t.equal(may('alice', { members, grants: [['group:tracers', 'can_browse', 1]] }), 'allowed')
  t.equal(
    may('alice', {
      members,
      grants: [
        ['alice', 'can_browse', 1],
        ['group:tracers', 'can_browse', 1, { deny: true }],
      ],
    }),
    'denied',
  )
  t.equal(may('nine', {}), 'allowed', 'user 6 is a superuser')
  t.equal(may('carol', { members, grants: [['group:tracers', 'can_browse', 1]] }), 'no_grant', 'other domains')
  t.equal(may('carol', { members: [['bob', 'tracers', 1]], grants: [['group:tracers', 'can_browse', 1]] }), 'allowed')
  await agreesWithCasbin(t, policy)
})

t.test('conditions of its own, of the rule and of the request, beside those that the index takes over', async (t) => {
  const own = [
    'p.eft != "deny"',
    '(p.eft == "deny" || r.act != "can_fork")',
    '!(p.sub == r.sub)',
    'p.from != ""',
    'r.now < 1800000000000',
    'r.via == "session"',
    'g(r.sub, "group:1", "*")',
    '!g(r.sub, "group:2", r.dom)',
    'g2("can_administer", r.act)',
    'g2(p.act, "can_fork")',
    '(!r.obj.given || r.obj.creator == r.sub || p.act == "can_administer")',
    'p.act == r.act',
    'p.act == "can_administer"',
    'p.dom == r.dom',
    '!superuser(r.sub)',
    'r.sub == "user:2"',
    '(p.sub != "role:superuser" || r.act != "can_administer")',
    // Functions that are asked about others than the request names.
    '!created(p.sub, "group:1")',
    '(!r.obj.given || !created(p.sub, "role:superuser"))',
    '!imported(p.sub, "role:superuser")',
    '(r.act != "can_annotate" || created(r.obj.creator, r.obj.importer))',
    '!superuser(p.sub)',
    '(!active(p.sub) || r.act == "can_browse")',
    'active("user:2")',
    'projectExists(p.dom)',
    '!projectExists(1)',
    'projectExists("1")',
    '!inGroupNamedLike(r.sub, p.sub, r.dom)',
    '!inGroupNamedLike(r.sub, "user:3", p.dom)',
    '(r.act == "can_browse" || tokenAllowed(p.sub, r.dom, r.now))',
    '(r.act == "can_browse" || tokenAllowed(r.sub, "1", r.now))',
    '(r.act == "can_browse" || !tokenAllowed(r.sub, "*", r.now))',
  ]
  for (const condition of own) {
    await t.test(condition, (t) => agreesWithCasbin(t, inModel(ADMITTED, `${ADMITTED}    ${condition} && \\\n`), 12))
  }
})

t.test('the conditions that the index takes over, written otherwise', async (t) => {
  const forms: [string, string][] = [
    ['(p.dom == r.dom || p.dom == "*")', '("*" == p.dom || r.dom == p.dom)'],
    ['m = (p.dom == r.dom || p.dom == "*")', 'm = p.dom == r.dom'],
    ['m = (p.dom == r.dom || p.dom == "*")', 'm = p.dom == "*"'],
    [
      RULES,
      RULES.replace(
        '(g(r.sub, p.sub, r.dom) || g(r.sub, p.sub, "*"))',
        '(g(r.sub, p.sub, "*") || g(r.sub, p.sub, r.dom))',
      ),
    ],
    [RULES, RULES.replace('(g(r.sub, p.sub, r.dom) || g(r.sub, p.sub, "*"))', 'g(r.sub, p.sub, "*")')],
    [RULES, RULES.replace('(g(r.sub, p.sub, r.dom) || g(r.sub, p.sub, "*"))', 'g(r.sub, p.sub, r.dom)')],
    [RULES, RULES.replace('(g(r.sub, p.sub, r.dom) || g(r.sub, p.sub, "*"))', 'g(p.sub, r.sub, "*")')],
    [RULES, RULES.replace('(g(r.sub, p.sub, r.dom) || g(r.sub, p.sub, "*"))', 'g(r.sub, p.sub, "3")')],
    [
      RULES,
      RULES.replace('(g(r.sub, p.sub, r.dom) || g(r.sub, p.sub, "*"))', '(r.sub == p.sub || g(r.sub, p.sub, "*"))'),
    ],
    ['    g2(p.act, r.act) && \\\n', '    g2(r.act, p.act) && \\\n'],
    ['    g2(p.act, r.act) && \\\n', '    p.act == r.act && \\\n'],
    ['    g2(p.act, r.act) && \\\n', '    r.act == p.act && \\\n'],
    ['    g2(p.act, r.act) && \\\n', '    "can_annotate" == p.act && \\\n'],
    ['    g2(p.act, r.act) && \\\n', '    p.act != r.act && \\\n'],
    ['    g2(p.act, r.act) && \\\n', '    (g2(p.act, r.act) || p.act == "can_fork") && \\\n'],
    ['    g2(p.act, r.act) && \\\n', '    \\\n'],
    ['p.act == "can_annotate_with_token"', 'g2(p.act, r.act)'],
    ['p.act == "can_annotate_with_token"', 'p.act != "can_browse"'],
  ]
  for (const [from, to] of forms) {
    await t.test(`${to.trim()} for ${from.trim()}`, (t) => agreesWithCasbin(t, inModel(from, to), 12))
  }
})

t.test('models that the index cannot narrow are evaluated in full, as Casbin does', async (t) => {
  const forms: [string, string, string][] = [
    [
      'an || at the top',
      'm = (p.dom',
      'm = p.act == "can_import" && p.dom == r.dom && p.act == r.act && p.sub == r.sub || (p.dom',
    ],
    [
      'an || at the top that opens every project to one user',
      'm = (p.dom',
      'm = r.sub == "user:2" && active(r.sub) || (p.dom',
    ],
    [
      'the first rule that matches decides',
      'e = some(where (p.eft == allow)) && !some(where (p.eft == deny))',
      'e = priority(p.eft) || deny',
    ],
    ['whatever is not denied is allowed', 'e = some(where (p.eft == allow)) && !some(', 'e = !some('],
    ['a rule without a project', RULES, 'm = (g(r.sub, p.sub, r.dom) || g(r.sub, p.sub, "*"))'],
    [
      'a negation around everything',
      'm = (p.dom',
      'm = !(p.dom != r.dom || p.act != r.act || p.sub != r.sub) && active(r.sub) || (p.dom',
    ],
  ]
  for (const [name, from, to] of forms) {
    await t.test(name, (t) => agreesWithCasbin(t, inModel(from, to), 10))
  }
  const first = inModel(
    'e = some(where (p.eft == allow)) && !some(where (p.eft == deny))',
    'e = priority(p.eft) || deny',
  )
  const request = { user: 'alice', project: 1, permission: 'can_browse' }
  const deny: RuleCase['grants'] = [['alice', 'can_browse', 1, { deny: true }]]
  const allow: RuleCase['grants'] = [['alice', 'can_browse', 1]]
  t.equal(answer(first, { request, grants: [...allow, ...deny] }), 'allowed', 'the older grant decides')
  t.not(answer(first, { request, grants: [...deny, ...allow] }), 'allowed')
})

t.test('a random model: whatever the operator writes, the index answers as Casbin does', async (t) => {
  const seed = Number(process.env.RANDOM_SEED ?? Date.now() % 2 ** 31)
  t.comment(`RANDOM_SEED=${seed}`)
  const chance = new Chance(seed)
  let allowed = 0
  for (let place = 0; place < 200; place++) {
    const policy = randomPolicy(chance)
    const model = modelOf(policy)
    const tables = randomTables(chance)
    const snapshot = snapshotOf(model, tables, 1)
    const checks = randomChecks(chance, tables, 40)
    allowed += checks.filter(({ request, instant }) => engineDecides(snapshot, request, instant).allowed).length
    const difference = await differenceFromCasbin({ policy, model, tables, snapshot }, checks)
    if (difference !== null) {
      const [rules] = policy.ruleFiles
      return t.fail(`RANDOM_SEED=${seed}: ${policy.modelText}\n${rules?.text}\n${difference}`)
    }
  }
  t.ok(allowed > 500, `${allowed} of 8,000 allowed`)
})

/** A model with conditions in random forms and order, and rules of all kinds. */
function randomPolicy(chance: Chance): PolicyText {
  const conditions = [
    chance.pick([
      '(p.dom == r.dom || p.dom == "*")',
      'p.dom == r.dom',
      '(p.dom == "*" || p.dom == r.dom)',
      'p.dom != "4"',
    ]),
    chance.pick([
      '(g(r.sub, p.sub, r.dom) || g(r.sub, p.sub, "*"))',
      'g(r.sub, p.sub, r.dom)',
      'g(r.sub, p.sub, "*")',
      '(r.sub == p.sub || g(r.sub, p.sub, "*"))',
    ]),
    chance.pick([
      'g2(p.act, r.act)',
      'g2(p.act, r.act)',
      'p.act == r.act',
      '(g2(p.act, r.act) || p.act == "can_browse")',
    ]),
    ...chance
      .shuffled([
        'inForce(p.from, p.until, r.now)',
        'active(r.sub)',
        'projectExists(r.dom)',
        'anonymousAdmitted(r.sub, r.via)',
        '(r.via != "token" || tokenAllowed(r.sub, r.dom, r.now))',
        '(!r.obj.given || created(r.sub, r.obj.creator) || p.sub == "role:superuser")',
        '(p.eft == "deny" || !r.obj.given || inGroupNamedLike(r.sub, r.obj.creator, r.dom))',
        '!(p.eft == "deny" && superuser(r.sub))',
        '(g(r.sub, "group:1", "*") || r.act != "can_fork")',
      ])
      .slice(0, chance.between(0, 5)),
  ]
  const matcher = chance.shuffled(conditions).join(' && ')
  const effect = chance.pick([
    'some(where (p.eft == allow)) && !some(where (p.eft == deny))',
    'some(where (p.eft == allow)) && !some(where (p.eft == deny))',
    'some(where (p.eft == allow))',
    '!some(where (p.eft == deny))',
    'priority(p.eft) || deny',
  ])
  return {
    modelText: modelText(chance, effect, matcher),
    ruleFiles: [{ file: 'policies/random.csv', text: randomRules(chance) }],
  }
}

function modelText(chance: Chance, effect: string, matcher: string): string {
  const second = chance.pick([
    'p.dom == r.dom && p.act == "can_annotate_with_token" && g(r.sub, p.sub, "*")',
    'p.dom == r.dom && g2(p.act, r.act) && (g(r.sub, p.sub, r.dom) || g(r.sub, p.sub, "*"))',
    'p.act == "can_annotate_with_token" && inForce(p.from, p.until, r.now)',
    'p.dom == r.dom && p.sub == r.sub && p.act == "can_annotate_with_token" || p.sub == "role:superuser"',
  ])
  return `[request_definition]
r = sub, dom, act, obj, via, now
[policy_definition]
p = sub, dom, act, eft, from, until
[role_definition]
g = _, _, _
g2 = _, _
[policy_effect]
e = ${effect}
[matchers]
m = ${matcher}
m2 = ${second}
`
}

function randomRules(chance: Chance): string {
  const permissions = [
    'can_administer',
    'can_annotate',
    'can_browse',
    'can_fork',
    'can_annotate_with_token',
    'everything',
  ]
  const principal = () => chance.pick(['user:', 'user:', 'group:']) + chance.between(1, 5)
  const dom = () => chance.pick(['*', '1', '2', '3', '4'])
  const lines: string[] = ['p, role:superuser, *, everything, allow, , ']
  for (let count = chance.between(0, 4); count > 0; count--) {
    const times = chance.pick([', ', `${INSTANT}, `, `, ${INSTANT}`, `${INSTANT - 5}, ${INSTANT + 1}`])
    lines.push(
      `p, ${principal()}, ${dom()}, ${chance.pick(permissions)}, ${chance.pick(['allow', 'allow', 'deny'])}, ${times}`,
    )
  }
  for (let count = chance.between(0, 3); count > 0; count--) {
    lines.push(`g, ${principal()}, ${chance.pick([principal(), 'role:superuser'])}, ${dom()}`)
  }
  for (let count = chance.between(2, 6); count > 0; count--) {
    const [from, to] = chance.shuffled(permissions)
    lines.push(`g2, ${from}, ${to}`)
  }
  return `${[...new Set(lines)].join('\n')}\n`
}

t.test('a model that says what does not exist stops the start and says where', async (t) => {
  const line = (wanted: string) => SHIPPED.modelText.split('\n').findIndex((text) => text.includes(wanted)) + 1
  const faults: [string, PolicyText, RegExp][] = [
    [
      'an unknown field of r',
      inModel('p.dom == r.dom || p', 'p.dom == r.domain || p'),
      new RegExp(`^model\\.conf:${line('m = (')}\\b.*r\\.domain`),
    ],
    [
      'an unknown field of p',
      inModel(
        'inForce(p.from, p.until, r.now) && \\\n    active',
        'inForce(p.start, p.until, r.now) && \\\n    active',
      ),
      /^model\.conf:\d+\b.*p\.start/,
    ],
    [
      'a field that both sides lack',
      inModel('m = (p.dom == r.dom', 'm = (p.domain == r.domain'),
      /^model\.conf:\d+\b.*p\.domain/,
    ],
    [
      'an unknown part of r.obj',
      inModel('imported(r.sub, r.obj.importer)', 'imported(r.sub, r.obj.owner)'),
      /^model\.conf:\d+\b.*r\.obj\.owner/,
    ],
    ['an unknown function', inModel('active(r.sub)', '!banned(r.sub)'), /^model\.conf:\d+\b.*banned/],
    [
      "a function of Casbin's that we do not have",
      inModel('active(r.sub)', 'keyMatch(r.sub, p.sub)'),
      /^model\.conf:\d+\b.*keyMatch/,
    ],
    [
      'too few arguments',
      inModel('inGroupNamedLike(r.sub, r.obj.creator, r.dom)', 'inGroupNamedLike(r.sub, r.obj.creator)'),
      /^model\.conf:\d+\b.*inGroupNamedLike/,
    ],
    ['a bare name', inModel('r.act == "can_browse"', 'r.act == can_browse'), /^model\.conf:\d+\b.*can_browse/],
    [
      'an unknown field in m2',
      inModel('m2 = p.dom == r.dom', 'm2 = p.dom == r.project'),
      new RegExp(`^model\\.conf:${line('m2 = ')}\\b.*r\\.project`),
    ],
    [
      'a matcher that names no rule',
      inModel(
        SHIPPED.modelText.slice(SHIPPED.modelText.indexOf('m = '), SHIPPED.modelText.indexOf('m2 = ')),
        'm = active(r.sub)\n',
      ),
      /^model\.conf:\d+\b/,
    ],
    [
      'a matcher cut off by a comment',
      inModel('active(r.sub) && \\', 'active(r.sub) && \\ # really'),
      /^model\.conf:\d+\b.*`#`/,
    ],
    ['a matcher cut off by a semicolon', inModel('active(r.sub) &&', 'active(r.sub); &&'), /^model\.conf:\d+\b.*`;`/],
    [
      'a misspelt section',
      inModel('[policy_effect]', '[policy_effects]'),
      new RegExp(`^model\\.conf:${line('[policy_effect]')}\\b.*policy_effects`),
    ],
    ['a section that is missing', inModel('[matchers]', ''), /^model\.conf/],
    [
      'an effect that Casbin does not have',
      inModel('!some(where (p.eft == deny))', '!some(where (p.eft == refuse))'),
      /^model\.conf\b.*refuse/,
    ],
    ['a second definition of m', inModel('m2 = ', 'm = '), /^model\.conf:\d+\b.*\bm\b/],
    ['a half sentence', inModel('active(r.sub) && \\', 'active(r.sub) && && \\'), /^model\.conf:\d+\b/],
    [
      'tokenAllowed without m2',
      inModel(SHIPPED.modelText.slice(SHIPPED.modelText.indexOf('m2 = ')), ''),
      /^model\.conf\b.*m2/,
    ],
    ['an effect misspelt in a rule', withRules('p, user:1, *, can_browse, Deny, , '), /^policies\/ours\.csv:1\b.*Deny/],
    ['a rule that is too short', withRules('p, user:1, *, can_browse, deny'), /^policies\/ours\.csv:1\b/],
    ['a rule that is too long', withRules('', 'p, user:1, *, can_browse, deny, , , x'), /^policies\/ours\.csv:2\b/],
    ['a link that is too short', withRules('g, user:1, group:1'), /^policies\/ours\.csv:1\b/],
    ['a kind of line that does not exist', withRules('g3, can_annotate, can_browse'), /^policies\/ours\.csv:1\b/],
    ['a time that is no number', withRules('p, user:1, *, can_browse, allow, tomorrow, '), /^policies\/ours\.csv:1\b/],
    ['a project that is no number', withRules('p, user:1, 1x, can_browse, allow, , '), /^policies\/ours\.csv:1\b/],
    ['quotes that do not end', withRules('p, "user:1, *, can_browse, allow, , '), /^policies\/ours\.csv\b/],
  ]
  for (const [name, policy, message] of faults) {
    t.throws(() => modelOf(policy), { name: 'PolicyModelError', message }, name)
  }
  t.throws(
    () => loadPolicyModel({ modelFile: 'model.conf', modelText: '', ruleFiles: [] }),
    PolicyModelError,
    'no text',
  )
})
