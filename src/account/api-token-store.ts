import type { EntityManager } from 'typeorm'
import type { ExpiringToken, ExpiringTokens } from './api-token-reminders.ts'
import type { ApiToken } from './api-token-schemas.ts'
import type { ApiTokenPage, ApiTokenReader, ApiTokenStore, TokenFields } from './api-token-service.ts'

type Row = Omit<ApiToken, 'createdAt' | 'expiresAt' | 'lastUsedAt'> & {
  createdAt: Date
  expiresAt: Date | null
  lastUsedAt: Date | null
}

/** Every column but the hash of the token, which nobody has to see. */
const COLUMNS = `id, user_id AS "userId", name, scopes, token_start AS "tokenStart", token_end AS "tokenEnd", source,
  created_at AS "createdAt", expires_at AS "expiresAt", last_used_at AS "lastUsedAt"`
const IN_FORCE = `(expires_at IS NULL OR expires_at > clock_timestamp())`

/** API tokens in PostgreSQL. */
export class PgApiTokenStore implements ApiTokenReader, ApiTokenStore, ExpiringTokens {
  readonly #manager: EntityManager

  constructor(manager: EntityManager) {
    this.#manager = manager
  }

  async hasUser(userId: number): Promise<boolean> {
    const found = await this.#manager.query<object[]>('SELECT FROM users WHERE id = $1 AND deleted_at IS NULL', [
      userId,
    ])
    return found.length > 0
  }

  list(userId: number, { limit, descending, after }: ApiTokenPage): Promise<ApiToken[]> {
    return this.#many(
      `SELECT ${COLUMNS} FROM api_tokens
       WHERE user_id = $1 AND ($2::integer IS NULL OR id ${descending ? '<' : '>'} $2)
       ORDER BY id ${descending ? 'DESC' : 'ASC'} LIMIT $3`,
      [userId, after?.id ?? null, limit + 1],
    )
  }

  withHash(tokenHash: string): Promise<ApiToken | null> {
    return this.#one(`SELECT ${COLUMNS} FROM api_tokens WHERE token_hash = decode($1, 'hex')`, [tokenHash])
  }

  async holdUser(userId: number): Promise<{ isActive: boolean; isSuperuser: boolean } | null> {
    const [user] = await this.#manager.query<{ isActive: boolean; isSuperuser: boolean }[]>(
      `SELECT is_active AS "isActive", is_superuser AS "isSuperuser" FROM users
       WHERE id = $1 AND deleted_at IS NULL AND NOT is_anonymous FOR NO KEY UPDATE`,
      [userId],
    )
    return user ?? null
  }

  hold(userId: number, tokenId: number): Promise<ApiToken | null> {
    return this.#one(`SELECT ${COLUMNS} FROM api_tokens WHERE id = $2 AND user_id = $1 FOR UPDATE`, [userId, tokenId])
  }

  async inForce(userId: number): Promise<number> {
    const [row] = await this.#manager.query<{ count: number }[]>(
      `SELECT count(*)::integer AS count FROM api_tokens WHERE user_id = $1 AND ${IN_FORCE}`,
      [userId],
    )
    return row?.count ?? 0
  }

  async add(token: TokenFields): Promise<ApiToken> {
    const made = await this.#one(
      `INSERT INTO api_tokens (user_id, name, token_hash, scopes, token_start, token_end, expires_at)
       VALUES ($1, $2, decode($3, 'hex'), $4, $5, $6, $7) RETURNING ${COLUMNS}`,
      [token.userId, token.name, token.tokenHash, token.scopes, token.tokenStart, token.tokenEnd, token.expiresAt],
    )
    if (made === null) throw new Error('an API token that was just added is not there')
    return made
  }

  async expire(tokenId: number, at: Date): Promise<void> {
    await this.#manager.query(
      'UPDATE api_tokens SET expires_at = least(expires_at, $2), reminded_at = now() WHERE id = $1',
      [tokenId, at],
    )
  }

  takeExpiring(within: string, most: number): Promise<ExpiringToken[]> {
    return this.#manager.query<ExpiringToken[]>(
      `WITH taken AS (UPDATE api_tokens SET reminded_at = now() WHERE id IN (
         SELECT t.id FROM api_tokens t JOIN users u ON u.id = t.user_id
         WHERE t.expires_at BETWEEN now() AND now() + $1::interval AND t.reminded_at IS NULL
           AND t.expires_at - t.created_at > 2 * $1::interval AND u.is_active AND u.email <> ''
         ORDER BY t.id LIMIT $2 FOR UPDATE OF t SKIP LOCKED) RETURNING user_id, name, expires_at)
       SELECT user_id AS "userId", username, email, name, expires_at AS "expiresAt"
       FROM taken JOIN users ON users.id = user_id`,
      [within, most],
    )
  }

  async remove(tokenId: number): Promise<void> {
    await this.#manager.query('DELETE FROM api_tokens WHERE id = $1', [tokenId])
  }

  removeAll(userId: number): Promise<ApiToken[]> {
    return this.#many(
      `WITH removed AS (DELETE FROM api_tokens WHERE user_id = $1 RETURNING *)
       SELECT ${COLUMNS} FROM removed ORDER BY id`,
      [userId],
    )
  }

  async removeExpired(userId: number, kept: number): Promise<void> {
    await this.#manager.query(
      `DELETE FROM api_tokens WHERE id IN (
         SELECT id FROM api_tokens WHERE user_id = $1 AND NOT ${IN_FORCE} ORDER BY expires_at DESC, id DESC OFFSET $2)`,
      [userId, kept],
    )
  }

  async #one(statement: string, parameters: unknown[]): Promise<ApiToken | null> {
    const [token] = await this.#many(statement, parameters)
    return token ?? null
  }

  async #many(statement: string, parameters: unknown[]): Promise<ApiToken[]> {
    const rows = await this.#manager.query<Row[]>(statement, parameters)
    return rows.map(shown)
  }
}

const shown = ({ createdAt, expiresAt, lastUsedAt, ...row }: Row): ApiToken => ({
  ...row,
  createdAt: createdAt.toISOString(),
  expiresAt: expiresAt?.toISOString() ?? null,
  lastUsedAt: lastUsedAt?.toISOString() ?? null,
})
