import type { EntityManager } from 'typeorm'
import type { Activity, ActivityStore } from './activity-recorder.ts'

/** Rows are taken in the order of their ids, so that replicas that write at once do not block each other. */
const KEEP = `
  WITH token AS (
    SELECT t.id, r.at FROM jsonb_to_recordset($1) AS r(id integer, at timestamptz)
    JOIN api_tokens t ON t.id = r.id WHERE t.last_used_at IS NULL OR t.last_used_at < r.at
    ORDER BY t.id FOR NO KEY UPDATE OF t
  ), kept AS (
    UPDATE api_tokens t SET last_used_at = token.at FROM token WHERE t.id = token.id
  )
  INSERT INTO account_activity AS a (user_id, token_used_at, refreshed_at)
    SELECT u.id, max(r."usedAt"), max(r."refreshedAt")
    FROM jsonb_to_recordset($2) AS r(id integer, "usedAt" timestamptz, "refreshedAt" timestamptz)
    JOIN users u ON u.id = r.id GROUP BY u.id ORDER BY u.id
  ON CONFLICT (user_id) DO UPDATE SET
    token_used_at = greatest(a.token_used_at, excluded.token_used_at),
    refreshed_at = greatest(a.refreshed_at, excluded.refreshed_at)
`

/** Activity in PostgreSQL. */
export class PgActivityStore implements ActivityStore {
  readonly #manager: EntityManager

  constructor(manager: EntityManager) {
    this.#manager = manager
  }

  async keep({ tokens, refreshes }: Activity): Promise<void> {
    const used = [...tokens].map(([id, { at }]) => ({ id, at: timeOf(at) }))
    const users = [
      ...[...tokens.values()].map(({ userId, at }) => ({ id: userId, usedAt: timeOf(at) })),
      ...[...refreshes].map(([id, at]) => ({ id, refreshedAt: timeOf(at) })),
    ]
    await this.#manager.query(KEEP, [JSON.stringify(used), JSON.stringify(users)])
  }
}

const timeOf = (epochMs: number): string => new Date(epochMs).toISOString()
