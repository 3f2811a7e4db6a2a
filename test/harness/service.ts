import { type Logger, pino } from 'pino'
import type { Test } from 'tap'
import { type App, buildApp } from '../../src/app.ts'
import { compose, type Parts } from '../../src/compose.ts'
import { loadConfig } from '../../src/config.ts'
import { cloneDatabase, closeDatabase } from './database.ts'

/** The real service, listening on a loopback port, on a database of the test's own. */
export type TestService = {
  /** Without a slash at its end. */
  url: string
  /** URL of its database, for another replica or a hand in psql. */
  databaseUrl: string
  /** The running application, for whoever asks it what it answers to. */
  app: App
  parts: Parts
  /** A service key for each scope, which opens nothing else. */
  keys: { check: string; admin: string; metrics: string }
  /** Asks the database, or changes it by hand: then the service knows of the change once this resolves. */
  query<Row = Record<string, unknown>>(sql: string, values?: unknown[]): Promise<Row[]>
}

/** A machine that runs tests is busy; whether overload is told of has tests of its own. */
const UNHURRIED = { eventLoopDelay: 0 }

export type TestServiceOptions = {
  /** Environment variables over the defaults, for instance POLICY_DIR; with SMTP_URL or MAIL_TO_FILES mails go out. */
  env?: Record<string, string>
  /** Changes to the bounds of the HTTP interface. */
  limits?: Parameters<typeof buildApp>[1]
  log?: Logger
  /** The instant by which inactivity is judged; by default now. */
  clock?: () => string | null
  /** Run after the schema is there and before policy is first read. */
  prepare?: (query: TestService['query']) => Promise<void>
}

/** Starts the service in this process, as `serve` would; it ends with the test. */
export async function testService(t: Test, options: TestServiceOptions = {}): Promise<TestService> {
  const clone = await cloneDatabase()
  t.teardown(() => clone.drop())
  return startService(t, clone.url, options)
}

/** One more replica on the database of another service. */
export function replicaOf(t: Test, service: TestService, options: TestServiceOptions = {}): Promise<TestService> {
  return startService(t, service.databaseUrl, options, service.keys)
}

async function startService(
  t: Test,
  databaseUrl: string,
  { env = {}, limits = {}, log = pino({ level: 'silent' }), prepare, clock }: TestServiceOptions,
  knownKeys?: TestService['keys'],
): Promise<TestService> {
  const parts = await compose(
    loadConfig({ DATABASE_URL: databaseUrl, ...env }),
    log,
    clock === undefined ? {} : { clock },
  )
  const query = byHand(parts)
  await prepare?.(query)
  const keys = knownKeys ?? (await keysFor(parts))
  await parts.start()
  if ('SMTP_URL' in env || 'MAIL_TO_FILES' in env) parts.mailSender.start()
  const app = await buildApp(parts, { ...UNHURRIED, ...limits })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(async () => {
    await app.close()
    await parts.inactivityRuns.stop()
    await parts.mailSender.stop()
    await parts.stop()
    await closeDatabase(t, parts.database)
  })
  return { url, app, databaseUrl, parts, keys, query }
}

function byHand({ database: { dataSource }, keeper }: Parts): TestService['query'] {
  return async (sql, values) => {
    const rows = await dataSource.query(sql, values)
    if (/^\s*SELECT/i.test(sql)) return rows
    const [head] = await dataSource.query('SELECT revision FROM policy_head')
    await keeper.noticed(head.revision)
    return rows
  }
}

async function keysFor({ serviceKeys }: Parts): Promise<TestService['keys']> {
  const context = { caller: 'command:test', requestId: null, inPerson: null }
  const made = async (scope: 'check' | 'admin' | 'metrics') => {
    const { value } = await serviceKeys.create(context, { name: `test ${scope}`, scopes: [scope] })
    return value.key
  }
  return { check: await made('check'), admin: await made('admin'), metrics: await made('metrics') }
}
