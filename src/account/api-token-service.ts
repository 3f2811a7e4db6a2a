import { apiTokenHash, isApiToken, newApiToken, shownOfApiToken } from '../api-token.ts'
import { DomainError } from '../errors.ts'
import { readInstant } from '../instant.ts'
import { refuseBadNames } from '../names.ts'
import type { PageRequest } from '../page.ts'
import type { Committed, PolicyWrite, WriteContext } from '../policy/policy-write.ts'
import {
  type API_TOKEN_SORTS,
  type ApiToken,
  MAX_TOKEN_NAME_LENGTH,
  type NewApiToken,
  type TokenScope,
} from './api-token-schemas.ts'

const DAY_MS = 86_400_000
const DEFAULT_LIFE_MS = 90 * DAY_MS
const LONGEST_LIFE_MS = 365 * DAY_MS
/** In force at once; a rotated token counts for as long as it goes on. */
const MOST_TOKENS = 50
/** So many expired tokens of a user stay in the list. */
const EXPIRED_TOKENS_KEPT = 20

/** How a list of API tokens is asked for. */
export type ApiTokenPage = PageRequest<keyof typeof API_TOKEN_SORTS>

/** A token that is not kept yet; `tokenHash` is the SHA-256 of the token in lower-case hex. */
export type TokenFields = Pick<ApiToken, 'userId' | 'name' | 'scopes' | 'tokenStart' | 'tokenEnd'> & {
  tokenHash: string
  expiresAt: Date
}

/** Reads what is known of API tokens: everything but the tokens. */
export interface ApiTokenReader {
  /** Whether there is such a user, a deleted one not. */
  hasUser(userId: number): Promise<boolean>
  /** Up to `limit + 1` tokens of a user, expired ones too, see {@link PageRequest}. */
  list(userId: number, page: ApiTokenPage): Promise<ApiToken[]>
  /** The token with this hash, expired or not. */
  withHash(tokenHash: string): Promise<ApiToken | null>
}

/** What a write about API tokens needs, in its transaction. */
export interface ApiTokenStore extends ApiTokenReader {
  /** What is known of a user who is to get a token; nobody else makes one for the user until the transaction ends. */
  holdUser(userId: number): Promise<{ isActive: boolean; isSuperuser: boolean } | null>
  /** One token of that user, held until the transaction ends. */
  hold(userId: number, tokenId: number): Promise<ApiToken | null>
  /** How many tokens of a user are in force. */
  inForce(userId: number): Promise<number>
  add(token: TokenFields): Promise<ApiToken>
  /** Lets a token expire at that instant, unless it does so earlier. */
  expire(tokenId: number, at: Date): Promise<void>
  remove(tokenId: number): Promise<void>
  /** Removes all tokens of a user, and gives them. */
  removeAll(userId: number): Promise<ApiToken[]>
  /** Removes expired tokens of a user but for the last `kept`. */
  removeExpired(userId: number, kept: number): Promise<void>
}

type Stores = { apiTokens: ApiTokenStore }
type Made = ApiToken & { token: string }

/** The tokens by which users let programs act for them. */
export class ApiTokenService {
  readonly #write: PolicyWrite<Stores>
  readonly #tokens: ApiTokenReader

  constructor(write: PolicyWrite<Stores>, tokens: ApiTokenReader) {
    this.#write = write
    this.#tokens = tokens
  }

  /**
   * Up to `limit + 1` tokens of a user, see {@link PageRequest}.
   *
   * @throws DomainError `not-found`
   */
  async list(userId: number, page: ApiTokenPage): Promise<ApiToken[]> {
    await this.#needUser(userId)
    return this.#tokens.list(userId, page)
  }

  /**
   * Makes a token for the user who asks. Only its SHA-256 is kept: who loses it makes another.
   *
   * @throws DomainError `invalid-request`, `expiry-too-long`, `scope-not-grantable`, `token-limit-reached`
   */
  async create(
    context: WriteContext,
    userId: number,
    { name, scopes, expiresAt }: NewApiToken,
  ): Promise<Committed<Made>> {
    refuseBadNames([{ pointer: '/name', value: name, limit: MAX_TOKEN_NAME_LENGTH, empty: false }])
    const until = expiryOf(expiresAt)
    const token = newApiToken()
    return this.#write(context, async ({ apiTokens }, audit) => {
      refuseScopes(await heldUser(apiTokens, userId), scopes)
      await refuseTooMany(apiTokens, userId)
      const made = await apiTokens.add({ userId, name, scopes, expiresAt: until, ...kept(token) })
      audit({ action: 'api-token.create', target: `api-token:${made.id}`, after: made })
      return { ...made, token }
    })
  }

  /**
   * Makes a token in the place of another, with its name, its scopes and its lifetime from now on; the old one goes on
   * for `graceSeconds`.
   *
   * @throws DomainError `not-found` also for an expired token; `scope-not-grantable`, `token-limit-reached`
   */
  rotate(context: WriteContext, userId: number, id: number, graceSeconds: number): Promise<Committed<Made>> {
    const token = newApiToken()
    return this.#write(context, async ({ apiTokens }, audit) => {
      const user = await heldUser(apiTokens, userId)
      const old = known(id, await apiTokens.hold(userId, id))
      const now = Date.now()
      if (old.expiresAt !== null && Date.parse(old.expiresAt) <= now) throw unknownToken(id)
      refuseScopes(user, old.scopes)
      await apiTokens.expire(id, new Date(now + graceSeconds * 1000))
      await refuseTooMany(apiTokens, userId)
      const { name, scopes } = old
      const expiresAt = new Date(now + lifeOf(old))
      const made = await apiTokens.add({ userId, name, scopes, expiresAt, ...kept(token) })
      audit({ action: 'api-token.rotate', target: `api-token:${id}`, before: old, after: { ...made, graceSeconds } })
      return { ...made, token }
    })
  }

  /**
   * Ends one token of a user at once.
   *
   * @throws DomainError `not-found`, also where the token is another user's
   */
  delete(context: WriteContext, userId: number, id: number): Promise<Committed<void>> {
    return this.#write(context, async ({ apiTokens }, audit) => {
      const before = known(id, await apiTokens.hold(userId, id))
      await apiTokens.remove(id)
      audit({ action: 'api-token.delete', target: `api-token:${id}`, before })
    })
  }

  /**
   * Ends all tokens of a user at once, and gives how many there were.
   *
   * @throws DomainError `not-found`
   */
  async deleteAll(context: WriteContext, userId: number): Promise<Committed<number>> {
    await this.#needUser(userId)
    return this.#write(context, async ({ apiTokens }, audit) => {
      const removed = await apiTokens.removeAll(userId)
      for (const before of removed) audit({ action: 'api-token.delete', target: `api-token:${before.id}`, before })
      return removed.length
    })
  }

  /** Ends a token that somebody came by. What is no token, or is not known, is passed over: nobody is told. */
  async revoke(context: WriteContext, token: string): Promise<void> {
    if (!isApiToken(token)) return
    const found = await this.#tokens.withHash(apiTokenHash(token))
    if (found === null) return
    await this.#write(context, async ({ apiTokens }, audit) => {
      const before = await apiTokens.hold(found.userId, found.id)
      if (before === null) return
      await apiTokens.remove(found.id)
      audit({ action: 'api-token.revoke', target: `api-token:${found.id}`, before })
    })
  }

  async #needUser(userId: number): Promise<void> {
    if (!(await this.#tokens.hasUser(userId))) throw new DomainError('not-found', `there is no user ${userId}`)
  }
}

const kept = (token: string) => ({ tokenHash: apiTokenHash(token), ...shownOfApiToken(token) })

/** The lifetime that a token was given; an imported one had none. */
const lifeOf = ({ createdAt, expiresAt }: ApiToken): number =>
  expiresAt === null ? DEFAULT_LIFE_MS : Math.min(Date.parse(expiresAt) - Date.parse(createdAt), LONGEST_LIFE_MS)

function expiryOf(text: string | undefined): Date {
  const now = Date.now()
  if (text === undefined) return new Date(now + DEFAULT_LIFE_MS)
  const reading = readInstant(text)
  if ('fault' in reading) throw badExpiry('invalid-request', reading.fault)
  const life = reading.instant.getTime() - now
  if (life <= 0) throw badExpiry('invalid-request', 'must be in the future')
  if (life > LONGEST_LIFE_MS) throw badExpiry('expiry-too-long', 'must be within 365 days')
  return reading.instant
}

const badExpiry = (code: 'invalid-request' | 'expiry-too-long', detail: string) =>
  new DomainError(code, `the expiry ${detail}`, { faults: [{ pointer: '/expiresAt', detail }] })

/** The user as of the transaction: what the caller was when the request came may have ended. */
async function heldUser(tokens: ApiTokenStore, userId: number): Promise<{ isSuperuser: boolean }> {
  const user = await tokens.holdUser(userId)
  if (!user?.isActive) throw new DomainError('not-permitted', 'the account is not, or no longer, in use')
  return user
}

function refuseScopes(user: { isSuperuser: boolean }, scopes: readonly TokenScope[]): void {
  if (!scopes.includes('admin') || user.isSuperuser) return
  const detail = 'only a superuser may give a token the scope admin'
  throw new DomainError('scope-not-grantable', detail, { faults: [{ pointer: '/scopes', detail }] })
}

async function refuseTooMany(tokens: ApiTokenStore, userId: number): Promise<void> {
  await tokens.removeExpired(userId, EXPIRED_TOKENS_KEPT)
  if ((await tokens.inForce(userId)) < MOST_TOKENS) return
  throw new DomainError('token-limit-reached', `a user may have ${MOST_TOKENS} API tokens at a time: delete one first`)
}

function known(id: number, token: ApiToken | null): ApiToken {
  if (token === null) throw unknownToken(id)
  return token
}

const unknownToken = (id: number) => new DomainError('not-found', `the user has no API token ${id}`)
