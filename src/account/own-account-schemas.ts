import { type Static, Type } from 'typebox'
import { AddressText, PasswordText, TokenText } from './registration-schemas.ts'
import { MAX_NAME_LENGTH, User } from './user-schemas.ts'

const { id, username, isSuperuser, createdAt, lastLoginAt, emailConfirmedAt } = User.properties

/** An account as its owner sees it. */
export const OwnAccount = Type.Object({
  id,
  username,
  email: Type.String({ description: '"" for none' }),
  emailConfirmedAt,
  firstName: Type.String(),
  lastName: Type.String(),
  isSuperuser,
  createdAt,
  lastLoginAt,
  groups: Type.Array(
    Type.Object({
      id: Type.Integer(),
      name: Type.String(),
      projectId: Type.Union([Type.Integer(), Type.Null()], {
        description: 'null: in every project; else only in this one',
      }),
    }),
    { description: 'The groups that the user is in, by id' },
  ),
})
export type OwnAccount = Static<typeof OwnAccount>

/** An account after its owner changed it. */
export const WrittenOwnAccount = Type.Object({ ...OwnAccount.properties, revision: Type.Integer() })

/** What owners change of their accounts without further ado; what is left out stays. */
export const OwnAccountPatch = Type.Partial(
  Type.Object({
    firstName: Type.String({ maxLength: MAX_NAME_LENGTH }),
    lastName: Type.String({ maxLength: MAX_NAME_LENGTH }),
  }),
  { additionalProperties: false },
)
export type OwnAccountPatch = Static<typeof OwnAccountPatch>

const revokeApiTokens = Type.Optional(
  Type.Boolean({ description: 'Whether the API tokens of the account end too; false if left out' }),
)

/** The body that changes a password. */
export const PasswordChange = Type.Object(
  {
    currentPassword: PasswordText,
    newPassword: PasswordText,
    revokeOtherSessions: Type.Optional(
      Type.Boolean({ description: 'Whether all sessions but this one end; true if left out' }),
    ),
    revokeApiTokens,
  },
  { additionalProperties: false },
)
export type PasswordChange = Static<typeof PasswordChange>

/** The body that sets a new password with the token that was mailed. */
export const PasswordReset = Type.Object(
  { token: TokenText, newPassword: PasswordText, revokeApiTokens },
  { additionalProperties: false },
)
export type PasswordReset = Static<typeof PasswordReset>

/** How many credentials ended. */
export const Revocations = Type.Object({ revokedSessions: Type.Integer(), revokedApiTokens: Type.Integer() })
export type Revocations = Static<typeof Revocations>

/** The body that asks for another address. */
export const EmailChange = Type.Object(
  { newEmail: AddressText, password: PasswordText },
  { additionalProperties: false },
)
export type EmailChange = Static<typeof EmailChange>

/** The body with a token and nothing else. */
export const TokenBody = Type.Object({ token: TokenText }, { additionalProperties: false })

/** The address that an account has now. */
export const ChangedEmail = Type.Object({ email: Type.String() })

/** A mail that is on its way. */
export const MailQueued = Type.Object({ status: Type.Literal('queued') })

/** One thing that happened to an account's safety, as its owner is shown it. */
export const SecurityEvent = Type.Object({
  id: Type.Integer(),
  occurredAt: Type.String({ format: 'date-time' }),
  action: Type.String({ examples: ['user.password-change'] }),
  byMyself: Type.Boolean({ description: 'false: somebody who administers did it, or the service' }),
  requestId: Type.Union([Type.String(), Type.Null()]),
})
export type SecurityEvent = Static<typeof SecurityEvent>

/** The keys that security events sort by. */
export const SECURITY_EVENT_SORTS = { id: 'bigint' } as const

/** `sort` is newest first where it is left out. */
export const securityEventFilters = {
  sort: Type.Optional(Type.Unsafe<'id' | '-id'>({ type: 'string', enum: ['id', '-id'], default: '-id' })),
}
