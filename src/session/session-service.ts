import { DomainError } from '../errors.ts'
import type { Committed, PolicyWrite, WriteContext } from '../policy/policy-write.ts'
import type { PasswordAttempts } from './password-attempts.ts'
import { childToken, isRefreshToken, refreshTokenHash } from './refresh-token.ts'
import type { FreshToken, OpenedSession, Session } from './session-schemas.ts'
import { refreshExpiry, type SessionState, type SessionTokens } from './session-tokens.ts'

/** For so long a client that lost the answer may send the same refresh token again. */
const RETRY_MS = 10_000

/** A refresh token with its session, which nobody else refreshes until the transaction ends; times in epoch ms. */
export type HeldRefreshToken = SessionState & {
  isSuperuser: boolean
  /** Neither the session, nor the account behind it, nor the time has put an end to it. */
  isAlive: boolean
  tokenExpiresAt: number
  usedAt: number | null
  now: number
}

/** Why a session was ended before its time. */
export type EndReason = 'logout' | 'administration' | 'password-change' | 'refresh-token-reused'

/** Reads sessions. */
export interface SessionReader {
  /** Those that have not ended, newest first. */
  list(userId: number): Promise<Omit<Session, 'isCurrent'>[]>
}

/** What a write about sessions needs, in its transaction. */
export interface SessionStore extends SessionReader {
  /** By the hash of a refresh token; null when there is none. */
  holdByRefreshToken(hash: string): Promise<HeldRefreshToken | null>
  /** Whether a refresh token, by its hash, is still to be used. */
  isUnused(hash: string): Promise<boolean>
  /** Puts one refresh token in the place of another. */
  replaceRefreshToken(
    sessionId: number,
    hash: string,
    usedAt: number,
    child: { hash: string; expiresAt: Date },
  ): Promise<void>
  /** Ends those of these sessions of the user that have not ended, all when `ids` is null, and gives their ids. */
  end(userId: number, which: { ids: number[] | null; except: number | null }, reason: EndReason): Promise<number[]>
  /** Notes that the password was given again; null when the session has ended. */
  authenticated(sessionId: number): Promise<(SessionState & { isSuperuser: boolean }) | null>
  /** Is there such a user? */
  userExists(userId: number): Promise<boolean>
}

type Parts = {
  write: PolicyWrite<{ sessions: SessionStore }>
  sessions: SessionReader
  attempts: PasswordAttempts
  tokens: SessionTokens
  /** Told of each refresh, which counts as activity of the user. */
  refreshed: (userId: number, now: number) => void
}

type Rotated = { session: HeldRefreshToken; refreshToken: string; at: number }
type Refusal = 'refresh-token-invalid' | 'refresh-token-reused'

/** Sessions that are open: refreshed, listed, ended. */
export class SessionService {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /**
   * The next pair of tokens for a refresh token, which is used up by it. The same token again within seconds, while the
   * next one is unused, gives the same pair: the client lost an answer. Any other use of a used token ends the session,
   * since two hold it.
   *
   * @throws DomainError `refresh-token-invalid`, `refresh-token-reused`
   */
  async refresh(context: WriteContext, refreshToken: string): Promise<OpenedSession> {
    if (!isRefreshToken(refreshToken)) throw refused('refresh-token-invalid')
    const { value } = await this.#parts.write<Rotated | Refusal>(context, async ({ sessions }, audit) => {
      const held = await sessions.holdByRefreshToken(refreshTokenHash(refreshToken))
      if (!held?.isAlive) return 'refresh-token-invalid'
      const rotated = await rotation(sessions, held, refreshToken)
      if (rotated !== 'refresh-token-reused') return rotated
      await sessions.end(held.userId, { ids: [held.id], except: null }, 'refresh-token-reused')
      const after = { sessionId: held.id, reason: 'refresh-token-reused' }
      audit({ action: 'session.refresh-token-reused', target: `user:${held.userId}`, after })
      return 'refresh-token-reused'
    })
    if (typeof value === 'string') throw refused(value)
    this.#parts.refreshed(value.session.userId, Date.now())
    return this.#parts.tokens.pair(value.session, value.refreshToken, value.at)
  }

  /** The open sessions of a user, newest first. */
  async list(userId: number, currentId: number | null): Promise<Session[]> {
    const sessions = await this.#parts.sessions.list(userId)
    return sessions.map((session) => ({ ...session, isCurrent: session.id === currentId }))
  }

  /** Ends one session of a user. @throws DomainError `not-found`, also for a session of somebody else */
  endOne(context: WriteContext, userId: number, id: number): Promise<Committed<number>> {
    return this.#end(context, userId, { ids: [id], except: null }, 'logout', ([ended]) => {
      if (ended === undefined) throw new DomainError('not-found', `there is no session ${id}`)
    })
  }

  /** Ends all sessions of a user but one. */
  endOthers(context: WriteContext, userId: number, except: number | null): Promise<Committed<number>> {
    return this.#end(context, userId, { ids: null, except }, 'logout')
  }

  /** Ends all sessions of a user for who administers the site. @throws DomainError `not-found` */
  endAll(context: WriteContext, userId: number): Promise<Committed<number>> {
    return this.#end(context, userId, { ids: null, except: null }, 'administration', async (_ended, sessions) => {
      if (!(await sessions.userExists(userId))) throw new DomainError('not-found', `there is no user ${userId}`)
    })
  }

  /**
   * A new access token for a session whose owner has given the password once more.
   *
   * @throws DomainError `invalid-credentials`, `too-many-attempts`, `overloaded`, `unauthenticated`
   */
  async reauthenticate(
    context: WriteContext,
    user: { id: number; sessionId: number; password: string; network: string },
  ): Promise<FreshToken> {
    try {
      await this.#parts.attempts.confirm(user.id, user.password, user.network)
    } catch (error) {
      if (error instanceof DomainError && error.code === 'invalid-credentials') await this.#failed(context, user)
      throw error
    }
    const { value } = await this.#parts.write(context, async ({ sessions }, audit) => {
      const session = await sessions.authenticated(user.sessionId)
      const after = { sessionId: user.sessionId, network: user.network }
      if (session !== null) audit({ action: 'session.reauthentication', target: `user:${user.id}`, after })
      return session
    })
    if (value === null) throw new DomainError('unauthenticated', 'this session has ended')
    return this.#parts.tokens.access(value)
  }

  async #failed(context: WriteContext, { id, sessionId, network }: { id: number; sessionId: number; network: string }) {
    const after = { sessionId, network }
    await this.#parts.write(context, async (_stores, audit) =>
      audit({ action: 'session.reauthentication-failed', target: `user:${id}`, after }),
    )
  }

  #end(
    context: WriteContext,
    userId: number,
    which: { ids: number[] | null; except: number | null },
    reason: EndReason,
    check: (ended: number[], sessions: SessionStore) => void | Promise<void> = () => undefined,
  ): Promise<Committed<number>> {
    return this.#parts.write(context, async ({ sessions }, audit) => {
      const ended = await sessions.end(userId, which, reason)
      await check(ended, sessions)
      if (ended.length > 0)
        audit({ action: 'session.end', target: `user:${userId}`, after: { sessions: ended, reason } })
      return ended.length
    })
  }
}

async function rotation(sessions: SessionStore, held: HeldRefreshToken, parent: string): Promise<Rotated | Refusal> {
  const refreshToken = childToken(parent, held.secret)
  const hash = refreshTokenHash(refreshToken)
  if (held.usedAt === null) {
    if (held.tokenExpiresAt <= held.now) return 'refresh-token-invalid'
    const child = { hash, expiresAt: refreshExpiry(held.now, held.expiresAt) }
    await sessions.replaceRefreshToken(held.id, refreshTokenHash(parent), held.now, child)
    return { session: held, refreshToken, at: held.now }
  }
  const isRetry = held.now - held.usedAt <= RETRY_MS && (await sessions.isUnused(hash))
  return isRetry ? { session: held, refreshToken, at: held.usedAt } : 'refresh-token-reused'
}

function refused(code: Refusal): DomainError {
  const detail =
    code === 'refresh-token-reused'
      ? 'this refresh token was used before, so its session was ended: log in again'
      : 'this refresh token opens nothing, or nothing any more: log in again'
  return new DomainError(code, detail)
}
