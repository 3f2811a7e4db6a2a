import type { EntityManager } from 'typeorm'
import type { OneTimeTokenStore } from './account-ports.ts'
import { newOneTimeToken, oneTimeTokenHash, type TokenBearing, type TokenPurpose } from './one-time-token.ts'

/** One-time tokens in PostgreSQL, by their hashes. */
export class PgOneTimeTokenStore implements OneTimeTokenStore {
  readonly #manager: EntityManager

  constructor(manager: EntityManager) {
    this.#manager = manager
  }

  /** Makes a token that works once, for this purpose and user, and only while the user is neither deactivated nor moved. */
  async issue(purpose: TokenPurpose, { userId, address }: TokenBearing, lifetimeMs: number): Promise<string> {
    const token = newOneTimeToken()
    await this.#manager.query(
      `INSERT INTO one_time_tokens (token_hash, purpose, user_id, address, expires_at)
       VALUES (decode($1, 'hex'), $2, $3, $4, now() + $5 * interval '1 millisecond')`,
      [oneTimeTokenHash(token), purpose, userId, address, lifetimeMs],
    )
    return token
  }

  /** What the token stands for, or null when it does not work for this purpose, or no more; it keeps working. */
  async find(purpose: TokenPurpose, token: string): Promise<TokenBearing | null> {
    const [found] = await this.#manager.query<TokenBearing[]>(
      `SELECT user_id AS "userId", address FROM one_time_tokens
       WHERE token_hash = decode($1, 'hex') AND purpose = $2 AND used_at IS NULL AND expires_at > now()`,
      [oneTimeTokenHash(token), purpose],
    )
    return found ?? null
  }

  /** Uses the token up: of any number of calls at once, one gets what it stands for, the others null. */
  async consume(purpose: TokenPurpose, token: string): Promise<TokenBearing | null> {
    const [[used]] = await this.#manager.query<[TokenBearing[], number]>(
      `UPDATE one_time_tokens SET used_at = now()
       WHERE token_hash = decode($1, 'hex') AND purpose = $2 AND used_at IS NULL AND expires_at > now()
       RETURNING user_id AS "userId", address`,
      [oneTimeTokenHash(token), purpose],
    )
    return used ?? null
  }

  /** Ends the tokens of a user that were not used yet; of all purposes where none is named. */
  async revoke(userId: number, purpose: TokenPurpose | null = null): Promise<void> {
    await this.#manager.query(
      'DELETE FROM one_time_tokens WHERE user_id = $1 AND ($2::text IS NULL OR purpose = $2) AND used_at IS NULL',
      [userId, purpose],
    )
  }
}
