import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import type { Test } from 'tap'
import { type Database, openDatabase } from '../../src/database/data-source.ts'
import { connected, template, testServer, urlOf } from './server.ts'

/** A database of a test's own, on the server of the run. */
export type TestDatabase = Database & {
  url: string
  /** Asks on a pooled connection and gives the rows. */
  query: <Row = Record<string, unknown>>(sql: string, values?: unknown[]) => Promise<Row[]>
  /** Runs `work` on a connection of its own, as somebody at psql would have it. */
  connected: <T>(work: (client: pg.Client) => Promise<T>) => Promise<T>
}

/** Only what tests need of a log; warnings of broken connections are expected where tests break them. */
export const silentLog = { warn: () => undefined }

/** A fresh migrated database with its data source open; both end with the test, which fails if a client stays behind. */
export async function testDatabase(t: Test): Promise<TestDatabase> {
  const clone = await cloneDatabase()
  const database = await openDatabase({ databaseUrl: clone.url, dataDir: '' }, silentLog)
  t.teardown(async () => {
    await closeDatabase(t, database)
    await clone.drop()
  })
  return {
    ...database,
    url: clone.url,
    query: (sql, values) => database.dataSource.query(sql, values),
    connected: (work) => connected(clone.url, work),
  }
}

/** A fresh database that nothing has open; `drop` must be called in the end. `empty`: without the schema. */
export async function cloneDatabase(
  options: { empty?: boolean } = {},
): Promise<{ url: string; drop(): Promise<void> }> {
  const server = await testServer()
  const name = `gatehouse_test_${process.pid}_${randomBytes(4).toString('hex')}`
  const source = options.empty ? 'template0' : await template(server)
  await connected(server.maintenanceUrl, (client) => client.query(`CREATE DATABASE ${name} TEMPLATE ${source}`))
  return {
    url: urlOf(server.maintenanceUrl, name),
    async drop() {
      await connected(server.maintenanceUrl, (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`))
    },
  }
}

/** Closes a database, and fails the test instead of waiting for ever when somebody has not given a client back. */
export async function closeDatabase(t: Test, { dataSource, close }: Database): Promise<void> {
  const { master } = dataSource.driver as unknown as { master?: pg.Pool }
  if (dataSource.isInitialized && master && master.totalCount > master.idleCount) {
    t.fail(`${master.totalCount - master.idleCount} database connections were not given back to the pool`)
    return
  }
  await close()
}
