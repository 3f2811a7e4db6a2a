import closeWithGrace from 'close-with-grace'
import { pino } from 'pino'
import { type App, buildApp } from '../app.ts'
import { compose } from '../compose.ts'
import type { Config } from '../config.ts'
import { migrate } from '../database/data-source.ts'

/** Longer than any request takes; what has not ended by then is cut off. */
const CLOSE_WITHIN_MS = 30_000

/**
 * `gatehouse serve`: brings the schema up to date, reads policy, and answers until the process is told to end; then it
 * takes no new connection, finishes the requests in flight and gives up the database.
 *
 * @throws whatever keeps it from starting, after giving up what was opened
 */
export async function serve(config: Config): Promise<void> {
  const log = pino({ level: config.logLevel })
  const parts = await compose(config, log)
  let app: App | undefined
  const ending = closeWithGrace({ delay: CLOSE_WITHIN_MS, logger: log }, async ({ signal, err }) => {
    if (err) log.fatal({ err }, 'ending after a fault that nobody caught')
    else log.info({ signal }, 'finishing the requests in flight, then ending')
    await app?.close()
    await parts.close()
  })
  try {
    const applied = await migrate(parts.database.dataSource)
    if (applied.length > 0) log.info({ migrations: applied }, 'brought the schema up to date')
    await parts.start()
    parts.startWork()
    app = await buildApp(parts)
    const address = await app.listen({ host: config.host, port: config.port })
    log.info({ address }, 'listening')
  } catch (error) {
    ending.uninstall()
    await app?.close()
    await parts.close()
    throw error
  }
}
