import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'

const Id = Type.String({ pattern: '^(0|-?[1-9][0-9]{0,9})$' })
/** Whole seconds since 1970, in this age. */
const Seconds = Type.Integer({ minimum: 0, maximum: 99_999_999_999 })

/** The claims of an access token (RFC 9068); others are ignored. */
export const AccessTokenClaims = Type.Object({
  iss: Type.String(),
  aud: Type.Union([Type.String(), Type.Array(Type.String())]),
  sub: Id,
  exp: Seconds,
  iat: Seconds,
  jti: Type.String({ minLength: 1, maxLength: 100 }),
  client_id: Type.Literal('gatehouse'),
  sid: Id,
  auth_time: Seconds,
  scope: Type.String(),
})
export type AccessTokenClaims = Static<typeof AccessTokenClaims>

/** Does a verified token say all that an access token of ours says? */
export const isAccessTokenClaims = (claims: unknown): claims is AccessTokenClaims =>
  Value.Check(AccessTokenClaims, claims)
