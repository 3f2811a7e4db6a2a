import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import type { PolicyTables } from '../src/decision/policy-state.ts'
import { compiled } from './compiled.ts'

/** A PostgreSQL server for the databases of one run. */
export type BenchServer = {
  /** Makes a database with the schema and this policy, and gives its URL. */
  filled(name: string, tables: PolicyTables, serviceKey: string): Promise<string>
  /** Drops the databases; of the embedded server nothing stays. */
  close(): Promise<void>
}

const ROWS_A_STATEMENT = 50_000

/** The server whose `url` is given (databases are created beside that one), or else the embedded one in a new folder. */
export async function benchServer(url: string | undefined): Promise<BenchServer> {
  const server = url === undefined ? await embeddedServer() : { url, stop: async () => undefined }
  const made: string[] = []
  return {
    async filled(name, tables, serviceKey) {
      const database = `gatehouse_bench_${process.pid}_${name}`
      await connected(server.url, (client) => client.query(`CREATE DATABASE ${database} TEMPLATE template0`))
      made.push(database)
      const target = urlOf(server.url, database)
      await migrated(target)
      await connected(target, (client) => fill(client, tables, serviceKey))
      return target
    },
    async close() {
      await connected(server.url, async (client) => {
        for (const name of made) await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
      })
      await server.stop()
    },
  }
}

async function embeddedServer(): Promise<{ url: string; stop(): Promise<void> }> {
  const { startEmbeddedPostgres } = await compiled<typeof import('../src/database/embedded-postgres.ts')>(
    'database/embedded-postgres.ts',
  )
  const dataDir = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'))
  const { connection, stop } = await startEmbeddedPostgres({ dataDir, durable: false })
  const { user, database, host, port } = connection
  return {
    url: `postgres://${user}@/${database}?host=${encodeURIComponent(host)}&port=${port}`,
    async stop() {
      await stop()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

function urlOf(maintenanceUrl: string, database: string): string {
  return maintenanceUrl.replace(/^(postgres(?:ql)?:\/\/[^/]*\/)[^?]*/, `$1${database}`)
}

async function connected<T>(connectionString: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

async function migrated(databaseUrl: string): Promise<void> {
  const { migrate, openDatabase } =
    await compiled<typeof import('../src/database/data-source.ts')>('database/data-source.ts')
  const { dataSource, close } = await openDatabase({ databaseUrl, dataDir: '' }, { warn: console.warn })
  try {
    await migrate(dataSource)
  } finally {
    await close()
  }
}

/**
 * WHY without the triggers of the change feed: the service reads all tables when it starts, and a million rows would be
 * written a second time for nobody.
 */
async function fill(client: pg.Client, tables: PolicyTables, serviceKey: string): Promise<void> {
  const { serviceKeyHash, serviceKeyStart } =
    await compiled<typeof import('../src/session/service-key.ts')>('session/service-key.ts')
  await client.query('BEGIN')
  for (const table of TABLES) await client.query(`ALTER TABLE ${table} DISABLE TRIGGER USER`)
  const restore = await withoutConstraints(client)
  const [people, anonymous] = [tables.users.filter((user) => !user.isAnonymous), tables.users[0]]
  await client.query('UPDATE users SET general_permissions = $1 WHERE is_anonymous', [
    anonymous?.generalPermissions ?? [],
  ])
  await insert(client, USERS, people, ({ id, username, isActive, isSuperuser }) => [
    id,
    username,
    isActive,
    isSuperuser,
  ])
  await insert(client, GROUPS, tables.groups, ({ id, name }) => [id, name])
  await insert(client, PROJECTS, tables.projects, ({ id, title }) => [id, title])
  await insert(client, MEMBERSHIPS, tables.memberships, (row) => [row.id, row.userId, row.groupId, row.projectId])
  await insert(client, GRANTS, tables.grants, (row) => [
    row.id,
    row.userId,
    row.groupId,
    row.projectId,
    row.permission,
    row.effect,
    row.validFrom,
    row.validUntil,
  ])
  await restore()
  for (const table of NUMBERED)
    await client.query(`SELECT setval(pg_get_serial_sequence('${table}', 'id'), max(id)) FROM ${table}`)
  await client.query(SERVICE_KEY, [serviceKeyHash(serviceKey), serviceKeyStart(serviceKey)])
  for (const table of TABLES) await client.query(`ALTER TABLE ${table} ENABLE TRIGGER USER`)
  await client.query('COMMIT')
  await client.query('VACUUM ANALYZE')
}

/**
 * Takes foreign keys, unique constraints and indexes off the two large tables; what is given puts them back, and fails
 * where a row does not fit. WHY: checking and indexing a million rows at once takes a third of doing it row by row.
 */
async function withoutConstraints(client: pg.Client): Promise<() => Promise<void>> {
  const { rows } = await client.query<{ off: string; on: string }>(CONSTRAINTS_AND_INDEXES)
  for (const { off } of rows) await client.query(off)
  return async () => {
    for (const { on } of rows) await client.query(on)
  }
}

const CONSTRAINTS_AND_INDEXES = `
  SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS off,
    format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) AS on
  FROM pg_constraint
  WHERE conrelid IN ('grants'::regclass, 'memberships'::regclass) AND contype IN ('f', 'u')
  UNION ALL
  SELECT format('DROP INDEX %s', indexrelid::regclass), pg_get_indexdef(indexrelid)
  FROM pg_index
  WHERE indrelid IN ('grants'::regclass, 'memberships'::regclass)
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)`
const TABLES = ['users', 'groups', 'projects', 'memberships', 'grants', 'service_keys']
/** Rows came with their ids; the next ones are to be numbered behind them. */
const NUMBERED = ['users', 'groups', 'projects', 'memberships', 'grants']
const USERS = `INSERT INTO users (id, username, is_active, is_superuser)
  SELECT * FROM unnest($1::int[], $2::text[], $3::boolean[], $4::boolean[])`
const GROUPS = 'INSERT INTO groups (id, name) SELECT * FROM unnest($1::int[], $2::text[])'
const PROJECTS = 'INSERT INTO projects (id, title) SELECT * FROM unnest($1::int[], $2::text[])'
const MEMBERSHIPS = `INSERT INTO memberships (id, user_id, group_id, project_id)
  SELECT * FROM unnest($1::int[], $2::int[], $3::int[], $4::int[])`
const GRANTS = `INSERT INTO grants (id, user_id, group_id, project_id, permission, effect, valid_from, valid_until)
  SELECT id, user_id, group_id, project_id, permission, effect,
    to_timestamp(valid_from / 1000.0), to_timestamp(valid_until / 1000.0)
  FROM unnest($1::int[], $2::int[], $3::int[], $4::int[], $5::text[], $6::text[], $7::bigint[], $8::bigint[])
    AS rows (id, user_id, group_id, project_id, permission, effect, valid_from, valid_until)`
const SERVICE_KEY = `INSERT INTO service_keys (name, key_hash, key_start, scopes)
  VALUES ('bench', decode($1, 'hex'), $2, '{check,admin,metrics}')`

/** Rows go over as one array a column, many rows in a statement. */
async function insert<Row>(
  client: pg.Client,
  statement: string,
  rows: Row[],
  cellsOf: (row: Row) => unknown[],
): Promise<void> {
  for (let start = 0; start < rows.length; start += ROWS_A_STATEMENT) {
    const columns: unknown[][] = []
    for (const row of rows.slice(start, start + ROWS_A_STATEMENT)) {
      for (const [place, cell] of cellsOf(row).entries()) {
        columns[place] ??= []
        columns[place].push(cell)
      }
    }
    await client.query(statement, columns)
  }
}
