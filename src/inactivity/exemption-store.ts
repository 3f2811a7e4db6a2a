import type { EntityManager } from 'typeorm'
import { exactTime } from './due-statements.ts'
import type { Exemption } from './exemption-schemas.ts'
import type { ExemptionStore } from './exemption-service.ts'

const COLUMNS = `user_id AS "userId", reason, ${exactTime('exempt_until')} AS until,
  ${exactTime('created_at')} AS "createdAt", created_by AS "createdBy"`

/** Exemptions in PostgreSQL. */
export class PgExemptionStore implements ExemptionStore {
  readonly #manager: EntityManager

  constructor(manager: EntityManager) {
    this.#manager = manager
  }

  async find(userId: number): Promise<Exemption | null> {
    const [row] = await this.#manager.query<Exemption[]>(
      `SELECT ${COLUMNS} FROM inactivity_exemptions WHERE user_id = $1`,
      [userId],
    )
    return row ?? null
  }

  async put(
    userId: number,
    { reason, until, createdBy }: { reason: string; until: string | null; createdBy: string },
  ): Promise<Exemption | null> {
    const [row] = await this.#manager.query<Exemption[]>(
      `WITH kept AS (
         INSERT INTO inactivity_exemptions (user_id, reason, exempt_until, created_by)
         SELECT id, $2, $3::timestamptz, $4 FROM users WHERE id = $1 AND deleted_at IS NULL
         ON CONFLICT (user_id) DO UPDATE SET reason = excluded.reason, exempt_until = excluded.exempt_until,
           created_at = excluded.created_at, created_by = excluded.created_by
         RETURNING *)
       SELECT ${COLUMNS} FROM kept`,
      [userId, reason, until, createdBy],
    )
    return row ?? null
  }

  async remove(userId: number): Promise<void> {
    await this.#manager.query('DELETE FROM inactivity_exemptions WHERE user_id = $1', [userId])
  }
}
