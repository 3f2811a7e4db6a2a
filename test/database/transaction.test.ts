import t from 'tap'
import { policyWrite } from '../../src/database/transaction.ts'
import { testDatabase } from '../harness/database.ts'

const context = { caller: 'command:test', requestId: 'r-1', inPerson: null }

t.test('a write is kept with its audit events and revision, and told once it is', async (t) => {
  const { dataSource, query } = await testDatabase(t)
  const told: number[] = []
  const write = policyWrite(
    dataSource,
    (manager) => manager,
    async (revision) => {
      const [{ head }] = (await query('SELECT revision AS head FROM policy_head')) as [{ head: number }]
      t.equal(head, revision, 'committed before it is told')
      told.push(revision)
    },
  )
  const first = await write(context, async (manager, audit) => {
    audit({ action: 'project.create', target: 'project:1', after: { title: 'a "quoted", #title\n' } })
    audit({ action: 'project.note', target: 'project:1', before: { x: null }, editRightsConfirmed: true })
    const [{ id }] = await manager.query(`INSERT INTO projects (title) VALUES ('a') RETURNING id`)
    return id
  })
  t.same(first, { value: 1, revision: 2 })
  t.same(told, [2])
  t.match(await query('SELECT * FROM audit_events ORDER BY id'), [
    {
      caller: 'command:test',
      request_id: 'r-1',
      revision: 2,
      action: 'project.create',
      target: 'project:1',
      before: null,
      after: { title: 'a "quoted", #title\n' },
      edit_rights_confirmed: false,
    },
    { action: 'project.note', before: { x: null }, after: null, edit_rights_confirmed: true },
  ])
})

t.test('a write that changes no policy answers with the current revision and raises nothing', async (t) => {
  const { dataSource, query } = await testDatabase(t)
  const write = policyWrite(
    dataSource,
    (manager) => manager,
    async () => undefined,
  )
  t.same(await write(context, async () => 'nothing'), { value: 'nothing', revision: 1 })
  const mail = await write(context, async (manager, audit) => {
    audit({ action: 'user.change', target: 'user:1' })
    await manager.query(`UPDATE users SET email = 'a@example.org'`)
  })
  t.equal(mail.revision, 1)
  t.same(await query('SELECT revision FROM policy_head'), [{ revision: 1 }])
  t.match(await query('SELECT action, revision FROM audit_events'), [{ action: 'user.change', revision: 1 }])
})

t.test('a write whose work throws leaves nothing and tells nobody', async (t) => {
  const { dataSource, query } = await testDatabase(t)
  const write = policyWrite(
    dataSource,
    (manager) => manager,
    async () => void t.fail('told'),
  )
  await t.rejects(
    write(context, async (manager, audit) => {
      audit({ action: 'project.create', target: 'project:1' })
      await manager.query(`INSERT INTO projects (title) VALUES ('a')`)
      throw new Error('changed my mind')
    }),
    { message: 'changed my mind' },
  )
  t.same(await query('SELECT id FROM projects UNION ALL SELECT id FROM audit_events'), [])
  t.same(await query('SELECT revision FROM policy_head'), [{ revision: 1 }])
})

t.test('a write is a success also when nobody could be told of it', async (t) => {
  const { dataSource } = await testDatabase(t)
  const write = policyWrite(
    dataSource,
    (manager) => manager,
    () => Promise.reject(new Error('keeper is away')),
  )
  const { revision } = await write(context, (manager) => manager.query(`INSERT INTO projects (title) VALUES ('a')`))
  t.equal(revision, 2)
})

t.test('two writers that block each other are both kept', async (t) => {
  const { dataSource, query } = await testDatabase(t)
  await query(`INSERT INTO groups (id, name) VALUES (1, 'a'), (2, 'b')`)
  const write = policyWrite(
    dataSource,
    (manager) => manager,
    async () => undefined,
  )
  let waiting = 0
  let meet: () => void = () => undefined
  const both = new Promise<void>((resolve) => {
    meet = resolve
  })
  const rename = (first: number, second: number) =>
    write(context, async (manager) => {
      await manager.query(`UPDATE groups SET name = name || 'x' WHERE id = $1`, [first])
      waiting += 1
      if (waiting === 2) meet()
      await both
      await manager.query(`UPDATE groups SET name = name || 'x' WHERE id = $1`, [second])
    })
  const done = await Promise.all([rename(1, 2), rename(2, 1)])
  t.same(done.map(({ revision }) => revision).sort(), [3, 4])
  t.same(await query('SELECT name FROM groups ORDER BY id'), [{ name: 'axx' }, { name: 'bxx' }])
})

t.test('ten thousand audit events in one write keep their order', async (t) => {
  const { dataSource, query } = await testDatabase(t)
  const write = policyWrite(
    dataSource,
    (manager) => manager,
    async () => undefined,
  )
  await write(context, async (_, audit) => {
    for (let id = 1; id <= 10_000; id += 1) audit({ action: 'grant.create', target: `grant:${id}` })
  })
  t.same(await query(`SELECT count(*) AS events, bool_and(target = 'grant:' || id) AS ordered FROM audit_events`), [
    { events: 10_000, ordered: true },
  ])
})

t.test('a write whose connection breaks between two statements tells that the database was away', async (t) => {
  const { dataSource, query, connected } = await testDatabase(t)
  const write = policyWrite(
    dataSource,
    (manager) => manager,
    async () => undefined,
  )
  const broken = write(context, async (manager) => {
    const [{ pid }] = await manager.query('SELECT pg_backend_pid() AS pid')
    await connected((other) => other.query('SELECT pg_terminate_backend($1, 10000)', [pid]))
    await manager.query(`INSERT INTO groups (name) VALUES ('half')`)
  })
  await t.rejects(broken, { code: 'database-unavailable' })
  t.same(await query('SELECT name FROM groups'), [])
})
