import { type Static, Type } from 'typebox'

/** Longest login, name of a group and name of a person, in code points; CATMAID's bound, so every name there fits. */
export const MAX_NAME_LENGTH = 150
/** Longest e-mail address, in code points (RFC 5321 leaves room for no more). */
export const MAX_EMAIL_LENGTH = 254
const MAX_REASON_LENGTH = 1000
const MAX_MESSAGE_LENGTH = 2000
/** Ids are PostgreSQL integers; imported ones may be negative. */
export const INT32 = { minimum: -2_147_483_648, maximum: 2_147_483_647 } as const

const nullableTime = (description: string) =>
  Type.Union([Type.String({ format: 'date-time' }), Type.Null()], { description })

const GeneralPermissions = Type.Array(Type.Literal('can_browse'), {
  uniqueItems: true,
  maxItems: 1,
  description: 'Matters for the anonymous user only: without `can_browse` here, no grant opens a project to it',
})

const fields = {
  username: Type.String({
    minLength: 1,
    maxLength: MAX_NAME_LENGTH,
    description: 'The login, compared exactly. Members of a group of this name may edit what this user made',
  }),
  email: Type.String({ maxLength: MAX_EMAIL_LENGTH, description: '"" for none' }),
  firstName: Type.String({ maxLength: MAX_NAME_LENGTH }),
  lastName: Type.String({ maxLength: MAX_NAME_LENGTH }),
  isActive: Type.Boolean({ description: 'An inactive user is denied everything' }),
  isSuperuser: Type.Boolean({ description: 'An active superuser has every permission on every project' }),
  generalPermissions: GeneralPermissions,
}

const confirmEditRights = Type.Boolean({
  description: 'Insists on a name that shifts rights to edit data; a name that is taken stays refused',
})

/** An account as the API shows it. */
export const User = Type.Object({
  id: Type.Integer(),
  ...fields,
  username: Type.String(),
  isAnonymous: Type.Boolean({ description: 'Whether checks about `null` are about this user; true for one user' }),
  createdAt: Type.String({ format: 'date-time' }),
  lastLoginAt: nullableTime('null: never'),
  deactivatedAt: nullableTime('null while active, and where nobody noted it'),
  deactivationReason: Type.Union(
    [
      Type.Literal('import'),
      Type.Literal('admin'),
      Type.Literal('unconfirmed'),
      Type.Literal('inactivity'),
      Type.Null(),
    ],
    { description: '`unconfirmed`: the address is not confirmed yet; null while active' },
  ),
  deactivationMessage: Type.Union([Type.String(), Type.Null()], {
    description: 'What the user is told at a login with the right password',
  }),
  emailConfirmedAt: nullableTime('When the owner of the present address last proved to be it; null: never'),
})
export type User = Static<typeof User>

/** An account after a write. */
export const WrittenUser = Type.Object({ ...User.properties, revision: Type.Integer() })

/** The body that makes a user; what is left out is empty, active and no superuser. */
export const NewUser = Type.Object(
  {
    username: fields.username,
    email: Type.Optional(fields.email),
    firstName: Type.Optional(fields.firstName),
    lastName: Type.Optional(fields.lastName),
    isActive: Type.Optional(fields.isActive),
    isSuperuser: Type.Optional(fields.isSuperuser),
    generalPermissions: Type.Optional(GeneralPermissions),
    createGroup: Type.Optional(
      Type.Boolean({ description: 'Whether an empty group of the same name is made too; true if left out' }),
    ),
    confirmEditRights: Type.Optional(confirmEditRights),
  },
  { additionalProperties: false },
)
export type NewUser = Static<typeof NewUser>

/** The body that changes a user; what is left out stays. */
export const UserPatch = Type.Partial(Type.Object({ ...fields, confirmEditRights }), { additionalProperties: false })
export type UserPatch = Static<typeof UserPatch>

/** The keys that a list of users sorts by. */
export const USER_SORTS = { id: 'integer', username: 'text' } as const

/** The filters of a list of users, each exact. */
export const userFilters = {
  username: Type.Optional(Type.String({ description: 'The login, exactly' })),
  email: Type.Optional(Type.String({ description: 'The address, exactly, upper and lower case distinct' })),
  isActive: Type.Optional(Type.Boolean()),
  isSuperuser: Type.Optional(Type.Boolean()),
  isAnonymous: Type.Optional(Type.Boolean()),
}
export type UserFilter = Partial<Pick<User, keyof typeof userFilters>>

/** The body that deactivates a user by hand. */
export const Deactivation = Type.Object(
  {
    reason: Type.Optional(
      Type.String({ maxLength: MAX_REASON_LENGTH, description: 'For the audit trail only; the user never sees it' }),
    ),
    message: Type.Optional(
      Type.String({
        maxLength: MAX_MESSAGE_LENGTH,
        description: 'What the user is told at a login with the right password; none if left out',
      }),
    ),
  },
  { additionalProperties: false },
)
export type Deactivation = Static<typeof Deactivation>

/** The path of one user. */
export const UserPath = Type.Object({ id: Type.Integer(INT32) })
