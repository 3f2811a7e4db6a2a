import type { DataSource } from 'typeorm'
import type { RunLock } from './run-service.ts'

/** Chosen once, so that it collides with no other advisory lock of this service. */
const RUN_LOCK = 5_370_006

/** The lock that keeps runs apart: it belongs to a connection, so it goes with a process that is killed. */
export class PgRunLock implements RunLock {
  readonly #dataSource: DataSource

  constructor(dataSource: DataSource) {
    this.#dataSource = dataSource
  }

  async take(): Promise<(() => Promise<void>) | null> {
    const runner = this.#dataSource.createQueryRunner()
    try {
      const [{ taken }] = await runner.query('SELECT pg_try_advisory_lock($1) AS taken', [RUN_LOCK])
      if (taken !== true) {
        await runner.release()
        return null
      }
    } catch (error) {
      await runner.release()
      throw error
    }
    return async () => {
      // A connection that broke has let go of it already.
      await runner.query('SELECT pg_advisory_unlock($1)', [RUN_LOCK]).catch(() => undefined)
      await runner.release()
    }
  }
}
