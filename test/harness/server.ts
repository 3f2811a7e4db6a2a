import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { migrate, openDatabase } from '../../src/database/data-source.ts'
import { startEmbeddedPostgres } from '../../src/database/embedded-postgres.ts'

/** The server that tests run on, by the URL of a database on it that is always there. */
export type TestServer = { maintenanceUrl: string }

const TEMPLATE_LOCK = 7_318_502
const MIGRATIONS = join(import.meta.dirname, '../../src/database/migrations')

/**
 * The server that TEST_DATABASE_URL names; by default an embedded one, shared by all test files of a run and gone,
 * with its data, shortly after the run, however that ends.
 */
export function testServer(): Promise<TestServer> {
  const named = process.env.TEST_DATABASE_URL
  server ??= named ? Promise.resolve({ maintenanceUrl: named }) : embeddedServer()
  return server
}

let server: Promise<TestServer> | undefined

async function embeddedServer(): Promise<TestServer> {
  // The process that started the test files; a file that is run by itself has a server of its own.
  const run = process.env.TAP_CHILD_ID === undefined ? process.pid : process.ppid
  const dataDir = join(tmpdir(), `gatehouse-test-${process.getuid?.()}-${run}`)
  // Never stopped: a share in the server ends with the process that holds it.
  const { connection } = await startEmbeddedPostgres({ dataDir, durable: false })
  await keepUntilEnd(dataDir, run)
  const host = encodeURIComponent(connection.host)
  return {
    maintenanceUrl: `postgres://${connection.user}@/${connection.database}?host=${host}&port=${connection.port}`,
  }
}

/** A shell that holds a share in the server for as long as the run lives, and removes the data afterwards. */
const KEEPER = `
  exec 4>"$2/postgres/lease"
  while kill -0 "$1" 2>/dev/null; do sleep 0.2; done
  exec 4>&-
  while [ -e "$2/postgres/data/postmaster.pid" ]; do sleep 0.1; done
  rm -rf "$2"
`

async function keepUntilEnd(dataDir: string, run: number): Promise<void> {
  try {
    await mkdir(join(dataDir, 'kept'))
  } catch {
    return
  }
  const keeper = spawn('/bin/sh', ['-c', KEEPER, 'sh', String(run), dataDir], { detached: true, stdio: 'ignore' })
  keeper.unref()
}

/** The same server's URL for another database on it. */
export function urlOf(maintenanceUrl: string, database: string): string {
  return maintenanceUrl.replace(/^(postgres(?:ql)?:\/\/[^/?]*)(?:\/[^?]*)?/, `$1/${database}`)
}

/** Runs `work` on a connection to the database at `url`. */
export async function connected<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** Name of a database with the schema of this code and nothing else, to clone; made by whoever comes first. */
export async function template({ maintenanceUrl }: TestServer): Promise<string> {
  const hash = createHash('sha256')
  for (const file of (await readdir(MIGRATIONS)).sort()) hash.update(await readFile(join(MIGRATIONS, file)))
  const name = `gatehouse_template_${hash.digest('hex').slice(0, 12)}`
  await connected(maintenanceUrl, async (client) => {
    await client.query('SELECT pg_advisory_lock($1)', [TEMPLATE_LOCK])
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name])
    if (rowCount) return
    await client.query(`DROP DATABASE IF EXISTS ${name}_new WITH (FORCE)`)
    await client.query(`CREATE DATABASE ${name}_new`)
    await migrated(urlOf(maintenanceUrl, `${name}_new`))
    await client.query(`ALTER DATABASE ${name}_new RENAME TO ${name}`)
  })
  return name
}

async function migrated(databaseUrl: string): Promise<void> {
  const warnings: unknown[] = []
  const database = await openDatabase(
    { databaseUrl, dataDir: '' },
    { warn: (...words: unknown[]) => warnings.push(words) },
  )
  await migrate(database.dataSource)
  await database.close()
}
