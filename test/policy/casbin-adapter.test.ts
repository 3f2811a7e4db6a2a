import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Enforcer, newEnforcer, newModelFromString } from 'casbin'
import t, { type Test } from 'tap'
import { PolicyAdapter, ReadOnlyPolicyError } from '../../src/policy/casbin-adapter.ts'
import { testDatabase } from '../harness/database.ts'

/** Grants, links and time limits of the shipped model, without the conditions that our own functions answer. */
const modelText = (fields = 'sub, dom, act, eft, from, until', links = 'g = _, _, _') => `
[request_definition]
r = sub, dom, act, now
[policy_definition]
p = ${fields}
[role_definition]
${links}
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = p.dom == r.dom && p.act == r.act && (g(r.sub, p.sub, r.dom) || g(r.sub, p.sub, "*")) && inForce(p.from, p.until, r.now)
`

async function laboratory(t: Test) {
  const database = await testDatabase(t)
  await database.query(`
    INSERT INTO users (id, username, is_superuser) VALUES (10, 'alice', false), (11, 'bob', true), (12, 'eve', false);
    INSERT INTO groups (id, name) VALUES (20, 'tracers');
    INSERT INTO projects (id, title) VALUES (30, 'brain'), (31, 'gut');
    INSERT INTO memberships (user_id, group_id, project_id) VALUES (10, 20, NULL), (12, 20, 31);
    INSERT INTO grants (user_id, project_id, permission, effect, valid_from, valid_until) VALUES
      (10, 30, 'can_browse', 'allow', NULL, NULL),
      (12, 30, 'can_fork', 'allow', to_timestamp(1.5), to_timestamp(2)),
      (10, 31, 'can_annotate', 'deny', NULL, NULL);
    INSERT INTO grants (group_id, project_id, permission) VALUES (20, 31, 'can_annotate'), (20, 30, 'can_import');
  `)
  return { database, adapter: new PolicyAdapter(database) }
}

async function enforcerOf(adapter: PolicyAdapter, text = modelText()) {
  const enforcer = await newEnforcer(newModelFromString(text))
  await enforcer.addFunction(
    'inForce',
    (from: string, until: string, now: number) =>
      (from === '' || Number(from) <= now) && (until === '' || now < Number(until)),
  )
  enforcer.setAdapter(adapter)
  await enforcer.loadPolicy()
  return enforcer
}

const CASES: [string, string, string, number, boolean][] = [
  ['user:10', '30', 'can_browse', 0, true],
  ['user:10', '31', 'can_browse', 0, false],
  ['user:10', '30', 'can_import', 0, true],
  ['user:10', '31', 'can_annotate', 0, false],
  ['user:12', '31', 'can_annotate', 0, true],
  ['user:12', '30', 'can_import', 0, false],
  ['user:12', '30', 'can_fork', 1499, false],
  ['user:12', '30', 'can_fork', 1500, true],
  ['user:12', '30', 'can_fork', 1999, true],
  ['user:12', '30', 'can_fork', 2000, false],
]

for (const fields of ['sub, dom, act, eft, from, until', 'until, eft, sub, from, act, dom']) {
  t.test(`casbin's enforcer decides from the tables with p = ${fields}`, async (t) => {
    const { adapter } = await laboratory(t)
    const enforcer = await enforcerOf(adapter, modelText(fields))
    for (const [sub, dom, act, now, allowed] of CASES) {
      t.equal(await enforcer.enforce(sub, dom, act, now), allowed, `${sub} ${act} ${dom} at ${now}`)
    }
    t.equal(await enforcer.hasNamedGroupingPolicy('g', 'user:11', 'role:superuser', '*'), true)
  })
}

t.test('the shipped model takes the rows as they are, open ends as empty cells', async (t) => {
  const { adapter } = await laboratory(t)
  const model = newModelFromString(readFileSync(join(import.meta.dirname, '../../model.conf'), 'utf8'))
  await adapter.loadPolicy(model)
  t.same(model.getPolicy('p', 'p').sort(), [
    ['group:20', '30', 'can_import', 'allow', '', ''],
    ['group:20', '31', 'can_annotate', 'allow', '', ''],
    ['user:10', '30', 'can_browse', 'allow', '', ''],
    ['user:10', '31', 'can_annotate', 'deny', '', ''],
    ['user:12', '30', 'can_fork', 'allow', '1500', '2000'],
  ])
  t.same(model.getPolicy('g', 'g').sort(), [
    ['user:10', 'group:20', '*'],
    ['user:11', 'role:superuser', '*'],
    ['user:12', 'group:20', '31'],
  ])
})

t.test('cells are cells, whatever stands in them', async (t) => {
  const { database, adapter } = await laboratory(t)
  const hostile = `eve", "31", "can_fork", "allow\n# , p, g`
  await database.query('DROP VIEW casbin_rule')
  await database.query(
    `CREATE TABLE casbin_rule (id int, ptype text, v0 text, v1 text, v2 text, v3 text, v4 text, v5 text)`,
  )
  await database.query(`INSERT INTO casbin_rule VALUES (1, 'p', $1, '', 'can_fork', 'allow', '', '')`, [hostile])
  const model = newModelFromString(modelText())
  await adapter.loadPolicy(model)
  t.same(model.getPolicy('p', 'p'), [[hostile, '', 'can_fork', 'allow', '', '']])
})

t.test('a model that cannot hold our rules is refused, and stays without any', async (t) => {
  const { adapter } = await laboratory(t)
  const wrong = [
    modelText('sub, dom, act, eft'),
    modelText('sub, dom, act, eft, from, until, extra'),
    modelText('sub, dom, act, eft, from, till'),
    modelText('sub, sub, dom, act, eft, from'),
    modelText('sub, dom, act, eft, from, until', 'g = _, _'),
    modelText('sub, dom, act, eft, from, until', 'g2 = _, _, _'),
  ]
  for (const text of wrong) {
    const model = newModelFromString(text)
    await t.rejects(adapter.loadPolicy(model), /the model must define/)
    t.same(model.getPolicy('p', 'p'), [])
  }
})

t.test('a load that fails half-way leaves the model as it was', async (t) => {
  const { database, adapter } = await laboratory(t)
  await database.query('DROP VIEW casbin_rule')
  await database.query(`CREATE VIEW casbin_rule AS
    SELECT i AS id, 'p' AS ptype, 'user:10' AS v0, '30' AS v1, 'can_browse' AS v2, 'allow' AS v3, ''::text AS v4,
      (1 / (20000 - i))::text AS v5 FROM generate_series(1, 30000) i`)
  const model = newModelFromString(modelText())
  model.addPolicy('p', 'p', ['kept'])
  await t.rejects(adapter.loadPolicy(model), { code: '22012' })
  t.same(model.getPolicy('p', 'p'), [['kept']])
})

t.test('nothing is ever written through Casbin, in memory neither', async (t) => {
  const { database, adapter } = await laboratory(t)
  const enforcer = await enforcerOf(adapter)
  const before = await database.query('SELECT * FROM casbin_rule ORDER BY id')
  const rule = ['user:12', '30', 'can_administer', 'allow', '', '']
  const link = ['user:12', 'role:superuser', '*']
  const there = ['user:10', '31', 'can_annotate', 'deny', '', '']
  const writes: ((enforcer: Enforcer) => Promise<unknown>)[] = [
    (e) => e.addPolicy(...rule),
    (e) => e.addPolicies([rule]),
    (e) => e.addGroupingPolicy(...link),
    (e) => e.updatePolicy(there, rule),
    (e) => e.removePolicy(...there),
    (e) => e.removePolicies([there]),
    (e) => e.removeFilteredPolicy(0, 'user:10'),
    (e) => e.removeFilteredGroupingPolicy(0),
    (e) => e.savePolicy(),
  ]
  for (const write of writes) await t.rejects(write(enforcer), ReadOnlyPolicyError, String(write))
  await t.rejects(enforcer.loadFilteredPolicy({ ptype: ['p'] }), /whole or not at all/)
  t.same(await database.query('SELECT * FROM casbin_rule ORDER BY id'), before)
  t.equal(await (await enforcerOf(adapter)).enforce('user:10', '31', 'can_annotate', 0), false)
})

t.test('a hundred thousand rules are loaded whole', async (t) => {
  const { database, adapter } = await laboratory(t)
  await database.query(`DELETE FROM grants;
    INSERT INTO projects (id, title) SELECT i, 'p' FROM generate_series(1001, 26000) i;
    INSERT INTO grants (user_id, project_id, permission)
      SELECT 10, p.id, permission FROM projects p,
        unnest(ARRAY['can_browse', 'can_annotate', 'can_fork', 'can_import']) permission WHERE p.id > 1000`)
  const model = newModelFromString(modelText())
  await adapter.loadPolicy(model)
  t.equal(model.getPolicy('p', 'p').length, 100_000)
  t.equal(new Set(model.getPolicy('p', 'p').map((cells) => cells.join())).size, 100_000)
})
