import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import root, { type Test } from 'tap'
import { restoreDump } from '../harness/restore-dump.ts'
import { connected, testServer, urlOf } from '../harness/server.ts'

const DATA = new URL('../data/', import.meta.url)

/** The database of a CATMAID site, to read and to change. */
export type CatmaidDatabase = {
  url: string
  query: <Row = Record<string, unknown>>(sql: string, values?: unknown[]) => Promise<Row[]>
}

/** The dump of the invented site in a database of the test's own. */
export async function catmaidDatabase(t: Test): Promise<CatmaidDatabase> {
  const { maintenanceUrl } = await testServer()
  const name = `gatehouse_catmaid_${process.pid}_${randomBytes(4).toString('hex')}`
  const atServer = (sql: string) => connected(maintenanceUrl, (client) => client.query(sql))
  restored ??= restoredDump(maintenanceUrl)
  await atServer(`CREATE DATABASE ${name} TEMPLATE ${await restored}`)
  t.teardown(() => atServer(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`))
  const url = urlOf(maintenanceUrl, name)
  return {
    url,
    query: <Row>(sql: string, values?: unknown[]) =>
      connected(url, async (client) => (await client.query(sql, values)).rows as Row[]),
  }
}

let restored: Promise<string> | undefined

/** Name of a database with the restored dump, to clone: restoring takes a hundred statements, a clone takes one. */
async function restoredDump(maintenanceUrl: string): Promise<string> {
  const name = `gatehouse_catmaid_${process.pid}`
  await connected(maintenanceUrl, (client) => client.query(`CREATE DATABASE ${name} TEMPLATE template0`))
  root.teardown(() =>
    connected(maintenanceUrl, (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)),
  )
  const dump = readFileSync(new URL('catmaid-site.sql', DATA), 'utf8')
  await connected(urlOf(maintenanceUrl, name), (client) => restoreDump(client, dump))
  return name
}

/** What CATMAID itself answered about that site, see `test/data/README.md`; ids are texts where they are keys. */
export type Truth = {
  users: { id: number; username: string; is_superuser: boolean; is_active: boolean }[]
  projects: { id: number; title: string }[]
  permissions: Record<'session' | 'token', ByUser<Record<string, string[]>>>
  edit: {
    projects: number[]
    session: ByUser<Record<string, number[]>>
    token: ByUser<Record<string, number[]>>
    domain: ByUser<number[]>
    imported: Record<string, ByUser<number[]>>
    sets: { user: number; owners: number[]; allowed: boolean }[]
    importedSets: { importer: number; user: number; owners: number[]; imported: boolean[]; allowed: string }[]
  }
  visible: ByUser<number[]>
  visibleInSession: ByUser<number[]>
}
type ByUser<T> = Record<string, T>

/** Reads the truth table. */
export const readTruth = (): Truth => JSON.parse(readFileSync(new URL('catmaid-site.truth.json', DATA), 'utf8'))
