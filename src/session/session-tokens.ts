import { createHmac, randomBytes } from 'node:crypto'
import type { AccessTokens, IssuedToken, PrivateKey, TokenSession } from './access-token.ts'
import { newRefreshToken, refreshTokenHash } from './refresh-token.ts'
import type { OpenedSession } from './session-schemas.ts'

const DAY_MS = 86_400_000
/** A session that is not refreshed for so long ends. */
const IDLE_MS = 14 * DAY_MS
/** A session ends then, however often it is refreshed. */
const ABSOLUTE_MS = 30 * DAY_MS

/** What opens a session; `secret` makes its refresh tokens, the first of which is `refreshToken`. */
export type NewSessionRow = {
  userId: number
  secret: Buffer
  deviceName: string
  network: string
  expiresAt: Date
  refreshToken: string
  refreshTokenHash: string
  refreshExpiresAt: Date
}

/** A session as it is kept; times in epoch milliseconds. */
export type SessionState = Omit<TokenSession, 'isSuperuser'> & { secret: Buffer }

/** Opens sessions, in a transaction. */
export interface SessionOpening {
  open(row: NewSessionRow): Promise<SessionState>
}

/** Gives the key that signs now. */
export interface CurrentKey {
  current(): Promise<PrivateKey>
}

/** The tokens of sessions: an access token for minutes, and a refresh token for the next pair. */
export class SessionTokens {
  readonly #accessTokens: AccessTokens
  readonly #keys: CurrentKey

  constructor(accessTokens: AccessTokens, keys: CurrentKey) {
    this.#accessTokens = accessTokens
    this.#keys = keys
  }

  /** A session to open now. */
  newSession(userId: number, deviceName: string, network: string): NewSessionRow {
    const now = Date.now()
    const refreshToken = newRefreshToken()
    return {
      userId,
      secret: randomBytes(32),
      deviceName,
      network,
      expiresAt: new Date(now + ABSOLUTE_MS),
      refreshToken,
      refreshTokenHash: refreshTokenHash(refreshToken),
      refreshExpiresAt: refreshExpiry(now, now + ABSOLUTE_MS),
    }
  }

  /** The pair of tokens of a session; the same refresh token given out at the same time makes the same pair. */
  async pair(
    session: SessionState & { isSuperuser: boolean },
    refreshToken: string,
    at = Date.now(),
  ): Promise<OpenedSession> {
    const jti = createHmac('sha256', session.secret).update(`jti:${refreshToken}`).digest('base64url').slice(0, 22)
    const issued = this.#accessTokens.issue(session, await this.#keys.current(), { at, jti })
    return {
      ...issued,
      tokenType: 'Bearer',
      refreshToken,
      refreshExpiresAt: refreshExpiry(at, session.expiresAt).toISOString(),
      session: { id: session.id },
    }
  }

  /** An access token alone. */
  async access(session: TokenSession): Promise<IssuedToken & { tokenType: 'Bearer' }> {
    return { ...this.#accessTokens.issue(session, await this.#keys.current()), tokenType: 'Bearer' }
  }
}

/** When a refresh token that is given out at `at` expires. */
export const refreshExpiry = (at: number, sessionExpiresAt: number): Date =>
  new Date(Math.min(at + IDLE_MS, sessionExpiresAt))
