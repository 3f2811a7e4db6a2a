import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import {
  type Database,
  DatabaseError,
  migrate,
  openDatabase,
  pendingMigrations,
} from '../../src/database/data-source.ts'
import { cloneDatabase, silentLog, testDatabase } from '../harness/database.ts'

const NAMES = [
  'Policy1763800000001',
  'ChangeFeed1763800000002',
  'CasbinRule1763800000003',
  'Accounts1763800000004',
  'AccountsInPerson1763800000005',
  'Inactivity1763800000006',
  'RevisionMarks1763800000007',
]

async function emptyDatabases(t: Test, count: number): Promise<Database[]> {
  const clone = await cloneDatabase({ empty: true })
  const databases = await Promise.all(
    Array.from({ length: count }, () => openDatabase({ databaseUrl: clone.url, dataDir: '' }, silentLog)),
  )
  t.teardown(async () => {
    for (const database of databases) await database.close()
    await clone.drop()
  })
  return databases
}

t.test('an empty database lacks every migration, takes them in their order, and then lacks none', async (t) => {
  const [{ dataSource }] = (await emptyDatabases(t, 1)) as [Database]
  t.same(await pendingMigrations(dataSource), NAMES)
  t.same(await migrate(dataSource), NAMES)
  t.same(await pendingMigrations(dataSource), [])
  t.same(await migrate(dataSource), [])
  t.match(await dataSource.query('SELECT username, is_anonymous FROM users'), [
    { username: 'anonymous', is_anonymous: true },
  ])
})

t.test('several that migrate at once do so once', async (t) => {
  const databases = await emptyDatabases(t, 4)
  const applied = await Promise.all(databases.map(({ dataSource }) => migrate(dataSource)))
  t.same(applied.flat(), NAMES)
})

t.test('a schema newer than this code is left alone', async (t) => {
  const { dataSource, query } = await testDatabase(t)
  await query(`INSERT INTO migrations (timestamp, name) VALUES (1999999999999, 'FromTheFuture1999999999999')`)
  const refusal = { name: 'DatabaseError', message: /newer than this program: it has FromTheFuture1999999999999/ }
  await t.rejects(migrate(dataSource), refusal)
  await t.rejects(pendingMigrations(dataSource), refusal)
})

t.test('a migration that fails leaves nothing of any', async (t) => {
  const [{ dataSource }] = (await emptyDatabases(t, 1)) as [Database]
  await dataSource.query('CREATE TABLE profiles (mine text)')
  await t.rejects(migrate(dataSource), { message: /"profiles" already exists/ })
  t.same(await dataSource.query(`SELECT to_regclass('users') AS users`), [{ users: null }])
  await dataSource.query('DROP TABLE profiles')
  t.same(await migrate(dataSource), NAMES)
})

t.test('int8 arrives as a number, and not at all where that would not be exact', async (t) => {
  const { query } = await testDatabase(t)
  t.same(await query('SELECT 9007199254740991::bigint AS n, count(*) AS c, ARRAY[1, 2] AS a FROM users'), [
    { n: Number.MAX_SAFE_INTEGER, c: 1, a: [1, 2] },
  ])
  await t.rejects(query('SELECT 9007199254740993::bigint AS n'), /the integer 9007199254740993 .* is not exact/)
  t.same(await query('SELECT 1 AS n'), [{ n: 1 }], 'the connection is as good as before')
})

t.test('opening a database writes nothing to it', async (t) => {
  const [{ dataSource }] = (await emptyDatabases(t, 1)) as [Database]
  t.same(await dataSource.query(`SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace`), [])
  t.equal(dataSource.options.synchronize, false)
})

t.test('connections that the server ends are told of in the log, and replaced', async (t) => {
  const clone = await cloneDatabase()
  let warn: () => void = () => undefined
  const warned = new Promise<void>((resolve) => {
    warn = resolve
  })
  const database = await openDatabase({ databaseUrl: clone.url, dataDir: '' }, { warn: () => warn() })
  t.teardown(async () => {
    await database.close()
    await clone.drop()
  })
  const other = await openDatabase({ databaseUrl: clone.url, dataDir: '' }, silentLog)
  await other.dataSource.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid()`,
  )
  await warned
  t.same(await database.dataSource.query('SELECT 1 AS n'), [{ n: 1 }])
  await other.close()
})

t.test('a database that cannot be reached is said so, without its address or password', async (t) => {
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  t.teardown(() => server.close())
  for (const host of [`127.0.0.1:${port}`, '127.0.0.1:1', 'localhost:1']) {
    const databaseUrl = `postgres://user:hunter2@${host}/name`
    try {
      await openDatabase({ databaseUrl, dataDir: '' }, silentLog)
      t.fail('reached it')
    } catch (error) {
      t.ok(error instanceof DatabaseError)
      t.match((error as Error).message, /^cannot reach the database: .+/)
      t.notMatch((error as Error).message, /hunter2/)
    }
  }
})

t.test('without a URL the embedded server is opened, and ends with the database', async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'gatehouse-open-'))
  t.teardown(() => rm(dataDir, { recursive: true, force: true }))
  const database = await openDatabase({ databaseUrl: undefined, dataDir }, silentLog)
  t.same(await migrate(database.dataSource), NAMES)
  t.match(await database.dataSource.query('SHOW server_version'), [{ server_version: /^18/ }])
  await database.close()
  await t.rejects(database.dataSource.query('SELECT 1'))
})
