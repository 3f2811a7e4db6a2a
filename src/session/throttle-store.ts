import type { EntityManager } from 'typeorm'
import type { Throttle, ThrottleRule } from './throttle.ts'

/** Counters in PostgreSQL, so that they hold for all replicas together. */
export class PgThrottleStore implements Throttle {
  readonly #manager: EntityManager

  constructor(manager: EntityManager) {
    this.#manager = manager
  }

  async take(rules: readonly ThrottleRule[]): Promise<number> {
    const [{ seconds }] = await this.#manager.query('SELECT take_turns($1) AS seconds', [JSON.stringify(rules)])
    return Math.ceil(seconds)
  }

  async clear(keys: readonly string[]): Promise<void> {
    await this.#manager.query('UPDATE throttles SET count = 0 WHERE key = ANY ($1) AND count <> 0', [keys])
  }

  async giveBack(keys: readonly string[]): Promise<void> {
    await this.#manager.query('UPDATE throttles SET count = greatest(0, count - 1) WHERE key = ANY ($1)', [keys])
  }

  async isKnownNetwork(userId: number | null, network: string): Promise<boolean> {
    const [{ known }] = await this.#manager.query(
      `SELECT EXISTS (SELECT FROM sessions
         WHERE user_id = $1 AND network = $2 AND created_at > now() - interval '30 days') AS known`,
      [userId, network],
    )
    return known
  }
}
