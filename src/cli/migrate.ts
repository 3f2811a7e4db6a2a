import type { Config } from '../config.ts'
import { migrate, openDatabase } from '../database/data-source.ts'
import { commandLog, type Terminal } from './command-parts.ts'

/**
 * `gatehouse migrate`: brings the schema of the configured database up to date, in one transaction.
 *
 * @throws DatabaseError, EmbeddedPostgresError with a message for the operator
 */
export async function migrateDatabase(config: Config, options: { json?: boolean }, { out }: Terminal): Promise<0> {
  const database = await openDatabase(config, commandLog(config))
  try {
    const applied = await migrate(database.dataSource)
    const text = applied.length === 0 ? 'the schema is up to date' : `applied ${applied.join(', ')}`
    out(options.json === true ? JSON.stringify({ applied }) : text)
    return 0
  } finally {
    await database.close()
  }
}
