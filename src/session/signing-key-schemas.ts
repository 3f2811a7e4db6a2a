import { type Static, Type } from 'typebox'

const time = (description: string) => Type.String({ format: 'date-time', description })

/** A signing key as the API shows it: nothing that is secret. */
export const SigningKey = Type.Object({
  kid: Type.String({ description: 'Thumbprint of the key (RFC 7638)' }),
  createdAt: Type.String({ format: 'date-time' }),
  activeFrom: time('When it begins to sign'),
  publishedUntil: Type.Union([time('When its tokens stop to open anything'), Type.Null()]),
})
export type SigningKey = Static<typeof SigningKey>

/** The keys that sign, will sign or have signed what is still in force; newest last. */
export const SigningKeys = Type.Object({ items: Type.Array(SigningKey) })

/** The body that asks for a rotation. */
export const Rotation = Type.Object(
  {
    immediately: Type.Optional(
      Type.Boolean({
        description:
          'Because a key may be known to others: a new one signs now, and nothing that was signed before opens anything',
      }),
    ),
  },
  { additionalProperties: false },
)

/** The keys after a rotation. */
export const Rotated = Type.Object({ ...SigningKeys.properties, revision: Type.Integer() })

/** The public keys as a JWK set (RFC 7517), for services that verify access tokens themselves. */
export const KeySet = Type.Object({
  keys: Type.Array(
    Type.Object({
      kty: Type.String(),
      crv: Type.String(),
      x: Type.String(),
      kid: Type.String(),
      alg: Type.Literal('EdDSA'),
      use: Type.Literal('sig'),
    }),
  ),
})
export type KeySet = Static<typeof KeySet>
