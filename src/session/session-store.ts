import type { EntityManager } from 'typeorm'
import type { NewSessionRow, SessionOpening, SessionState } from './session-tokens.ts'

type Row = { id: number; userId: number; secret: Buffer; authenticatedAt: Date; expiresAt: Date }

const COLUMNS = 'id, user_id AS "userId", secret, authenticated_at AS "authenticatedAt", expires_at AS "expiresAt"'

/** Sessions in PostgreSQL. */
export class PgSessionStore implements SessionOpening {
  readonly #manager: EntityManager

  constructor(manager: EntityManager) {
    this.#manager = manager
  }

  async open(row: NewSessionRow): Promise<SessionState> {
    const [opened] = await this.#manager.query<Row[]>(
      `WITH session AS (
         INSERT INTO sessions (user_id, secret, device_name, network, expires_at) VALUES ($1, $2, $3, $4, $5)
         RETURNING ${COLUMNS}
       ), token AS (
         INSERT INTO refresh_tokens (token_hash, session_id, expires_at)
         SELECT decode($6, 'hex'), id, $7 FROM session
       ) SELECT * FROM session`,
      [row.userId, row.secret, row.deviceName, row.network, row.expiresAt, row.refreshTokenHash, row.refreshExpiresAt],
    )
    if (opened === undefined) throw new Error('a session that was just opened is not there')
    return stateOf(opened)
  }
}

const stateOf = ({ authenticatedAt, expiresAt, ...row }: Row): SessionState => ({
  ...row,
  authenticatedAt: authenticatedAt.getTime(),
  expiresAt: expiresAt.getTime(),
})
