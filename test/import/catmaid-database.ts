import { readFileSync } from 'node:fs'
import type { Test } from 'tap'
import { cloneDatabase } from '../harness/database.ts'
import { restoreDump } from '../harness/restore-dump.ts'
import { connected } from '../harness/server.ts'

const DATA = new URL('../data/', import.meta.url)

/** The database of a CATMAID site, to read and to change. */
export type CatmaidDatabase = {
  url: string
  query: <Row = Record<string, unknown>>(sql: string, values?: unknown[]) => Promise<Row[]>
}

/** The dump of the invented site, restored into a database of the test's own. */
export async function catmaidDatabase(t: Test): Promise<CatmaidDatabase> {
  const { url, drop } = await cloneDatabase({ empty: true })
  t.teardown(drop)
  await connected(url, (client) => restoreDump(client, readFileSync(new URL('catmaid-site.sql', DATA), 'utf8')))
  return {
    url,
    query: <Row>(sql: string, values?: unknown[]) =>
      connected(url, async (client) => (await client.query(sql, values)).rows as Row[]),
  }
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
