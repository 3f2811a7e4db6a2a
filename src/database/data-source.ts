import type { Logger } from 'pino'
import { DataSource, type Logger as TypeOrmLogger } from 'typeorm'
import { type ConnectionOptions, connectionOptions } from './connection.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.ts'
import { entities } from './entities.ts'
import { Policy1763800000001 } from './migrations/0001-policy.ts'
import { ChangeFeed1763800000002 } from './migrations/0002-change-feed.ts'
import { CasbinRule1763800000003 } from './migrations/0003-casbin-rule.ts'
import { Accounts1763800000004 } from './migrations/0004-accounts.ts'
import { AccountsInPerson1763800000005 } from './migrations/0005-accounts-in-person.ts'
import { Inactivity1763800000006 } from './migrations/0006-inactivity.ts'
import { RevisionMarks1763800000007 } from './migrations/0007-revision-marks.ts'

/** Every migration there is, oldest first; one that was released is never changed. */
const MIGRATIONS = [
  Policy1763800000001,
  ChangeFeed1763800000002,
  CasbinRule1763800000003,
  Accounts1763800000004,
  AccountsInPerson1763800000005,
  Inactivity1763800000006,
  RevisionMarks1763800000007,
]

const OLDEST_SERVER = 15
const MIGRATION_LOCK = 7_318_501

/** WHY: TypeORM's own writes failures to standard output, where results and log lines go; errors say all of it. */
const SILENT: TypeOrmLogger = {
  log: () => undefined,
  logMigration: () => undefined,
  logQuery: () => undefined,
  logQueryError: () => undefined,
  logQuerySlow: () => undefined,
  logSchemaBuild: () => undefined,
}

/** An open database. `connection` is for connections beside the pool, such as the one that listens. */
export type Database = {
  dataSource: DataSource
  connection: ConnectionOptions
  /** Closes the pool; of the embedded server it gives up this process's share. */
  close(): Promise<void>
}

/** The database cannot be used as it is; the message says why, without the address or a password. */
export class DatabaseError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'DatabaseError'
  }
}

/**
 * Opens the PostgreSQL that `databaseUrl` names, or the embedded one in `dataDir`, without touching its schema: see
 * {@link migrate}. Throws {@link DatabaseError} or EmbeddedPostgresError.
 */
export async function openDatabase(
  config: { databaseUrl: string | undefined; dataDir: string },
  log: Pick<Logger, 'warn'>,
): Promise<Database> {
  const embedded = config.databaseUrl === undefined ? await startEmbeddedPostgres(config) : undefined
  try {
    const connection = connectionOptions(config.databaseUrl ?? embedded?.connection ?? '')
    const dataSource = await connect(connection, log)
    return { dataSource, connection, close: () => close(dataSource, embedded) }
  } catch (error) {
    await embedded?.stop()
    throw error
  }
}

async function connect(connection: ConnectionOptions, log: Pick<Logger, 'warn'>): Promise<DataSource> {
  const dataSource = new DataSource({
    type: 'postgres',
    synchronize: false,
    entities,
    migrations: MIGRATIONS,
    logger: SILENT,
    migrationsTransactionMode: 'all',
    // Whatever is given here wins over the same option in TypeORM's own words, which know no `types`.
    extra: { ...connection, max: 10 },
    // WHY: an idle connection that breaks reports it here, and without a listener the process would end.
    poolErrorHandler: (error: Error) => log.warn({ err: error }, 'an idle database connection broke'),
  })
  try {
    await dataSource.initialize()
  } catch (cause) {
    throw new DatabaseError(`cannot reach the database: ${reasonOf(cause)}`, { cause })
  }
  const [{ server_version_num }] = await dataSource.query('SHOW server_version_num')
  if (Number(server_version_num) < OLDEST_SERVER * 10_000) {
    await dataSource.destroy()
    throw new DatabaseError(`the database is older than PostgreSQL ${OLDEST_SERVER}`)
  }
  return dataSource
}

async function close(dataSource: DataSource, embedded: EmbeddedPostgres | undefined): Promise<void> {
  try {
    if (dataSource.isInitialized) await dataSource.destroy()
  } finally {
    await embedded?.stop()
  }
}

/** A name that stands for several addresses fails with several errors and no message of its own. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map((each: Error) => each.message).join(', ')
  return (error as Error).message
}

/**
 * Brings the schema up to date, in one transaction, and gives the names of the migrations that it took; safe when
 * several processes do so at once. Throws {@link DatabaseError}, before any change, on a schema newer than this code.
 */
export async function migrate(dataSource: DataSource): Promise<string[]> {
  const lock = dataSource.createQueryRunner()
  try {
    await lock.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK])
    await refuseNewerSchema(dataSource)
    const applied = await dataSource.runMigrations()
    return applied.map(({ name }) => name)
  } finally {
    await lock.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]).catch(() => undefined)
    await lock.release()
  }
}

/** Names of the migrations that the database still lacks, oldest first. Throws {@link DatabaseError} as migrate does. */
export async function pendingMigrations(dataSource: DataSource): Promise<string[]> {
  const taken = await refuseNewerSchema(dataSource)
  return MIGRATIONS.map(({ name }) => name).filter((name) => !taken.has(name))
}

async function refuseNewerSchema(dataSource: DataSource): Promise<Set<string>> {
  const [{ present }] = await dataSource.query(`SELECT to_regclass('migrations') IS NOT NULL AS present`)
  if (!present) return new Set()
  const rows: { name: string }[] = await dataSource.query('SELECT name FROM migrations ORDER BY id')
  const known = new Set(MIGRATIONS.map(({ name }) => name))
  const unknown = rows.map(({ name }) => name).filter((name) => !known.has(name))
  if (unknown.length > 0) {
    throw new DatabaseError(`the database is newer than this program: it has ${unknown.join(', ')}; update the program`)
  }
  return new Set(rows.map(({ name }) => name))
}
