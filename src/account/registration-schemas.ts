import { type Static, Type } from 'typebox'
import { MAX_EMAIL_LENGTH, MAX_NAME_LENGTH } from './user-schemas.ts'

/** Longest password that is looked at at all; the policy of passwords says which are good. */
export const MAX_PASSWORD_LENGTH = 1024
const MAX_TOKEN_LENGTH = 200
const MAX_VERSION_LENGTH = 100

/** A password as it comes in a body. */
export const PasswordText = Type.String({ minLength: 1, maxLength: MAX_PASSWORD_LENGTH })

/** A one-time token as it comes in a body. */
export const TokenText = Type.String({
  maxLength: MAX_TOKEN_LENGTH,
  description: 'The token of the link that was mailed: what follows `token=`',
})

/** An address that mail may be sent to. */
export const AddressText = Type.String({ maxLength: MAX_EMAIL_LENGTH, examples: ['alice@example.org'] })

/** What somebody has to know who wants to register. */
export const RegistrationTerms = Type.Object({
  confirmationRequired: Type.Boolean({
    description: 'Whether the account stays closed until the link that is mailed to the address was used',
  }),
  terms: Type.Union([Type.Object({ version: Type.String(), text: Type.String() }), Type.Null()], {
    description: 'What has to be accepted, by sending `acceptTermsVersion`; null for nothing',
  }),
  password: Type.Object({ minLength: Type.Integer(), maxLength: Type.Integer() }),
})
export type RegistrationTerms = Static<typeof RegistrationTerms>

/** The body that asks for an account. */
export const NewRegistration = Type.Object(
  {
    username: Type.String({
      minLength: 1,
      maxLength: MAX_NAME_LENGTH,
      description: 'The login; it holds no @, so that nobody takes it for an address',
    }),
    email: AddressText,
    password: PasswordText,
    firstName: Type.String({ maxLength: MAX_NAME_LENGTH }),
    lastName: Type.String({ maxLength: MAX_NAME_LENGTH }),
    acceptTermsVersion: Type.Optional(
      Type.String({
        maxLength: MAX_VERSION_LENGTH,
        description: 'The version of the terms that were read and accepted',
      }),
    ),
  },
  { additionalProperties: false },
)
export type NewRegistration = Static<typeof NewRegistration>

/** The answer to whatever is done after it: the same for everybody. */
export const Accepted = Type.Object({
  status: Type.Literal('accepted', {
    description: 'The same whether there is such an account or not; what follows is told by mail',
  }),
})

/** The body that names an address. */
export const AddressBody = Type.Object({ email: AddressText }, { additionalProperties: false })

/** The body that confirms the address of a new account. */
export const Confirmation = Type.Object(
  {
    token: TokenText,
    password: Type.Optional({
      ...PasswordText,
      description:
        'The password of the registration; without it, that password is discarded and a link to set one mailed',
    }),
  },
  { additionalProperties: false },
)
export type Confirmation = Static<typeof Confirmation>

/** The answer to a confirmation. */
export const Confirmed = Type.Object({
  passwordKept: Type.Boolean({ description: 'false: a link to choose a password is on its way to the address' }),
})
