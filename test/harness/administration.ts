import { pino } from 'pino'
import type { Test } from 'tap'
import { buildApp } from '../../src/app.ts'
import { compose } from '../../src/compose.ts'
import { loadConfig } from '../../src/config.ts'
import { cloneDatabase, closeDatabase } from './database.ts'

/** An answer of the service; `body` is its JSON, or undefined where there is none. */
// biome-ignore lint/suspicious/noExplicitAny: what a test expects of a body, its assertions say
export type Answer = { status: number; headers: Headers; body: any }

/** The real service on a database of the test's own, as a caller with the scopes `admin` and `check` sees it. */
export type Administration = {
  url: string
  key: string
  call(method: string, path: string, body?: unknown): Promise<Answer>
  /** Calls, fails the test unless the status is as expected, and gives the body. */
  expect(status: number, method: string, path: string, body?: unknown): Promise<Answer['body']>
  /** Whether a check is allowed, of a snapshot at least as new as `revision`. */
  allowed(check: object, revision: number): Promise<boolean>
  query<Row = Record<string, unknown>>(sql: string, values?: unknown[]): Promise<Row[]>
  /** The newest audit events, newest first. */
  events(count?: number): Promise<Answer['body'][]>
}

/** Starts the service in this process; it ends with the test. */
export async function administration(t: Test): Promise<Administration> {
  const clone = await cloneDatabase()
  const config = loadConfig({ DATABASE_URL: clone.url })
  const parts = await compose(config, pino({ level: 'silent' }))
  const { value } = await parts.serviceKeys.create(
    { caller: 'command:test', requestId: null },
    { name: 'test', scopes: ['admin', 'check'] },
  )
  await parts.keeper.start()
  // Here it shares a process, and a machine, with the tests: being late is no reason to refuse anything.
  const app = await buildApp(parts, { loadCheckInterval: 2 ** 31 - 1 })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(async () => {
    await app.close()
    await parts.keeper.stop()
    await closeDatabase(t, parts.database)
    await clone.drop()
  })
  return administrationAt(t, url, value.key, (sql, values) => parts.database.dataSource.query(sql, values))
}

/** The same over a service that already listens at `url`. */
export function administrationAt(t: Test, url: string, key: string, query: Administration['query']): Administration {
  const call = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const response = await fetch(url + path, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) }
  }
  const expect: Administration['expect'] = async (status, method, path, body) => {
    const answer = await call(method, path, body)
    if (answer.status !== status) t.equal(answer.status, status, `${method} ${path}: ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  return {
    url,
    key,
    call,
    expect,
    query,
    allowed: async (check, atLeastRevision) => {
      const { allowed } = await expect(200, 'POST', '/check', { ...check, atLeastRevision })
      return allowed
    },
    events: async (count = 50) => (await expect(200, 'GET', `/v1/audit-events?limit=${count}`)).items,
  }
}
