import cluster from 'node:cluster'
import closeWithGrace from 'close-with-grace'
import { pino } from 'pino'
import { type App, buildApp } from '../app.ts'
import { compose } from '../compose.ts'
import type { Config } from '../config.ts'
import { migrate } from '../database/data-source.ts'
import { serveAsWorker } from './serve-worker.ts'
import { WorkerGroup } from './worker-group.ts'

/** Longer than any request takes; what has not ended by then is cut off. */
const CLOSE_WITHIN_MS = 30_000
/** What the primary process has beyond that to see its workers end. */
const COLLECT_WITHIN_MS = 2_000

/**
 * `gatehouse serve`: brings the schema up to date, reads policy, and answers until the process is told to end; then it
 * takes no new connection, finishes the requests in flight and gives up the database. With more than one worker, so many
 * processes answer on the same port, each a replica.
 *
 * @throws whatever keeps it from starting, after giving up what was opened
 */
export async function serve(config: Config, workers: number): Promise<void> {
  if (cluster.worker !== undefined) await serveAsWorker(config, cluster.worker, CLOSE_WITHIN_MS)
  else if (workers > 1) await serveByWorkers(config, workers)
  else await serveAlone(config)
}

async function serveAlone(config: Config): Promise<void> {
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

/**
 * The primary process: it does once what must be done once (the schema, mail, what goes by the clock), holds no policy,
 * and answers nothing itself.
 */
async function serveByWorkers(config: Config, workers: number): Promise<void> {
  const log = pino({ level: config.logLevel })
  const parts = await compose(config, log)
  const close = async () => {
    await group.end()
    await parts.close()
  }
  const group = new WorkerGroup(workers, log, (error) => {
    log.fatal(error.message)
    ending.uninstall()
    void close().finally(() => process.exit(1))
  })
  const ending = closeWithGrace(
    { delay: CLOSE_WITHIN_MS + COLLECT_WITHIN_MS, logger: log },
    async ({ signal, err }) => {
      if (err) log.fatal({ err }, 'ending after a fault that nobody caught')
      else log.info({ signal }, 'the workers finish the requests in flight, then end')
      await close()
    },
  )
  try {
    const applied = await migrate(parts.database.dataSource)
    if (applied.length > 0) log.info({ migrations: applied }, 'brought the schema up to date')
    const address = await group.start()
    parts.startWork()
    log.info({ address, workers }, 'listening')
  } catch (error) {
    ending.uninstall()
    await close()
    throw error
  }
}
