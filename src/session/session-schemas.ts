import { type Static, Type } from 'typebox'

const MAX_LOGIN_LENGTH = 254
/** Code points, as of new passwords; whoever has a longer one from elsewhere resets it. */
const MAX_PASSWORD_LENGTH = 256
const MAX_DEVICE_NAME_LENGTH = 100
const MAX_TOKEN_LENGTH = 4096
/** Ids are PostgreSQL integers. */
const SESSION_ID = { minimum: 1, maximum: 2_147_483_647 } as const

const password = Type.String({ minLength: 1, maxLength: MAX_PASSWORD_LENGTH })
const time = (description: string) => Type.String({ format: 'date-time', description })

/** The body of a login. */
export const NewSession = Type.Object(
  {
    login: Type.String({
      minLength: 1,
      maxLength: MAX_LOGIN_LENGTH,
      description: 'The login, in another spelling too where it is unambiguous, or a confirmed address of one account',
    }),
    password,
    deviceName: Type.Optional(
      Type.String({ maxLength: MAX_DEVICE_NAME_LENGTH, description: 'To recognise the session by in a list' }),
    ),
  },
  { additionalProperties: false },
)
export type NewSession = Static<typeof NewSession>

const accessToken = {
  accessToken: Type.String({ description: 'A JWT (RFC 9068): Authorization: Bearer …' }),
  tokenType: Type.Literal('Bearer'),
  expiresIn: Type.Integer({ description: 'Seconds for which the access token opens anything' }),
}

/** What a login, or a refresh, gives. */
export const OpenedSession = Type.Object({
  ...accessToken,
  refreshToken: Type.String({ description: 'Gets the next pair, once: POST /v1/sessions/refresh' }),
  refreshExpiresAt: time('When the refresh token expires unless it is used'),
  session: Type.Object({ id: Type.Integer() }),
})
export type OpenedSession = Static<typeof OpenedSession>

/** The body of a refresh. */
export const Refresh = Type.Object(
  { refreshToken: Type.String({ minLength: 1, maxLength: MAX_TOKEN_LENGTH }) },
  { additionalProperties: false },
)

/** The body that proves once more who is there. */
export const Reauthentication = Type.Object({ password }, { additionalProperties: false })

/** An access token alone. */
export const FreshToken = Type.Object(accessToken)
export type FreshToken = Static<typeof FreshToken>

/** A session as its owner sees it. */
export const Session = Type.Object({
  id: Type.Integer(),
  deviceName: Type.String({ description: '"" for none' }),
  network: Type.String({ description: 'Address of the login, or of IPv6 its /64' }),
  createdAt: time('When the login was'),
  authenticatedAt: time('When the password was last given'),
  lastUsedAt: time('When it was last refreshed'),
  expiresAt: time('When it ends, however often it is refreshed'),
  isCurrent: Type.Boolean({ description: 'Whether this request came with it' }),
})
export type Session = Static<typeof Session>

/** The sessions of a user; there is an end to how many somebody has, so it is one list. */
export const Sessions = Type.Object({ items: Type.Array(Session) })

/** The path of one session. */
export const SessionPath = Type.Object({ id: Type.Integer(SESSION_ID) })

/** How many sessions were ended. */
export const EndedSessions = Type.Object({ endedSessions: Type.Integer(), revision: Type.Integer() })

/** The body of an introspection. */
export const Introspection = Type.Object(
  { token: Type.String({ minLength: 1, maxLength: MAX_TOKEN_LENGTH }) },
  { additionalProperties: false },
)

/** What a token is worth now (RFC 7662); the fields beside `active` are there when it is. */
export const TokenState = Type.Object({
  active: Type.Boolean(),
  sub: Type.Optional(Type.String({ description: 'Id of the user' })),
  username: Type.Optional(Type.String()),
  scope: Type.Optional(Type.String({ description: 'With spaces between' })),
  exp: Type.Optional(Type.Integer({ description: 'Seconds since 1970; missing where it does not expire' })),
  token_type: Type.Optional(Type.Literal('Bearer')),
  via: Type.Optional(Type.Union([Type.Literal('session'), Type.Literal('token')])),
})
export type TokenState = Static<typeof TokenState>

/** The query that says that the session of this request stays. */
export const OthersOnly = Type.Object(
  { except: Type.Literal('current', { description: 'The session that this request came with' }) },
  { additionalProperties: false },
)

/** The path of one user; imported ids may be negative. */
export const UserPath = Type.Object({ id: Type.Integer({ minimum: -2_147_483_648, maximum: 2_147_483_647 }) })
