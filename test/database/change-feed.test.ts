import t, { type Test } from 'tap'
import type { ChangeSet } from '../../src/decision/policy-state.ts'
import { PolicySourceStore } from '../../src/policy/policy-source-store.ts'
import { type TestDatabase, testDatabase } from '../harness/database.ts'

/** A database with a few rows of policy, and a way to see what a piece of SQL leaves in the feed. */
async function feed(t: Test) {
  const database = await testDatabase(t)
  await database.query(`
    INSERT INTO users (id, username) VALUES (10, 'alice'), (11, 'bob');
    INSERT INTO groups (id, name) VALUES (20, 'tracers'), (21, 'bob');
    INSERT INTO projects (id, title) VALUES (30, 'brain'), (31, 'gut');
    INSERT INTO memberships (id, user_id, group_id, project_id) VALUES (40, 10, 20, NULL), (41, 10, 20, 30);
    INSERT INTO grants (id, user_id, project_id, permission) VALUES (50, 10, 30, 'can_browse'), (51, 11, 31, 'can_fork');
    INSERT INTO grants (id, group_id, project_id, permission) VALUES (52, 20, 30, 'can_annotate');
  `)
  const source = new PolicySourceStore(database)
  return { ...database, source, left: (sql: string) => left(database, source, sql) }
}

async function left(database: TestDatabase, source: PolicySourceStore, sql: string): Promise<ChangeSet[] | null> {
  const [{ revision }] = (await database.query('SELECT revision FROM policy_head')) as [{ revision: number }]
  await database.connected((client) => client.query(sql))
  return source.changesSince(revision, 100)
}

t.test('an insert leaves the rows as they are, all in one revision', async (t) => {
  const { left } = await feed(t)
  t.same(
    await left(`BEGIN;
      INSERT INTO users (id, username, is_superuser, general_permissions) VALUES (12, 'carol', true, '{can_browse}');
      INSERT INTO groups (id, name) VALUES (22, 'carol');
      INSERT INTO projects (id, title) VALUES (32, 'eye');
      INSERT INTO memberships (id, user_id, group_id, project_id) VALUES (42, 12, 22, 32);
      INSERT INTO grants (id, group_id, project_id, permission, effect, valid_from, valid_until)
        VALUES (53, 22, 32, 'can_import', 'deny', '2026-01-02T03:04:05.678Z', '2027-01-01T00:00:00Z');
      INSERT INTO service_keys (id, name, key_hash, key_start, scopes)
        VALUES (60, 'catmaid', decode(repeat('ab', 32), 'hex'), 'gatehouse', '{check,metrics}');
      COMMIT`),
    [
      {
        revision: 3,
        changes: [
          {
            kind: 'user',
            id: 12,
            state: {
              id: 12,
              username: 'carol',
              isActive: true,
              isSuperuser: true,
              isAnonymous: false,
              generalPermissions: ['can_browse'],
              isDeleted: false,
            },
          },
          { kind: 'group', id: 22, state: { id: 22, name: 'carol' } },
          { kind: 'project', id: 32, state: { id: 32, title: 'eye' } },
          { kind: 'membership', id: 42, state: { id: 42, userId: 12, groupId: 22, projectId: 32 } },
          {
            kind: 'grant',
            id: 53,
            state: {
              id: 53,
              userId: null,
              groupId: 22,
              projectId: 32,
              permission: 'can_import',
              effect: 'deny',
              validFrom: Date.parse('2026-01-02T03:04:05.678Z'),
              validUntil: Date.parse('2027-01-01T00:00:00Z'),
            },
          },
          {
            kind: 'serviceKey',
            id: 60,
            state: { id: 60, name: 'catmaid', keyHash: 'ab'.repeat(32), scopes: ['check', 'metrics'] },
          },
        ],
      },
    ],
  )
})

t.test('an update leaves the rows that it changed, and only those', async (t) => {
  const { left } = await feed(t)
  t.match(await left(`UPDATE users SET is_active = (username <> 'bob')`), [
    { changes: [{ kind: 'user', id: 11, state: { isActive: false } }] },
  ])
  t.match(await left(`UPDATE grants SET effect = 'deny' WHERE project_id = 30`), [
    {
      changes: [
        { kind: 'grant', id: 50, state: { effect: 'deny', userId: 10 } },
        { kind: 'grant', id: 52, state: { effect: 'deny', groupId: 20 } },
      ],
    },
  ])
})

t.test('changes that decisions do not know of, and changes that change nothing, raise no revision', async (t) => {
  const { left } = await feed(t)
  t.same(await left(`UPDATE users SET email = 'x@example.org', last_login_at = now(), password_hash = 'x'`), [])
  t.same(await left(`UPDATE grants SET effect = effect, source = 'import', granted_by = 'command:import'`), [])
  t.same(await left(`UPDATE memberships SET source = 'import'; UPDATE service_keys SET name = name`), [])
  t.same(await left(`DELETE FROM grants WHERE false; UPDATE users SET username = 'x' WHERE false`), [])
  t.same(await left(`INSERT INTO groups (name) SELECT 'x' WHERE false`), [])
  t.same(await left(`INSERT INTO groups (name) VALUES ('tracers') ON CONFLICT DO NOTHING`), [])
  t.same(await left(`INSERT INTO group_maintainers VALUES (20, 10); INSERT INTO profiles (user_id) VALUES (10)`), [])
})

t.test('a delete leaves the id, and so do the rows that go along with it', async (t) => {
  const { left } = await feed(t)
  t.same(await left(`DELETE FROM grants WHERE id = 50`), [
    { revision: 3, changes: [{ kind: 'grant', id: 50, state: null }] },
  ])
  const [set, ...more] = (await left(`DELETE FROM groups WHERE id = 20`)) ?? []
  t.same(more, [])
  t.same(set?.changes?.map(({ kind, id, state }) => `${kind} ${id} ${state}`).sort(), [
    'grant 52 null',
    'group 20 null',
    'membership 40 null',
    'membership 41 null',
  ])
})

t.test(
  'a changed id is the end of one row and the begin of another, also where other tables refer to it',
  async (t) => {
    const { left } = await feed(t)
    const [set] = (await left(`UPDATE users SET id = 99 WHERE id = 10`)) ?? []
    t.match(
      set?.changes?.filter(({ kind }) => kind === 'user'),
      [
        { id: 10, state: null },
        { id: 99, state: { id: 99, username: 'alice' } },
      ],
    )
    t.match(
      set?.changes?.filter(({ kind }) => kind === 'grant'),
      [{ id: 50, state: { userId: 99 } }],
    )
    t.match(
      set?.changes?.filter(({ kind }) => kind === 'membership'),
      [
        { id: 40, state: { userId: 99 } },
        { id: 41, state: { userId: 99 } },
      ],
    )
  },
)

t.test('ids that are swapped in one statement arrive with their new rows', async (t) => {
  const { left } = await feed(t)
  await t.rejects(left(`UPDATE grants SET id = 101 - id WHERE id IN (50, 51)`), { code: '23505' })
  const [set] = (await left(`UPDATE grants SET id = id + 1 WHERE id = 52`)) ?? []
  t.match(set?.changes, [
    { id: 52, state: null },
    { id: 53, state: { groupId: 20 } },
  ])
})

t.test('a truncated table asks to read everything anew', async (t) => {
  const { left } = await feed(t)
  t.same(await left(`TRUNCATE grants`), [{ revision: 3, changes: null }])
  t.same(await left(`BEGIN; INSERT INTO projects (title) VALUES ('x'); TRUNCATE users CASCADE; COMMIT`), [
    { revision: 4, changes: null },
  ])
})

t.test('MERGE and upserts are recorded like everything else', async (t) => {
  const { left } = await feed(t)
  t.match(
    await left(`MERGE INTO projects p USING (VALUES (30, 'x'), (33, 'y')) v (id, title) ON p.id = v.id
      WHEN MATCHED THEN UPDATE SET title = v.title WHEN NOT MATCHED THEN INSERT (id, title) VALUES (v.id, v.title)`),
    [
      {
        changes: [
          { id: 30, state: { title: 'x' } },
          { id: 33, state: { title: 'y' } },
        ],
      },
    ],
  )
  t.match(
    await left(`INSERT INTO groups (id, name) VALUES (20, 'a'), (29, 'b') ON CONFLICT (id) DO UPDATE SET name = 'c'`),
    [
      {
        changes: [
          { id: 20, state: { name: 'c' } },
          { id: 29, state: { name: 'b' } },
        ],
      },
    ],
  )
})

t.test('a transaction that is rolled back leaves neither rows nor a gap', async (t) => {
  const { left, query } = await feed(t)
  t.same(await left(`BEGIN; INSERT INTO projects (title) VALUES ('x'); ROLLBACK`), [])
  t.match(await left(`INSERT INTO projects (id, title) VALUES (35, 'x')`), [{ revision: 3, changes: [{ id: 35 }] }])
  t.same(await query('SELECT count(*) FROM policy_change_sets WHERE revision IS NULL'), [{ count: 0 }])
})

t.test('of a savepoint that is rolled back nothing stays, of what stands around it everything', async (t) => {
  const { left } = await feed(t)
  t.match(
    await left(`BEGIN;
      SAVEPOINT a; INSERT INTO projects (id, title) VALUES (36, 'gone'); ROLLBACK TO a;
      INSERT INTO projects (id, title) VALUES (37, 'kept');
      SAVEPOINT b; DELETE FROM projects WHERE id = 37; ROLLBACK TO b;
      SAVEPOINT c; INSERT INTO projects (id, title) VALUES (38, 'kept too'); RELEASE c;
      COMMIT`),
    [{ revision: 3, changes: [{ id: 37 }, { id: 38 }] }],
  )
  t.same(await left(`BEGIN; SAVEPOINT a; INSERT INTO projects (title) VALUES ('gone'); ROLLBACK TO a; COMMIT`), [])
})

t.test('what is written after the revision was taken belongs to the same revision', async (t) => {
  const { left } = await feed(t)
  t.match(
    await left(`BEGIN; INSERT INTO projects (id, title) VALUES (36, 'a');
      SET CONSTRAINTS policy_revision_at_commit IMMEDIATE;
      INSERT INTO projects (id, title) VALUES (37, 'b'); COMMIT`),
    [{ revision: 3, changes: [{ id: 36 }, { id: 37 }] }],
  )
})

t.test('two transactions on one connection have a revision each', async (t) => {
  const { left } = await feed(t)
  const sets = await left(
    `BEGIN; INSERT INTO projects (id, title) VALUES (36, 'a'); COMMIT;
     BEGIN; INSERT INTO projects (id, title) VALUES (37, 'b'); COMMIT`,
  )
  t.match(sets, [
    { revision: 3, changes: [{ id: 36 }] },
    { revision: 4, changes: [{ id: 37 }] },
  ])
})

t.test('a writer that began first and commits last gets the later revision', async (t) => {
  const { connected, source } = await feed(t)
  await connected((slow) =>
    connected(async (fast) => {
      await slow.query(`BEGIN; INSERT INTO projects (id, title) VALUES (36, 'slow')`)
      await fast.query(`BEGIN; INSERT INTO projects (id, title) VALUES (37, 'fast'); COMMIT`)
      t.match(await source.changesSince(2, 100), [{ revision: 3, changes: [{ id: 37 }] }])
      await slow.query('COMMIT')
    }),
  )
  t.match(await source.changesSince(2, 100), [
    { revision: 3, changes: [{ id: 37 }] },
    { revision: 4, changes: [{ id: 36 }] },
  ])
})

t.test('revisions become visible in their order, however many write', async (t) => {
  const { connected, source } = await feed(t)
  let writing = true
  const seen: number[] = []
  const watch = async () => {
    let at = 2
    while (writing || ((await source.changesSince(at, 1000)) ?? []).length > 0) {
      const sets = await source.changesSince(at, 1000)
      if (!sets) return t.fail('saw a gap')
      for (const { revision } of sets) seen.push(revision)
      at = seen.at(-1) ?? at
    }
  }
  const write = (writer: number) =>
    connected(async (client) => {
      for (let n = 0; n < 25; n += 1) {
        await client.query(
          `INSERT INTO projects (id, title) SELECT $1 + i, 'x' FROM generate_series(1, 1 + $2::int % 3) i`,
          [1000 * writer + 10 * n, n],
        )
      }
    })
  const watching = watch()
  await Promise.all([1, 2, 3, 4].map(write))
  writing = false
  await watching
  t.same(
    seen,
    Array.from({ length: 100 }, (_, n) => n + 3),
  )
})

t.test('a hundred thousand grants are one revision', async (t) => {
  const { left } = await feed(t)
  const sets = await left(`INSERT INTO projects (id, title) SELECT i, 'p' || i FROM generate_series(1001, 101000) i;
    INSERT INTO grants (id, user_id, project_id, permission) SELECT i, 10, i, 'can_browse' FROM generate_series(1001, 101000) i`)
  t.equal(sets?.length, 1, 'psql takes several statements in one message as one transaction')
  const grants = sets?.[0]?.changes?.filter(({ kind }) => kind === 'grant') ?? []
  t.equal(grants.length, 100_000)
  t.equal(new Set(grants.map(({ id }) => id)).size, 100_000)
})

t.test('names arrive to the letter', async (t) => {
  const { query, source } = await feed(t)
  const names = [
    'a"b',
    "o'neil",
    'x, y',
    '# no',
    'line\nbreak',
    '*',
    '🐙',
    '\u202Etxet',
    '\\',
    '{}',
    'null',
    'é',
    'e\u0301',
  ]
  await query('INSERT INTO groups (name) SELECT unnest($1::text[])', [names])
  const [set] = (await source.changesSince(2, 1)) ?? []
  t.same(
    set?.changes?.map(({ state }) => (state as { name: string }).name),
    names,
  )
})

t.test('audit events can only be added', async (t) => {
  const { query, connected } = await feed(t)
  await query(`INSERT INTO audit_events (caller, action, target, revision) VALUES ('user:1', 'x', 'y', 1)`)
  for (const sql of ['UPDATE audit_events SET caller = $$x$$', 'DELETE FROM audit_events', 'TRUNCATE audit_events']) {
    await t.rejects(
      connected((client) => client.query(sql)),
      { message: 'audit events are only ever added' },
    )
  }
})

t.test('the casbin_rule view says the same as the tables, by ids, in the columns of casbin', async (t) => {
  const { query } = await feed(t)
  await query(`UPDATE users SET is_superuser = true WHERE id = 11;
    UPDATE grants SET effect = 'deny', valid_from = '2026-01-02T03:04:05.678Z' WHERE id = 50;
    UPDATE grants SET valid_until = '1969-12-31T23:59:59.999Z' WHERE id = 51`)
  t.same(await query('SELECT ptype, v0, v1, v2, v3, v4, v5, v6 FROM casbin_rule ORDER BY id % 3, id'), [
    row('p', 'user:10', '30', 'can_browse', 'deny', '1767323045678', ''),
    row('p', 'user:11', '31', 'can_fork', 'allow', '', '-1'),
    row('p', 'group:20', '30', 'can_annotate', 'allow', '', ''),
    row('g', 'user:10', 'group:20', '*'),
    row('g', 'user:10', 'group:20', '30'),
    row('g', 'user:11', 'role:superuser', '*'),
  ])
  t.same(await query('SELECT count(*) - count(DISTINCT id) AS doubled FROM casbin_rule'), [{ doubled: 0 }])
})

function row(ptype: string, ...cells: string[]) {
  const filled: (string | null)[] = [...cells, ...Array<null>(7 - cells.length).fill(null)]
  return { ptype, ...Object.fromEntries(filled.map((cell, place) => [`v${place}`, cell])) }
}
