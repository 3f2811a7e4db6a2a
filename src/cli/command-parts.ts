import { destination, type Logger, pino } from 'pino'
import { compose, type Parts } from '../compose.ts'
import type { Config } from '../config.ts'
import { DatabaseError, migrate, pendingMigrations } from '../database/data-source.ts'

/** Where a command writes: its result, and beside it what happens meanwhile. */
export type Terminal = { out: (text: string) => void; progress: (text: string) => void }

/** The log of a command that ends: on standard error, since its result goes to standard output. */
export const commandLog = (config: Pick<Config, 'logLevel'>): Logger =>
  pino({ level: config.logLevel === 'info' ? 'warn' : config.logLevel }, destination(2))

/**
 * Composes the parts for one piece of work and gives them up after it. The schema of an embedded database is brought up
 * to date first; that of a server is its operator's to migrate.
 *
 * @throws DatabaseError when a server's schema is not up to date, and whatever compose and `work` throw
 */
export async function withParts<T>(config: Config, work: (parts: Parts) => Promise<T>): Promise<T> {
  const parts = await compose(config, commandLog(config))
  try {
    const { dataSource } = parts.database
    if (config.databaseUrl === undefined) await migrate(dataSource)
    else if ((await pendingMigrations(dataSource)).length > 0) {
      throw new DatabaseError('the database is not up to date: run `gatehouse migrate` first')
    }
    return await work(parts)
  } finally {
    await parts.close()
  }
}
