import { Type } from 'typebox'

const MAX_NAME_LENGTH = 150
const MAX_EMAIL_LENGTH = 254
/** Of a login, as the API has it. */
const MAX_LOGIN_PASSWORD_LENGTH = 256
/** Longest password that is looked at at all; the policy of passwords says which are good. */
const MAX_PASSWORD_LENGTH = 1024
const MAX_TOKEN_LENGTH = 200
const MAX_VERSION_LENGTH = 100

const text = (maxLength: number) => Type.String({ maxLength })
const formToken = Type.Optional(Type.String())
const token = text(MAX_TOKEN_LENGTH)
const yes = Type.Optional(Type.Literal('yes'))
const closed = { additionalProperties: false }

/** The query of every page: what a link brings along is read by hand, and what nobody knows is no fault. */
export const AnyQuery = Type.Object({}, { additionalProperties: true })

/** The form of /login. */
export const LoginForm = Type.Object(
  { formToken, login: text(MAX_EMAIL_LENGTH), password: text(MAX_LOGIN_PASSWORD_LENGTH) },
  closed,
)

/** A form with a button alone. */
export const ButtonForm = Type.Object({ formToken }, closed)

/** The form of /register. */
export const RegistrationForm = Type.Object(
  {
    formToken,
    username: text(MAX_NAME_LENGTH),
    email: text(MAX_EMAIL_LENGTH),
    firstName: text(MAX_NAME_LENGTH),
    lastName: text(MAX_NAME_LENGTH),
    password: text(MAX_PASSWORD_LENGTH),
    acceptTermsVersion: Type.Optional(text(MAX_VERSION_LENGTH)),
  },
  closed,
)

/** A form that asks for a mail: /forgot-password and /resend-confirmation. */
export const AddressForm = Type.Object({ formToken, email: text(MAX_EMAIL_LENGTH) }, closed)

/** The form of /confirm-email; `withoutPassword` is sent by its second button. */
export const ConfirmationForm = Type.Object(
  { formToken, token, password: Type.Optional(text(MAX_PASSWORD_LENGTH)), withoutPassword: yes },
  closed,
)

/** The form of /reset-password. */
export const ResetForm = Type.Object(
  { formToken, token, newPassword: text(MAX_PASSWORD_LENGTH), revokeApiTokens: yes },
  closed,
)

/** The form of /confirm-email-change. */
export const TokenForm = Type.Object({ formToken, token }, closed)
