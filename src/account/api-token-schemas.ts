import { type Static, Type } from 'typebox'
import { INT32 } from './user-schemas.ts'

/** Longest name of an API token, in code points. */
export const MAX_TOKEN_NAME_LENGTH = 100
/** The longest time for which a token may go on after it was rotated: a week. */
const MAX_GRACE_SECONDS = 604_800

const Scopes = Type.Array(
  Type.Union([Type.Literal('check'), Type.Literal('account'), Type.Literal('projects'), Type.Literal('admin')]),
  {
    minItems: 1,
    maxItems: 4,
    uniqueItems: true,
    description:
      '`check`: ask for decisions about oneself. `account`: one’s own account. `projects`: administer what one may administer. `admin`: the whole site, of a superuser only',
  },
)
/** A scope of an API token. */
export type TokenScope = Static<typeof Scopes>[number]

const nullableTime = (description: string) =>
  Type.Union([Type.String({ format: 'date-time' }), Type.Null()], { description })

/** An API token as the API shows it; the token itself is shown once, when it is made. */
export const ApiToken = Type.Object({
  id: Type.Integer(),
  userId: Type.Integer(),
  name: Type.String(),
  scopes: Scopes,
  tokenStart: Type.String({ description: 'The first characters of the token; empty where it was imported' }),
  tokenEnd: Type.String({ description: 'The last characters of the token; empty where it was imported' }),
  source: Type.String({ description: 'What made it: `api`, or the import' }),
  createdAt: Type.String({ format: 'date-time' }),
  expiresAt: nullableTime('It opens nothing from this instant on; null: an imported token, which does not expire'),
  lastUsedAt: nullableTime('To the minute; null: never'),
})
export type ApiToken = Static<typeof ApiToken>

/** The body that makes an API token. */
export const NewApiToken = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: MAX_TOKEN_NAME_LENGTH }),
    scopes: Scopes,
    expiresAt: Type.Optional(
      Type.String({
        format: 'date-time',
        maxLength: 64,
        description: 'Left out: in 90 days; at most in 365 days; RFC 3339 with any offset, to the millisecond',
      }),
    ),
  },
  { additionalProperties: false },
)
export type NewApiToken = Static<typeof NewApiToken>

/** An API token that was just made. */
export const MadeApiToken = Type.Object({
  ...ApiToken.properties,
  token: Type.String({ description: 'The token: shown now and never again' }),
  revision: Type.Integer({ description: 'The policy revision from which the token opens' }),
})

/** The body that replaces a token by a new one. */
export const Rotation = Type.Object(
  {
    graceSeconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: MAX_GRACE_SECONDS,
        default: 0,
        description: 'For how long the old token goes on',
      }),
    ),
  },
  { additionalProperties: false },
)

/** The body by which whoever holds a leaked token ends it. */
export const Revocation = Type.Object(
  { token: Type.String({ minLength: 1, maxLength: 200, description: 'The whole token' }) },
  { additionalProperties: false },
)

/** The answer to whoever ended all tokens of a user. */
export const RevokedTokens = Type.Object({
  revoked: Type.Integer({ description: 'How many there were' }),
  revision: Type.Integer(),
})

/** The keys that a list of API tokens sorts by. */
export const API_TOKEN_SORTS = { id: 'integer' } as const

const tokenId = Type.Integer({ minimum: 1, maximum: INT32.maximum })

/** The path of one of one's own tokens. */
export const OwnTokenPath = Type.Object({ id: tokenId })

/** The path of one token of a user. */
export const UserTokenPath = Type.Object({ id: Type.Integer(INT32), tokenId })
