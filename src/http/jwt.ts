import fastifyJwt from '@fastify/jwt'
import { fastify } from 'fastify'

/** Longer than any token that we sign. */
const MAX_TOKEN_LENGTH = 4096
const ALGORITHM = 'EdDSA'

/** JSON Web Tokens of one type, issuer and audience. */
export type Jwts = {
  /** The token that says `claims` besides issuer and audience, signed with a private Ed25519 key (PKCS #8, PEM). */
  sign(claims: object, key: { kid: string; privateKey: string }): string
  /**
   * The claims of a token whose type, signature, issuer, audience and time are right; undefined for anything else,
   * whatever is wrong with it. Never throws.
   *
   * @param publicKeyOf gives the public key (SPKI, PEM) of a `kid`, or undefined when there is none
   */
  verify(token: string, publicKeyOf: (kid: string) => string | undefined): unknown
}

/**
 * @fastify/jwt, used outside of requests: its own way of authenticating answers 500 to several kinds of bad token, and
 * verification by a function of keys is not synchronous. So the key is found here, and one kind of failure comes out.
 */
export async function jwts(options: { type: string; issuer: string; audience: string }): Promise<Jwts> {
  const { type, issuer, audience } = options
  const app = fastify()
  // Each call brings its own key; that of the plugin is never used.
  await app.register(fastifyJwt, { secret: () => Promise.reject(new Error('every call names its key')) })
  const { jwt } = app
  return {
    sign: (claims, { kid, privateKey }) =>
      jwt.sign(
        { ...claims, iss: issuer, aud: audience },
        { algorithm: ALGORITHM, key: privateKey, kid, header: { alg: ALGORITHM, typ: type } },
      ),
    verify(token, publicKeyOf) {
      try {
        const kid = keyIdIn(token)
        const key = kid === undefined ? undefined : publicKeyOf(kid)
        if (key === undefined) return undefined
        return jwt.verify(token, {
          key,
          algorithms: [ALGORITHM],
          checkTyp: type,
          allowedIss: issuer,
          allowedAud: audience,
          requiredClaims: ['iss', 'aud', 'exp'],
          cache: false,
        })
      } catch {
        return undefined
      }
    },
  }
}

/** The `kid` of what may be a token of ours; undefined for what cannot be one. */
function keyIdIn(token: string): string | undefined {
  const parts = token.length > MAX_TOKEN_LENGTH ? [] : token.split('.')
  const [head = ''] = parts
  if (parts.length !== 3 || !parts.every(isCanonical)) return undefined
  const header: unknown = JSON.parse(Buffer.from(head, 'base64url').toString())
  if (typeof header !== 'object' || header === null) return undefined
  const { alg, kid } = header as Record<string, unknown>
  return alg === ALGORITHM && typeof kid === 'string' ? kid : undefined
}

/** Bits that the last letter leaves unused must be unset: one token has one spelling. */
const isCanonical = (part: string): boolean =>
  part !== '' && Buffer.from(part, 'base64url').toString('base64url') === part
