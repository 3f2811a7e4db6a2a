import pg from 'pg'
import t from 'tap'
import { problemOfDatabase } from '../../src/database/database-problem.ts'
import { DomainError } from '../../src/errors.ts'
import { testDatabase } from '../harness/database.ts'

t.test('what PostgreSQL refuses is a problem that a caller can act on', async (t) => {
  const { query } = await testDatabase(t)
  await query(`INSERT INTO users (id, username) VALUES (10, 'alice');
    INSERT INTO groups (id, name) VALUES (10, 'lab');
    INSERT INTO projects (id, title) VALUES (10, 'brain');
    INSERT INTO grants (user_id, project_id, permission) VALUES (10, 10, 'can_fork')`)
  const cases: [string, string, string | undefined][] = [
    [`INSERT INTO users (username) VALUES ('alice')`, 'name-taken', '/username'],
    [`UPDATE users SET username = 'anonymous' WHERE id = 10`, 'name-taken', '/username'],
    [`INSERT INTO groups (name) VALUES ('lab')`, 'name-taken', '/name'],
    [`INSERT INTO projects (id, title) VALUES (10, 'x')`, 'id-taken', '/id'],
    [`INSERT INTO users (id, username) VALUES (10, 'x')`, 'id-taken', undefined],
    [`INSERT INTO grants (user_id, project_id, permission) VALUES (10, 10, 'can_fork')`, 'grant-exists', undefined],
    [`INSERT INTO grants (user_id, project_id, permission) VALUES (99, 10, 'can_fork')`, 'conflict', undefined],
    [`INSERT INTO grants (user_id, project_id, permission) VALUES (10, 10, 'x')`, 'invalid-request', undefined],
    [`SELECT 99999999999::integer`, 'invalid-request', undefined],
    [`SELECT setval('groups_id_seq', 2147483647), nextval('groups_id_seq')`, 'ids-exhausted', undefined],
    [`DO $$ BEGIN RAISE deadlock_detected; END $$`, 'conflict', undefined],
    [`DO $$ BEGIN RAISE serialization_failure; END $$`, 'conflict', undefined],
  ]
  for (const [sql, code, pointer] of cases) {
    const refused = await query(sql).then(
      () => null,
      (error: unknown) => error,
    )
    const problem = problemOfDatabase(refused)
    t.type(problem, DomainError, sql)
    t.match(problem, { code, faults: pointer === undefined ? [] : [{ pointer }], cause: refused }, sql)
    t.notMatch((problem as Error).message, /constraint|relation|_key|SQL/i, 'and tells nothing of the tables')
  }
  const nul = await query('SELECT $1::text', ['nul\0']).catch((error: unknown) => error)
  t.match(problemOfDatabase(nul), { code: 'invalid-request' })
})

t.test('what says nothing to a caller stays what it is: a fault of ours', async (t) => {
  const { query } = await testDatabase(t)
  for (const sql of ['SELECT FROM nowhere', 'SELECT 1 / 0', 'SELEC']) {
    const fault = await query(sql).catch((error: unknown) => error)
    t.equal(problemOfDatabase(fault), fault, sql)
  }
  const ours = new TypeError('x is not a function')
  t.equal(problemOfDatabase(ours), ours)
  const refusal = new DomainError('not-found', 'there is no user 7')
  t.equal(problemOfDatabase(refusal), refusal)
})

t.test('a database that is away is told from a fault of ours', async (t) => {
  const { connected } = await testDatabase(t)
  const cut = await connected((client) => client.query('SELECT pg_terminate_backend(pg_backend_pid())')).catch(
    (error: unknown) => error,
  )
  t.match(problemOfDatabase(cut), { code: 'database-unavailable', cause: cut })
  const nobody = new pg.Client({ connectionString: 'postgres://nobody@127.0.0.1:1/x' })
  const refused = await nobody.connect().catch((error: unknown) => error)
  t.match(problemOfDatabase(refused), { code: 'database-unavailable', cause: refused })
  const closed = new pg.Client({ host: '/nonexistent-folder' })
  t.match(problemOfDatabase(await closed.connect().catch((error: unknown) => error)), { code: 'database-unavailable' })
})
