import type { EntityManager } from 'typeorm'
import type { Session } from './session-schemas.ts'
import type { EndReason, HeldRefreshToken, SessionReader, SessionStore } from './session-service.ts'
import type { NewSessionRow, SessionOpening, SessionState } from './session-tokens.ts'

/** Whoever logs in more often without logging out loses the oldest sessions. */
const MOST_SESSIONS = 100

type Row = { id: number; userId: number; secret: Buffer; authenticatedAt: Date; expiresAt: Date }
type HeldRow = Row & {
  isSuperuser: boolean
  isAlive: boolean
  tokenExpiresAt: Date
  usedAt: Date | null
  now: Date
}
type ListRow = Record<'createdAt' | 'authenticatedAt' | 'lastUsedAt' | 'expiresAt', Date> &
  Pick<Session, 'id' | 'deviceName' | 'network'>

const COLUMNS = 'id, user_id AS "userId", secret, authenticated_at AS "authenticatedAt", expires_at AS "expiresAt"'
const OPEN = 'expires_at > now() AND NOT EXISTS (SELECT FROM ended_sessions e WHERE e.id = sessions.id)'

/** Sessions in PostgreSQL. */
export class PgSessionStore implements SessionOpening, SessionReader, SessionStore {
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
       ), surplus AS (
         INSERT INTO ended_sessions (id, reason)
         SELECT id, 'surplus' FROM (SELECT id FROM sessions WHERE user_id = $1 AND ${OPEN}
           ORDER BY id DESC OFFSET ${MOST_SESSIONS - 1}) AS older ORDER BY id
       ) SELECT * FROM session`,
      [row.userId, row.secret, row.deviceName, row.network, row.expiresAt, row.refreshTokenHash, row.refreshExpiresAt],
    )
    if (opened === undefined) throw new Error('a session that was just opened is not there')
    return stateOf(opened)
  }

  /** In two statements: the second sees what those did who held the session before. */
  async holdByRefreshToken(hash: string): Promise<HeldRefreshToken | null> {
    const [session] = await this.#manager.query<{ id: number }[]>(
      `SELECT id FROM sessions WHERE id = (SELECT session_id FROM refresh_tokens WHERE token_hash = decode($1, 'hex'))
       FOR UPDATE`,
      [hash],
    )
    if (session === undefined) return null
    const [row] = await this.#manager.query<HeldRow[]>(HELD, [hash])
    if (row === undefined) return null
    const { isSuperuser, isAlive, tokenExpiresAt, usedAt, now } = row
    return {
      ...stateOf(row),
      isSuperuser,
      isAlive,
      tokenExpiresAt: tokenExpiresAt.getTime(),
      usedAt: usedAt?.getTime() ?? null,
      now: now.getTime(),
    }
  }

  async isUnused(hash: string): Promise<boolean> {
    const rows = await this.#manager.query(
      `SELECT FROM refresh_tokens WHERE token_hash = decode($1, 'hex') AND used_at IS NULL`,
      [hash],
    )
    return rows.length > 0
  }

  async replaceRefreshToken(
    sessionId: number,
    hash: string,
    usedAt: number,
    child: { hash: string; expiresAt: Date },
  ): Promise<void> {
    await this.#manager.query(
      `WITH used AS (UPDATE refresh_tokens SET used_at = $3 WHERE token_hash = decode($2, 'hex')),
            session AS (UPDATE sessions SET last_used_at = $3 WHERE id = $1)
       INSERT INTO refresh_tokens (token_hash, session_id, expires_at) VALUES (decode($4, 'hex'), $1, $5)`,
      [sessionId, hash, new Date(usedAt), child.hash, child.expiresAt],
    )
  }

  async list(userId: number): Promise<Omit<Session, 'isCurrent'>[]> {
    const rows = await this.#manager.query<ListRow[]>(
      `SELECT id, device_name AS "deviceName", network, created_at AS "createdAt",
         authenticated_at AS "authenticatedAt", last_used_at AS "lastUsedAt", expires_at AS "expiresAt"
       FROM sessions WHERE user_id = $1 AND ${OPEN}
         AND EXISTS (SELECT FROM refresh_tokens t
           WHERE t.session_id = sessions.id AND t.used_at IS NULL AND t.expires_at > now())
       ORDER BY id DESC LIMIT ${MOST_SESSIONS}`,
      [userId],
    )
    return rows.map(({ id, deviceName, network, ...times }) => ({
      id,
      deviceName,
      network,
      createdAt: times.createdAt.toISOString(),
      authenticatedAt: times.authenticatedAt.toISOString(),
      lastUsedAt: times.lastUsedAt.toISOString(),
      expiresAt: times.expiresAt.toISOString(),
    }))
  }

  async end(
    userId: number,
    { ids, except }: { ids: number[] | null; except: number | null },
    reason: EndReason,
  ): Promise<number[]> {
    const rows = await this.#manager.query<{ id: number }[]>(
      `INSERT INTO ended_sessions (id, reason)
       SELECT id, $4 FROM sessions
       WHERE user_id = $1 AND ${OPEN} AND ($2::integer[] IS NULL OR id = ANY ($2)) AND id IS DISTINCT FROM $3
       ORDER BY id ON CONFLICT DO NOTHING RETURNING id`,
      [userId, ids, except, reason],
    )
    return rows.map(({ id }) => id)
  }

  async authenticated(sessionId: number): Promise<(SessionState & { isSuperuser: boolean }) | null> {
    const [row] = await this.#manager.query<(Row & { isSuperuser: boolean })[]>(
      `WITH session AS (UPDATE sessions SET authenticated_at = now() WHERE id = $1 AND ${OPEN} RETURNING ${COLUMNS})
       SELECT session.*, u.is_superuser AS "isSuperuser" FROM session JOIN users u ON u.id = "userId"`,
      [sessionId],
    )
    return row === undefined ? null : { ...stateOf(row), isSuperuser: row.isSuperuser }
  }

  async userExists(userId: number): Promise<boolean> {
    const rows = await this.#manager.query('SELECT FROM users WHERE id = $1 AND deleted_at IS NULL', [userId])
    return rows.length > 0
  }
}

const HELD = `
  SELECT s.id, s.user_id AS "userId", s.secret, s.authenticated_at AS "authenticatedAt", s.expires_at AS "expiresAt",
    u.is_superuser AS "isSuperuser", t.expires_at AS "tokenExpiresAt", t.used_at AS "usedAt",
    date_trunc('milliseconds', clock_timestamp()) AS now,
    s.expires_at > clock_timestamp() AND u.is_active AND NOT u.is_anonymous AND u.deleted_at IS NULL
      AND NOT EXISTS (SELECT FROM ended_sessions e WHERE e.id = s.id) AS "isAlive"
  FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id JOIN users u ON u.id = s.user_id
  WHERE t.token_hash = decode($1, 'hex')
`

const stateOf = ({ id, userId, secret, authenticatedAt, expiresAt }: Row): SessionState => ({
  id,
  userId,
  secret,
  authenticatedAt: authenticatedAt.getTime(),
  expiresAt: expiresAt.getTime(),
})
