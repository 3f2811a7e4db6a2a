import { createHash } from 'node:crypto'
import type { EntityManager } from 'typeorm'
import type { AccountRequest, Limit, WaitingRequest } from './account-request.ts'
import type { AccountRequestQueue, AccountRequestStore } from './account-request-service.ts'

/** Requests about accounts in PostgreSQL, and how often they may be made. */
export class PgAccountRequestStore implements AccountRequestQueue, AccountRequestStore {
  readonly #manager: EntityManager

  constructor(manager: EntityManager) {
    this.#manager = manager
  }

  /**
   * Counts one more, of any number at once, and tells whether that is within the limit; what is over it is not counted.
   *
   * @param what the thing that is limited, without colon
   * @param whom kept as a hash only
   */
  async admit(what: string, whom: string, { most, windowMs, pauseMs }: Limit): Promise<boolean> {
    const key = `${what}:${createHash('sha256').update(whom).digest('hex')}`
    const counted = await this.#manager.query<object[]>(
      `INSERT INTO throttles AS t (key, count, first_at, last_at) VALUES ($1, 1, now(), now())
       ON CONFLICT (key) DO UPDATE SET last_at = now(),
         count = CASE WHEN t.first_at <= now() - $3 * interval '1 millisecond' THEN 1 ELSE t.count + 1 END,
         first_at = CASE WHEN t.first_at <= now() - $3 * interval '1 millisecond' THEN now() ELSE t.first_at END
       WHERE t.last_at <= now() - $4 * interval '1 millisecond'
         AND (t.count < $2 OR t.first_at <= now() - $3 * interval '1 millisecond')
       RETURNING key`,
      [key, most, windowMs, pauseMs],
    )
    return counted.length > 0
  }

  async add({ kind, body }: AccountRequest, requestId: string | null): Promise<void> {
    await this.#manager.query('INSERT INTO account_requests (kind, body, request_id) VALUES ($1, $2, $3)', [
      kind,
      body,
      requestId,
    ])
  }

  /** The oldest request that waits and that nobody is at, except these; null for none. */
  async next(except: readonly number[]): Promise<WaitingRequest | null> {
    const [row] = await this.#manager.query<{ id: string; requestId: string | null }[]>(
      `SELECT id, request_id AS "requestId" FROM account_requests WHERE id <> ALL ($1::bigint[])
       ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED`,
      [except],
    )
    return row === undefined ? null : { id: Number(row.id), requestId: row.requestId }
  }

  /** Takes a request off the list, if the transaction commits; null when somebody else is at it or did it. */
  async take(id: number): Promise<AccountRequest | null> {
    const [[row]] = await this.#manager.query<[AccountRequest[], number]>(
      `DELETE FROM account_requests
       WHERE id = (SELECT id FROM account_requests WHERE id = $1 FOR UPDATE SKIP LOCKED) RETURNING kind, body`,
      [id],
    )
    return row ?? null
  }
}
