import t, { type Test } from 'tap'
import type { PolicyChange } from '../../src/decision/policy-state.ts'
import { PolicySourceStore } from '../../src/policy/policy-source-store.ts'
import { testDatabase } from '../harness/database.ts'

async function policy(t: Test) {
  const database = await testDatabase(t)
  await database.query(`
    INSERT INTO users (id, username, is_active, general_permissions) VALUES (10, 'a "b", #c', false, '{can_browse}');
    UPDATE users SET deleted_at = now() WHERE id = 10;
    INSERT INTO groups (id, name) VALUES (20, E'line\\nbreak');
    INSERT INTO projects (id, title) VALUES (30, 'brain');
    INSERT INTO memberships (id, user_id, group_id, project_id) VALUES (40, 10, 20, NULL), (41, 10, 20, 30);
    INSERT INTO grants (id, user_id, project_id, permission, effect, valid_from, valid_until)
      VALUES (50, 10, 30, 'can_browse', 'deny', '1969-12-31T23:59:59.999Z', '2026-01-02T03:04:05.678Z');
    INSERT INTO grants (id, group_id, project_id, permission) VALUES (51, 20, 30, 'can_fork');
    INSERT INTO service_keys (id, name, key_hash, key_start, scopes)
      VALUES (60, 'catmaid', decode(repeat('0f', 32), 'hex'), 'x', '{check,admin}')
  `)
  return { ...database, source: new PolicySourceStore(database) }
}

async function all(source: PolicySourceStore): Promise<{ revision: number; changes: PolicyChange[] }> {
  const changes: PolicyChange[] = []
  const { revision } = await source.readAll((batch) => changes.push(...batch))
  return { revision, changes }
}

t.test('all policy is read in the order that the port promises, in the words of the feed', async (t) => {
  const { source, query } = await policy(t)
  const { revision, changes } = await all(source)
  t.equal(revision, 2)
  t.same(
    changes.filter(({ id, kind }) => kind !== 'user' || id === 10),
    [
      {
        kind: 'user',
        id: 10,
        state: {
          id: 10,
          username: 'a "b", #c',
          isActive: false,
          isSuperuser: false,
          isAnonymous: false,
          generalPermissions: ['can_browse'],
          isDeleted: true,
        },
      },
      { kind: 'group', id: 20, state: { id: 20, name: 'line\nbreak' } },
      { kind: 'project', id: 30, state: { id: 30, title: 'brain' } },
      { kind: 'membership', id: 40, state: { id: 40, userId: 10, groupId: 20, projectId: null } },
      { kind: 'membership', id: 41, state: { id: 41, userId: 10, groupId: 20, projectId: 30 } },
      {
        kind: 'grant',
        id: 50,
        state: {
          id: 50,
          userId: 10,
          groupId: null,
          projectId: 30,
          permission: 'can_browse',
          effect: 'deny',
          validFrom: -1,
          validUntil: Date.parse('2026-01-02T03:04:05.678Z'),
        },
      },
      {
        kind: 'grant',
        id: 51,
        state: {
          id: 51,
          userId: null,
          groupId: 20,
          projectId: 30,
          permission: 'can_fork',
          effect: 'allow',
          validFrom: null,
          validUntil: null,
        },
      },
      {
        kind: 'serviceKey',
        id: 60,
        state: { id: 60, name: 'catmaid', keyHash: '0f'.repeat(32), scopes: ['check', 'admin'] },
      },
    ],
  )
  const recorded = ((await source.changesSince(1, 1))?.[0]?.changes ?? []).filter(({ kind }) => kind !== 'user')
  t.same(
    recorded,
    changes.filter(({ kind }) => kind !== 'user'),
    'the feed says the same of the same rows',
  )
  t.equal((await query('SELECT count(*) AS n FROM policy_head'))[0]?.n, 1)
})

t.test('a read sees one revision, whatever is written meanwhile', async (t) => {
  const { source, query, connected } = await policy(t)
  const before = await all(source)
  const during = await connected(async (writer) => {
    await writer.query('BEGIN; LOCK TABLE projects IN ACCESS EXCLUSIVE MODE; DELETE FROM grants; DELETE FROM projects')
    const reading = all(source)
    const waiting = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
    while ((await query(waiting)).length === 0);
    await writer.query('COMMIT')
    return reading
  })
  t.same(during, before)
  const after = await all(source)
  t.equal(after.revision, before.revision + 1)
  t.ok(after.changes.length < before.changes.length)
})

t.test('a read whose receiver throws fails, and gives its connection up', async (t) => {
  const { source, query } = await policy(t)
  await t.rejects(
    source.readAll(() => {
      throw new Error('full')
    }),
    { message: 'full' },
  )
  for (;;) {
    const rows = await query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'`,
    )
    if (rows.length === 0) break
  }
  t.equal((await all(source)).revision, 2)
})

t.test('changes come in order, at most as many as asked, and none when there is none', async (t) => {
  const { source, query } = await policy(t)
  for (let n = 3; n <= 7; n += 1) await query(`INSERT INTO projects (id, title) VALUES (100 + ${n}, 'p')`)
  const revisions = async (since: number, limit: number) =>
    (await source.changesSince(since, limit))?.map(({ revision }) => revision)
  t.same(await revisions(2, 100), [3, 4, 5, 6, 7])
  t.same(await revisions(2, 2), [3, 4])
  t.same(await revisions(4, 3), [5, 6, 7])
  t.same(await revisions(7, 100), [])
})

t.test(
  'a log that does not reach back, has a hole, or belongs to an older database asks to read everything',
  async (t) => {
    const { source, query } = await policy(t)
    for (let n = 3; n <= 7; n += 1) await query(`INSERT INTO projects (id, title) VALUES (100 + ${n}, 'p')`)
    t.equal(await source.changesSince(8, 100), null, 'a revision that is not there yet')
    await query('DELETE FROM policy_change_sets WHERE revision <= 3')
    t.equal(await source.changesSince(2, 100), null)
    t.equal(await source.changesSince(1, 1), null)
    t.equal((await source.changesSince(3, 100))?.length, 4)
    await query('DELETE FROM policy_change_sets WHERE revision = 5')
    t.equal(await source.changesSince(3, 100), null)
    t.equal((await source.changesSince(3, 1))?.length, 1, 'up to the hole')
    await query('DELETE FROM policy_change_sets')
    t.equal(await source.changesSince(3, 100), null)
    t.same(await source.changesSince(7, 100), [])
  },
)

t.test('a commit is told to whoever listens, whoever made it', async (t) => {
  const { source, connected } = await policy(t)
  let notices = 0
  let told: () => void = () => undefined
  const listener = await source.listen(
    () => {
      notices += 1
      told()
    },
    () => t.fail('lost'),
  )
  const next = () =>
    new Promise<void>((resolve) => {
      told = resolve
    })
  const first = next()
  await connected((client) => client.query(`INSERT INTO projects (title) VALUES ('by hand')`))
  await first
  const second = next()
  await connected(async (client) => {
    await client.query(`BEGIN; INSERT INTO projects (title) VALUES ('no'); ROLLBACK`)
    await client.query(`UPDATE users SET email = 'x@example.org'`)
    await client.query(`INSERT INTO projects (title) VALUES ('a'); INSERT INTO projects (title) VALUES ('b')`)
  })
  await second
  t.equal(notices, 2, 'one a committed change of policy')
  await listener.stop()
})

t.test('a listener whose connection breaks says so once, and one that is stopped does not', async (t) => {
  const { source, query } = await policy(t)
  const stopped = await source.listen(
    () => undefined,
    () => t.fail('told of its own stop'),
  )
  await stopped.stop()
  let losses = 0
  const lost = new Promise<unknown>((resolve) => {
    const counted = (cause: unknown) => {
      losses += 1
      resolve(cause)
    }
    void source
      .listen(() => undefined, counted)
      .then(() =>
        query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'LISTEN%'`),
      )
  })
  t.match(await lost, { code: '57P01' })
  await query('SELECT 1')
  t.equal(losses, 1)
})

t.test('news cost what is new, however long the log is and however little the database knows of itself', async (t) => {
  const { source, query, connected } = await policy(t)
  await connected((client) =>
    client.query(`
      ALTER TABLE policy_change_sets DISABLE TRIGGER USER;
      INSERT INTO policy_change_sets (revision) SELECT 2 + n FROM generate_series(1, 40000) n;
      ALTER TABLE policy_change_sets ENABLE TRIGGER USER;
      INSERT INTO policy_changes (change_set, kind, row_id) SELECT id, 'grant', id FROM policy_change_sets;
      UPDATE policy_head SET revision = 40002`),
  )
  const read = async () => {
    await query('SELECT pg_stat_clear_snapshot()')
    const [row] = await query<{ rows: number }>(`SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) AS rows
      FROM pg_stat_user_tables WHERE relname IN ('policy_changes', 'policy_change_sets')`)
    return Number(row?.rows)
  }
  const before = await read()
  t.equal((await source.changesSince(39_992, 500))?.length, 10)
  // A connection tells what it has read at its end.
  await source.close()
  let after = before
  while (after === before) after = await read()
  t.ok(after - before < 100, `${after - before} rows were read for 10 changes`)
})
