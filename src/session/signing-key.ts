import { createHash, generateKeyPairSync } from 'node:crypto'

/** A key to sign access tokens with; the public half as a JWK, the private one as PEM (PKCS #8). */
export type NewSigningKey = { kid: string; publicKey: PublicJwk; privateKey: string }
/** The public members of an Ed25519 key, and nothing else. */
export type PublicJwk = { kty: string; crv: string; x: string }

/** A new Ed25519 key. Its `kid` is its thumbprint (RFC 7638). */
export function newSigningKey(): NewSigningKey {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const { kty = '', crv = '', x = '' } = publicKey.export({ format: 'jwk' })
  const thumbprint = createHash('sha256').update(JSON.stringify({ crv, kty, x }))
  return {
    kid: thumbprint.digest('base64url'),
    publicKey: { kty, crv, x },
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}
