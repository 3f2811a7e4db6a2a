import { createPublicKey, randomBytes } from 'node:crypto'
import type { SigningKeyState } from '../decision/policy-state.ts'
import { TOKEN_SCOPES } from '../http/access.ts'
import { type AccessTokenClaims, isAccessTokenClaims } from './access-token-schemas.ts'
import { type CredentialReader, liveAccount } from './callers.ts'

/** How long an access token opens anything. */
export const ACCESS_TOKEN_SECONDS = 600
/** How far the clocks of replicas may be apart. */
const SKEW_SECONDS = 30
const CLIENT_ID = 'gatehouse'
const CANNOT_BE = /^(?:gatehouse_|[0-9a-f]{40}$)/

/** Signs and verifies tokens of our type, issuer and audience. */
export interface TokenSigner {
  sign(claims: object, key: PrivateKey): string
  verify(token: string, publicKeyOf: (kid: string) => string | undefined): unknown
}

/** A key to sign with. */
export type PrivateKey = { kid: string; privateKey: string }

/** The session that an access token is made for; times in epoch milliseconds. */
export type TokenSession = {
  id: number
  userId: number
  isSuperuser: boolean
  authenticatedAt: number
  expiresAt: number
}

/** An access token, and for how many seconds it opens. */
export type IssuedToken = { accessToken: string; expiresIn: number }

/** Access tokens: JWTs that say who called the login, and that the decision plane verifies in memory. */
export class AccessTokens {
  readonly #signer: TokenSigner
  readonly #publicKeys = new WeakMap<SigningKeyState, string>()

  constructor(signer: TokenSigner) {
    this.#signer = signer
  }

  /**
   * A token of a session. The same `at` and `jti` make the same token with the same key; without, it is a token of now.
   * Its scopes are what a session opens; `admin` is named for superusers only, since it opens nothing to others.
   */
  issue(
    session: TokenSession,
    key: PrivateKey,
    { at = Date.now(), jti = randomBytes(16).toString('base64url') }: { at?: number; jti?: string } = {},
  ): IssuedToken {
    const iat = Math.floor(at / 1000)
    const exp = Math.min(iat + ACCESS_TOKEN_SECONDS, Math.floor(session.expiresAt / 1000))
    const scopes = TOKEN_SCOPES.filter((scope) => scope !== 'admin' || session.isSuperuser)
    const claims: Omit<AccessTokenClaims, 'iss' | 'aud'> = {
      sub: String(session.userId),
      exp,
      iat,
      jti,
      client_id: CLIENT_ID,
      sid: String(session.id),
      auth_time: Math.floor(session.authenticatedAt / 1000),
      scope: scopes.join(' '),
    }
    return { accessToken: this.#signer.sign(claims, key), expiresIn: exp - iat }
  }

  /** The claims of a token that we signed and that is in force; undefined for anything else. */
  read(token: string, keys: ReadonlyMap<string, SigningKeyState>): AccessTokenClaims | undefined {
    const claims = this.#signer.verify(token, (kid) => this.#publicKeyOf(keys.get(kid)))
    if (!isAccessTokenClaims(claims)) return undefined
    return claims.iat <= Date.now() / 1000 + SKEW_SECONDS ? claims : undefined
  }

  #publicKeyOf(key: SigningKeyState | undefined): string | undefined {
    if (key === undefined || (key.publishedUntil !== null && key.publishedUntil <= Date.now())) return undefined
    const known = this.#publicKeys.get(key)
    if (known !== undefined) return known
    const jwk = key.publicKey as Record<string, string>
    const pem = createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' }).toString()
    this.#publicKeys.set(key, pem)
    return pem
  }
}

/** Users by the access tokens of their sessions. A session has every scope that an API token could be given. */
export function accessTokenCaller(tokens: AccessTokens): CredentialReader {
  const scopes = new Set(TOKEN_SCOPES)
  return (credential, policy) => {
    if (CANNOT_BE.test(credential)) return undefined
    const claims = tokens.read(credential, policy.credentials.signingKeys)
    if (claims === undefined || policy.credentials.isEnded(Number(claims.sid))) return undefined
    const id = Number(claims.sub)
    const account = liveAccount(policy, id)
    if (account === undefined) return undefined
    return {
      name: `user:${id}`,
      scopes,
      expiresAt: claims.exp * 1000,
      user: {
        id,
        via: 'session',
        isSuperuser: account.isSuperuser,
        sessionId: Number(claims.sid),
        tokenId: null,
        authenticatedAt: claims.auth_time * 1000,
      },
    }
  }
}
