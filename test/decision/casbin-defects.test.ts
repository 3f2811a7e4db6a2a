/**
 * Casbin and its TypeORM adapter have defects that lose rules, mix them up, or allow what nobody allowed. Each has a test
 * here, through the running service wherever it could show there: what goes wrong in Casbin, answered rightly by us.
 */
import { FunctionMap } from 'casbin'
import t, { type Test } from 'tap'
import { decide } from '../../src/decision/decide.ts'
import { explain } from '../../src/decision/explain.ts'
import { MATCHER_FUNCTIONS, namedFunctions } from '../../src/decision/matcher-functions.ts'
import type { PolicyChange, PolicySource, PolicyTables } from '../../src/decision/policy-state.ts'
import { Snapshot, snapshotOf } from '../../src/decision/snapshot.ts'
import { SnapshotKeeper } from '../../src/decision/snapshot-keeper.ts'
import { type Administration, administrationOf } from '../harness/administration.ts'
import { replicaOf, testService } from '../harness/service.ts'
import type { PolicyText } from './casbin-reference.ts'
import { edited, modelOf, policyAsShipped } from './policy-as-shipped.ts'
import { Chance, INSTANT, randomTables } from './random-world.ts'
import { RULE_CASES, type RuleCase, tablesOf } from './rule-cases.ts'

const SHIPPED = policyAsShipped()
const MODEL = modelOf(SHIPPED)
const NO_TABLES: PolicyTables = { users: [], groups: [], projects: [], memberships: [], grants: [], serviceKeys: [] }
const [ANY_CASE] = RULE_CASES as [RuleCase]

/** The service over HTTP, and how to start it once more over the same database, which reads all policy anew. */
type Laboratory = Administration & {
  restarted(): Promise<Administration>
  user(username: string, more?: object): Promise<number>
  group(name: string): Promise<number>
  project(title: string): Promise<number>
  grant(project: number, type: 'user' | 'group', id: number, permission: string, more?: object): Promise<number>
  may(user: string | number | null, project: number, permission: string, more?: object): Promise<boolean>
}

async function laboratory(t: Test): Promise<Laboratory> {
  const first = await testService(t)
  const context = { caller: 'command:test', requestId: null, inPerson: null }
  const { value } = await first.parts.serviceKeys.create(context, { name: 'laboratory', scopes: ['admin', 'check'] })
  const keys = { ...first.keys, admin: value.key, check: value.key }
  const service = administrationOf(t, { ...first, keys })
  const made = async (path: string, body: object) => (await service.expect(201, 'POST', path, body)).id as number
  return {
    ...service,
    restarted: async () => administrationOf(t, { ...(await replicaOf(t, first)), keys }),
    user: (username, more) => made('/v1/users', { username, createGroup: false, ...more }),
    group: (name) => made('/v1/groups', { name, confirmEditRights: true }),
    project: (title) => made('/v1/projects', { title }),
    grant: (project, type, id, permission, more) =>
      made(`/v1/projects/${project}/grants`, { principal: { type, id }, permission, ...more }),
    may: (...check) => isAllowed(service, ...check),
  }
}

type Check = [user: string | number | null, project: number, permission: string, more?: object]

async function isAllowed(service: Administration, ...[user, project, permission, more]: Check): Promise<boolean> {
  const body = { user, project, permission, ...more }
  return (await service.expect(200, 'POST', '/check', body)).allowed
}

t.test('through the running service', async (t) => {
  const lab = await laboratory(t)
  const larva = await lab.project('larva')
  const adult = await lab.project('adult')

  t.test('1: an empty policy and a request of empty strings is a deny', async (t) => {
    for (const permission of ['', 'can_browse']) {
      t.equal(await lab.may('', larva, permission), false)
      t.equal(await lab.may('', 0, permission), false)
      t.equal(await lab.may(null, larva, permission), false)
    }
  })

  t.test('4: arrays, numbers as text and other loose values are refused, not compared loosely', async (t) => {
    const alice = await lab.user('alice')
    await lab.grant(larva, 'user', alice, 'can_annotate')
    const good = { user: 'alice', project: larva, permission: 'can_annotate' }
    t.equal((await lab.expect(200, 'POST', '/check', good)).allowed, true)
    const loose = [
      { user: ['alice'] },
      { user: [alice] },
      { user: { toString: 'alice' } },
      { user: true },
      { user: 1.5 },
      { project: [larva] },
      { project: String(larva) },
      { project: null },
      { project: true },
      { project: '*' },
      { permission: ['can_annotate'] },
      { permission: null },
      { via: ['session'] },
      { via: 'Token' },
      { via: null },
      { object: { creator: ['alice'] } },
      { object: { creator: 'bob', importer: ['alice'] } },
      { object: { creator: 'bob', importer: null } },
      { object: { importer: 'alice' } },
      { object: ['alice'] },
      { objects: [] },
      { objects: {} },
    ]
    for (const change of loose) {
      const { status, body } = await lab.call('POST', '/check', { ...good, ...change })
      t.equal(status, 400, JSON.stringify(change))
      t.notOk(body.allowed)
    }
  })

  t.test('5: nothing is remembered: a membership taken away is gone with the next check', async (t) => {
    const [bob, tracers] = [await lab.user('bob'), await lab.group('tracers')]
    await lab.grant(larva, 'group', tracers, 'can_browse')
    for (let round = 0; round < 20; round++) {
      await lab.expect(201, 'PUT', `/v1/groups/${tracers}/members/${bob}`)
      if (!(await lab.may('bob', larva, 'can_browse'))) t.fail('added and not there')
      await lab.expect(200, 'DELETE', `/v1/groups/${tracers}/members/${bob}`)
      if (await lab.may('bob', larva, 'can_browse')) t.fail('taken away and still there')
    }
  })

  t.test('6: names that run into each other are kept apart, within a batch too', async (t) => {
    const [one, other] = [await lab.user('a$$b'), await lab.user('a')]
    await lab.grant(larva, 'user', one, 'can_browse')
    await lab.user('b$$c')
    const checks = [
      { user: 'a$$b', project: larva, permission: 'can_browse' },
      { user: 'a', project: larva, permission: 'can_browse' },
      { user: 'a', project: larva, permission: 'b$$can_browse' },
      { user: 'a$$b', project: larva, permission: 'can_browse' },
      { user: other, project: larva, permission: 'can_browse' },
    ]
    const { results } = await lab.expect(200, 'POST', '/checks', { checks })
    t.same(
      results.map(({ allowed }: { allowed: boolean }) => allowed),
      [true, false, false, true, false],
    )
  })

  t.test('11: a broken notification costs no write and no process', async (t) => {
    const carol = await lab.user('carol')
    const cut = await lab.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND query ILIKE 'listen%'`)
    t.equal(cut.length, 1, 'the listening connection is cut')
    const grant = await lab.grant(larva, 'user', carol, 'can_browse')
    t.equal(await lab.may('carol', larva, 'can_browse'), true)
    await lab.expect(200, 'DELETE', `/v1/projects/${larva}/grants/${grant}`)
    t.equal(await lab.may('carol', larva, 'can_browse'), false)
    t.equal((await lab.call('GET', '/readyz')).status, 200)
  })

  t.test('15: empty cells stay where they are: a grant with an end and no beginning, read anew', async (t) => {
    const dan = await lab.user('dan')
    await lab.grant(larva, 'user', dan, 'can_browse', { validUntil: '2999-01-01T00:00:00Z' })
    await lab.grant(adult, 'user', dan, 'can_browse', { validUntil: '1999-01-01T00:00:00Z' })
    await lab.grant(adult, 'user', dan, 'can_fork', { validFrom: '1999-01-01T00:00:00Z' })
    const anew = await lab.restarted()
    for (const service of [lab, anew]) {
      t.equal(await isAllowed(service, 'dan', larva, 'can_browse'), true)
      t.equal(await isAllowed(service, 'dan', adult, 'can_browse'), false)
      t.equal(await isAllowed(service, 'dan', adult, 'can_fork'), true)
    }
    const rows = await lab.query<{ v4: string; v5: string }>(
      `SELECT v4, v5 FROM casbin_rule WHERE ptype = 'p' AND v0 = $1 AND v1 = $2`,
      [`user:${dan}`, String(larva)],
    )
    t.same(rows, [{ v4: '', v5: '32472144000000' }])
  })

  t.test('16: a login that looks like rules is a login and no rule, read anew too', async (t) => {
    const hostile = [
      `eve", "${adult}", "can_annotate", "allow`,
      `user:1, ${adult}, can_annotate, allow, ,`,
      'p, user:1, *, can_annotate, allow',
      'eve # deny',
      'eve; deny',
      "eve', 'allow",
      '*',
      'role:superuser',
      'user:1',
      'group:1',
      'everything',
      '__proto__',
      'constructor',
      'toString',
      '=1+1',
      '😀',
    ]
    const ids: number[] = []
    for (const username of hostile) ids.push(await lab.user(username))
    for (const id of ids) await lab.grant(larva, 'user', id, 'can_annotate')
    await lab.user('eve')
    const anew = await lab.restarted()
    for (const service of [lab, anew]) {
      for (const [place, username] of hostile.entries()) {
        t.equal(await isAllowed(service, username, larva, 'can_annotate'), true, username)
        t.equal(await isAllowed(service, ids[place] as number, adult, 'can_annotate'), false, username)
        t.equal((await service.expect(200, 'GET', `/v1/users/${ids[place]}`)).username, username)
      }
      for (const [user, project] of [
        ['eve', larva],
        ['eve', adult],
        ['hasOwnProperty', larva],
        [null, larva],
      ] as const) {
        t.equal(await isAllowed(service, user, project, 'can_annotate'), false)
      }
    }
  })

  t.test('17: taking an allow away leaves the deny beside it, in the database and read anew', async (t) => {
    const fay = await lab.user('fay')
    const allow = await lab.grant(larva, 'user', fay, 'can_browse')
    const deny = await lab.grant(larva, 'user', fay, 'can_browse', { effect: 'deny' })
    await lab.expect(200, 'DELETE', `/v1/projects/${larva}/grants/${allow}`)
    const { items } = await lab.expect(200, 'GET', `/v1/projects/${larva}/grants?userId=${fay}`)
    t.match(items, [{ id: deny, effect: 'deny' }])
    await lab.grant(larva, 'user', fay, 'can_browse')
    t.equal(await lab.may('fay', larva, 'can_browse'), false)
    t.equal(await isAllowed(await lab.restarted(), 'fay', larva, 'can_browse'), false)
  })

  t.test('18: taking one membership away leaves every other, in the database and read anew', async (t) => {
    const [gil, hal, painters] = [await lab.user('gil'), await lab.user('hal'), await lab.group('painters')]
    await lab.grant(larva, 'group', painters, 'can_browse')
    await lab.grant(adult, 'group', painters, 'can_browse')
    await lab.expect(201, 'PUT', `/v1/groups/${painters}/members/${gil}`)
    await lab.expect(201, 'PUT', `/v1/groups/${painters}/members/${gil}?project=${larva}`)
    await lab.expect(201, 'PUT', `/v1/groups/${painters}/members/${hal}`)
    const [before] = await lab.query<{ count: string }>('SELECT count(*) FROM memberships')
    await lab.expect(200, 'DELETE', `/v1/groups/${painters}/members/${gil}`)
    const [after] = await lab.query<{ count: string }>('SELECT count(*) FROM memberships')
    t.equal(Number(after?.count), Number(before?.count) - 1)
    for (const service of [lab, await lab.restarted()]) {
      t.equal(await isAllowed(service, 'gil', larva, 'can_browse'), true, 'the limited one is left')
      t.equal(await isAllowed(service, 'gil', adult, 'can_browse'), false)
      t.equal(await isAllowed(service, 'hal', adult, 'can_browse'), true)
    }
  })

  t.test('19: a write that fails half-way changes nothing', async (t) => {
    const ida = await lab.user('ida')
    await lab.grant(larva, 'user', ida, 'can_browse')
    await lab.grant(larva, 'user', ida, 'can_import')
    const set = `/v1/projects/${larva}/grants/user/${ida}`
    t.equal((await lab.call('PUT', set, { permissions: ['can_fork', 'can_fly'] })).status, 400)
    await lab.query(`CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'the disk is full'; END $$`)
    await lab.query(`CREATE TRIGGER fail BEFORE INSERT ON grants FOR EACH ROW
      WHEN (NEW.permission = 'can_fork') EXECUTE FUNCTION fail()`)
    t.ok((await lab.call('PUT', set, { permissions: ['can_fork'] })).status >= 500)
    await lab.query('DROP TRIGGER fail ON grants')
    const { items } = await lab.expect(200, 'GET', `/v1/projects/${larva}/grants?userId=${ida}`)
    t.equal(items.length, 2, 'both grants are still there')
    t.equal(await lab.may('ida', larva, 'can_browse'), true)
    t.equal(await lab.may('ida', larva, 'can_import'), true)
    await lab.expect(200, 'PUT', set, { permissions: ['can_fork'] })
    t.equal(await lab.may('ida', larva, 'can_import'), false)
    t.equal(await lab.may('ida', larva, 'can_fork'), true)
  })

  t.test('20: two equal grants given at once make one grant', async (t) => {
    const joe = await lab.user('joe')
    const body = { principal: { type: 'user', id: joe }, permission: 'can_browse' }
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => lab.call('POST', `/v1/projects/${larva}/grants`, body)),
    )
    t.same(answers.map(({ status }) => status).sort(), [201, 409, 409, 409, 409, 409, 409, 409])
    const rows = await lab.query('SELECT id FROM grants WHERE user_id = $1', [joe])
    t.equal(rows.length, 1)
    await lab.expect(
      200,
      'DELETE',
      `/v1/projects/${larva}/grants/${answers.find(({ status }) => status === 201)?.body.id}`,
    )
    t.equal(await lab.may('joe', larva, 'can_browse'), false)
  })

  t.test('21: after policy was read anew in full, writes go on as before', async (t) => {
    const [kim, project] = [await lab.user('kim'), await lab.project('scratch')]
    await lab.query('TRUNCATE grants')
    const grant = await lab.grant(project, 'user', kim, 'can_browse')
    t.equal(await lab.may('kim', project, 'can_browse'), true)
    await lab.expect(200, 'DELETE', `/v1/projects/${project}/grants/${grant}`)
    t.equal(await lab.may('kim', project, 'can_browse'), false)
    await lab.expect(200, 'PUT', `/v1/projects/${project}/grants/user/${kim}`, { permissions: ['can_fork'] })
    t.equal(await lab.may('kim', project, 'can_fork'), true)
  })

  t.test('22: starting the service changes no table', async (t) => {
    await lab.query(`ALTER TABLE groups ADD COLUMN colour text DEFAULT 'red'`)
    await lab.query('CREATE TABLE ours (id integer)')
    const shape = () =>
      lab.query(`SELECT table_name, column_name, data_type, column_default, is_nullable
        FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2`)
    const before = await shape()
    await lab.restarted()
    t.same(await shape(), before)
    await lab.query('ALTER TABLE groups DROP COLUMN colour')
    await lab.query('DROP TABLE ours')
  })

  t.test("an exception for superusers does not lose a superuser's denies", async (t) => {
    const root = await lab.user('root', { isSuperuser: true })
    t.equal(await lab.may('root', larva, 'can_browse'), true)
    await lab.grant(larva, 'user', root, 'can_browse', { effect: 'deny' })
    t.equal(await lab.may('root', larva, 'can_browse'), false)
    t.equal(await isAllowed(await lab.restarted(), 'root', larva, 'can_browse'), false)
    t.equal(await lab.may('root', adult, 'can_browse'), true)
  })

  t.test('an effect that is misspelt is refused, never stored as something that denies nothing', async (t) => {
    const lea = await lab.user('lea')
    for (const effect of ['Deny', 'deny ', 'DENY', '', null, 'forbid']) {
      const body = { principal: { type: 'user', id: lea }, permission: 'can_browse', effect }
      t.equal((await lab.call('POST', `/v1/projects/${larva}/grants`, body)).status, 400, String(effect))
    }
    await t.rejects(
      lab.query(`INSERT INTO grants (user_id, project_id, permission, effect) VALUES ($1, $2, 'can_browse', 'Deny')`, [
        lea,
        larva,
      ]),
      'by hand neither',
    )
  })

  t.test('a project named * in a check opens nothing', async (t) => {
    for (const project of ['*', -1, 0, 2_147_483_648, 9e15]) {
      const { status, body } = await lab.call('POST', '/check', { user: 'root', project, permission: 'can_browse' })
      t.notOk(body.allowed, `${project}: ${status}`)
      t.ok(status === 200 || status === 400)
    }
  })

  t.test('groups make no chain: a user is no group, whatever their ids', async (t) => {
    const owls = await lab.group('owls')
    const names = ['max', 'ned', 'ora', 'pia', 'quin', 'rob', 'sue', 'tom']
    const ids: number[] = []
    for (const name of names) ids.push(await lab.user(name))
    const twin = await lab.query<{ id: number }>('INSERT INTO groups (id, name) VALUES ($1, $2) RETURNING id', [
      ids[0],
      'twin of max',
    ])
    t.equal(twin[0]?.id, ids[0])
    await lab.expect(201, 'PUT', `/v1/groups/${ids[0]}/members/${ids[1]}`)
    await lab.expect(201, 'PUT', `/v1/groups/${owls}/members/${ids[0]}`)
    await lab.grant(larva, 'group', owls, 'can_browse')
    t.equal(await lab.may('max', larva, 'can_browse'), true)
    t.equal(await lab.may('ned', larva, 'can_browse'), false)
  })

  t.test('a user without any grant, in a project without any rule, is denied', async (t) => {
    const empty = await lab.project('empty')
    for (const user of ['eve', 'alice', null]) t.equal(await lab.may(user, empty, 'can_browse'), false)
    const { items } = await lab.expect(200, 'GET', `/v1/projects/${empty}/users?permission=can_browse`)
    t.ok(items.every(({ username }: { username: string }) => username === 'root'))
  })
})

t.test('in the parts that load and decide', async (t) => {
  t.test('1: an empty policy without even a rule file denies everything, evaluated by index or in full', async (t) => {
    const texts: PolicyText[] = [
      { ...SHIPPED, ruleFiles: [] },
      {
        ...edited(SHIPPED, 'model.conf', 'm = (p.dom', 'm = p.sub == r.sub && p.dom == r.dom || (p.dom'),
        ruleFiles: [],
      },
    ]
    for (const text of texts) {
      for (const tables of [NO_TABLES, tablesOf(ANY_CASE)]) {
        const snapshot = snapshotOf(modelOf(text), tables, 1)
        for (const user of ['', null, 'alice', 'root']) {
          for (const permission of ['', 'can_browse']) {
            t.equal(decide(snapshot, { user, project: 1, permission }, INSTANT).allowed, false)
            t.equal(decide(snapshot, { user, project: Number.NaN, permission }, INSTANT).allowed, false)
          }
        }
      }
    }
  })

  t.test(
    '2: a matcher that names an unknown field is refused, instead of comparing undefined to undefined',
    async (t) => {
      const text = edited(SHIPPED, 'model.conf', '(p.dom == r.dom || p.dom == "*")', 'r.domain == p.domain')
      t.throws(() => modelOf(text), { name: 'PolicyModelError', message: /^model\.conf:\d+.*domain/ })
    },
  )

  t.test('3, 12: every matcher function answers true or false at once, whatever it is asked', async (t) => {
    const snapshot = snapshotOf(MODEL, tablesOf(ANY_CASE), 1)
    const functions = Object.entries(namedFunctions(snapshot, () => false))
    t.same(functions.map(([name]) => name).sort(), Object.keys(MATCHER_FUNCTIONS).sort())
    for (const [name, call] of functions) {
      for (const value of ['', 'user:2', 'user:99', '__proto__', 'constructor', 'false', '1', '*', 'NaN']) {
        const args = MATCHER_FUNCTIONS[name as keyof typeof MATCHER_FUNCTIONS].takes.map(() => value)
        t.type((call as (...args: unknown[]) => unknown)(...args), 'boolean', `${name}(${args})`)
      }
    }
  })

  t.test('12: a fault inside a decision is a deny with the reason `fault`, told to the log', async (t) => {
    const faults: unknown[] = []
    const snapshot = new Snapshot(MODEL, { onFault: (cause) => faults.push(cause) })
    const { users, projects, grants } = tablesOf({ ...ANY_CASE, grants: [['alice', 'can_annotate', 1]] })
    const changes = (kind: string, rows: { id: number }[]) =>
      rows.map((state) => ({ kind, id: state.id, state })) as unknown as PolicyChange[]
    snapshot.apply([...changes('user', users), ...changes('project', projects), ...changes('grant', grants)])
    const broken = {
      get creator(): string {
        throw new Error('broken')
      },
    }
    const request = { user: 'alice', project: 1, permission: 'can_annotate', objects: [broken] }
    t.same(decide(snapshot, request, INSTANT), { allowed: false, reason: 'fault' })
    t.match(explain(snapshot, request, INSTANT), { allowed: false, reason: { code: 'fault' } })
    t.same(decide(snapshot, { ...request, objects: [] }, INSTANT), { allowed: false, reason: 'fault' })
    t.ok(faults.length >= 2)
    t.equal(decide(snapshot, { ...request, objects: [{ creator: 'alice' }] }, INSTANT).allowed, true)
  })

  t.test('7, 10: while policy is being read anew, every decision comes from the last whole snapshot', async (t) => {
    const { keeper, source, tables } = await kept(t)
    const checks = () => {
      t.equal(
        decide(keeper.snapshot(), { user: 'alice', project: 1, permission: 'can_browse' }, INSTANT).reason,
        'denied',
      )
      t.equal(decide(keeper.snapshot(), { user: 'bob', project: 1, permission: 'can_browse' }, INSTANT).allowed, true)
      t.match(explain(keeper.snapshot(), { user: 'root', project: 2, permission: 'can_fork' }, INSTANT), {
        allowed: true,
      })
    }
    checks()
    source.onBatch = checks
    source.revision += 1
    keeper.refresh()
    await keeper.atLeast(source.revision)
    t.equal(source.reads, 2)
    t.ok(tables.grants.length > 0)
    checks()
  })

  t.test('8: when reading anew fails, at the start of it or half-way, the last whole snapshot goes on', async (t) => {
    const { keeper, source } = await kept(t)
    for (const failAfter of [0, 1, 3]) {
      source.failAfter = failAfter
      source.revision += 1
      keeper.refresh()
      await source.failed()
      t.equal(
        decide(keeper.snapshot(), { user: 'alice', project: 1, permission: 'can_browse' }, INSTANT).reason,
        'denied',
      )
      t.equal(decide(keeper.snapshot(), { user: 'bob', project: 1, permission: 'can_browse' }, INSTANT).allowed, true)
    }
    source.failAfter = null
    keeper.refresh()
    t.equal((await keeper.atLeast(source.revision)).revision, source.revision)
  })

  t.test('9: refreshes that overlap leave every rule once', async (t) => {
    const { keeper, source, tables } = await kept(t)
    source.revision += 1
    for (let asked = 0; asked < 5; asked++) keeper.refresh()
    const reached = keeper.atLeast(source.revision)
    for (let asked = 0; asked < 5; asked++) keeper.refresh()
    const snapshot = await reached
    t.equal(snapshot.grants.size, tables.grants.length)
    t.equal(snapshot.memberships.size, tables.memberships.length)
    snapshot.apply([{ kind: 'grant', id: tables.grants[0]?.id ?? 0, state: null }])
    t.equal(decide(snapshot, { user: 'alice', project: 1, permission: 'can_browse' }, INSTANT).reason, 'no_grant')
  })

  t.test('13: a chain of twelve implications, or of twelve groups, still holds at its end', async (t) => {
    const chain = (from: string, to: string, line: (one: string, next: string) => string) => {
      const steps = [from, ...Array.from({ length: 11 }, (_, place) => `step:${place}`), to]
      return steps.slice(1).map((next, place) => line(steps[place] as string, next))
    }
    const rules = [
      ...chain('can_fork', 'can_import', (one, next) => `g2, ${one}, ${next}`),
      ...chain('group:1', 'group:2', (one, next) => `g, ${one}, ${next}, *`),
    ]
    const model = modelOf({
      ...SHIPPED,
      ruleFiles: [...SHIPPED.ruleFiles, { file: 'policies/chain.csv', text: rules.join('\n') }],
    })
    const tables = tablesOf({
      ...ANY_CASE,
      members: [['alice', 'tracers']],
      grants: [
        ['group:bob', 'can_browse', 1],
        ['bob', 'can_fork', 1],
        ['group:bob', 'can_fork', 2, { deny: true }],
      ],
    })
    const snapshot = snapshotOf(model, tables, 1)
    const reason = (user: string, project: number, permission: string) =>
      decide(snapshot, { user, project, permission }, INSTANT).reason
    t.equal(reason('alice', 1, 'can_browse'), 'allowed')
    t.equal(reason('bob', 1, 'can_import'), 'allowed')
    t.equal(reason('alice', 2, 'can_import'), 'denied', 'a deny at the end of both chains')
  })

  t.test('14: a wide graph of links, with circles, is walked once and answers', async (t) => {
    const lines: string[] = [
      'g, group:1, layer:0:0, *',
      'g2, can_fork, wide:0:0',
      'g2, wide:11:0, can_import',
      'g, layer:11:0, group:2, *',
    ]
    for (let layer = 0; layer < 11; layer++) {
      for (let one = 0; one < 8; one++) {
        for (let next = 0; next < 8; next++) {
          lines.push(
            `g, layer:${layer}:${one}, layer:${layer + 1}:${next}, *`,
            `g2, wide:${layer}:${one}, wide:${layer + 1}:${next}`,
          )
        }
      }
    }
    lines.push('g, group:2, group:1, *', 'g2, can_import, can_fork')
    const model = modelOf({
      ...SHIPPED,
      ruleFiles: [...SHIPPED.ruleFiles, { file: 'policies/wide.csv', text: lines.join('\n') }],
    })
    const tables = tablesOf({ ...ANY_CASE, members: [['alice', 'tracers']], grants: [['group:bob', 'can_fork', 1]] })
    const snapshot = snapshotOf(model, tables, 1)
    t.equal(decide(snapshot, { user: 'alice', project: 1, permission: 'can_import' }, INSTANT).allowed, true)
    t.equal(decide(snapshot, { user: 'bob', project: 1, permission: 'can_import' }, INSTANT).allowed, false)
    t.equal(decide(snapshot, { user: 'alice', project: 2, permission: 'can_import' }, INSTANT).allowed, false)
  })

  t.test('a matcher that calls an unknown function is refused, negated or not', async (t) => {
    for (const call of [
      '!banned(r.sub)',
      'banned(r.sub)',
      '!constructor(r.sub)',
      '!toString(r.sub)',
      '!r.sub.constructor(p.sub)',
    ]) {
      const text = edited(SHIPPED, 'model.conf', 'active(r.sub) &&', `active(r.sub) && ${call} &&`)
      t.throws(() => modelOf(text), { name: 'PolicyModelError', message: /^model\.conf:\d+/ }, call)
    }
  })

  t.test('a matcher that names no rule is refused, since it would pass over every deny', async (t) => {
    const rest = SHIPPED.modelText.slice(SHIPPED.modelText.indexOf('m = '), SHIPPED.modelText.indexOf('m2 = '))
    t.throws(() => modelOf(edited(SHIPPED, 'model.conf', rest, 'm = superuser(r.sub)\n')), { name: 'PolicyModelError' })
  })

  t.test('a number sign or semicolon that would cut a matcher off is refused', async (t) => {
    for (const sign of ['#', ';']) {
      const text = edited(SHIPPED, 'model.conf', 'm = (p.dom', `m = p.sub != "${sign}" && (p.dom`)
      t.throws(() => modelOf(text), { name: 'PolicyModelError', message: /^model\.conf:\d+/ }, sign)
    }
  })

  t.test('a misspelt section is refused', async (t) => {
    const text = edited(SHIPPED, 'model.conf', '[matchers]', '[matcher]')
    t.throws(() => modelOf(text), { name: 'PolicyModelError', message: /^model\.conf:\d+.*matcher/ })
  })

  t.test('no function of ours has a name that Casbin took first, which would make it ignore ours', async (t) => {
    const taken = [...FunctionMap.loadFunctionMap().getFunctions().keys()]
    t.ok(taken.length > 0)
    for (const name of Object.keys(MATCHER_FUNCTIONS)) {
      t.notOk([...taken, 'g', 'g2', 'eval'].includes(name), name)
    }
  })

  t.test(
    'a name given to nobody asks and leaves nothing behind: unknown projects do not fill the memory',
    async (t) => {
      const snapshot = snapshotOf(MODEL, randomTables(new Chance(3)), 1)
      const sizes = () => [snapshot.projects.size, snapshot.users.size, snapshot.groups.size, snapshot.grants.size]
      const before = sizes()
      for (let project = 1000; project < 3000; project++) {
        decide(snapshot, { user: `stranger ${project}`, project, permission: `can_${project}` }, INSTANT)
        decide(snapshot, { user: null, project, permission: 'can_browse' }, INSTANT)
      }
      t.same(sizes(), before)
    },
  )
})

/** A source that yields between rows as a database does, can fail half-way, and always wants everything read anew. */
class SlowSource implements PolicySource {
  revision = 1
  reads = 0
  failAfter: number | null = null
  onBatch: () => void = () => {}
  readonly #changes: PolicyChange[]
  #failures = 0
  #onFailure: () => void = () => {}

  constructor(tables: PolicyTables) {
    const kinds = ['user', 'group', 'project', 'membership', 'grant'] as const
    this.#changes = kinds.flatMap((kind) =>
      tables[`${kind}s`].map((state) => ({ kind, id: state.id, state }) as unknown as PolicyChange),
    )
  }

  async readAll(receive: (batch: PolicyChange[]) => void): Promise<{ revision: number; lost: null }> {
    this.reads += 1
    const { revision } = this
    for (const [place, change] of this.#changes.entries()) {
      if (place === this.failAfter) return this.#fail()
      receive([structuredClone(change)])
      await new Promise((resolve) => setImmediate(resolve))
      this.onBatch()
    }
    return { revision, lost: null }
  }

  #fail(): never {
    this.#failures += 1
    this.#onFailure()
    throw new Error('the database is gone')
  }

  /** Resolves once one more read has failed. */
  async failed(): Promise<void> {
    const before = this.#failures
    await new Promise<void>((resolve) => {
      this.#onFailure = () => setImmediate(resolve)
      if (this.#failures > before) resolve()
    })
  }

  async changesSince(revision: number): Promise<[] | null> {
    return revision === this.revision ? [] : null
  }

  async listen(): Promise<{ stop(): Promise<void> }> {
    return { stop: async () => {} }
  }

  async keepLost(): Promise<void> {}

  async close(): Promise<void> {}
}

async function kept(t: Test) {
  const tables = tablesOf({
    ...ANY_CASE,
    members: [['bob', 'tracers']],
    grants: [
      ['alice', 'can_browse', 1, { deny: true }],
      ['group:tracers', 'can_browse', 1],
    ],
  })
  const source = new SlowSource(tables)
  const log = { info: () => {}, warn: () => {}, error: () => {} }
  const keeper = new SnapshotKeeper({ source, model: MODEL, maxStalenessMs: 60_000, log })
  await keeper.start()
  t.teardown(() => keeper.stop())
  return { keeper, source, tables }
}
