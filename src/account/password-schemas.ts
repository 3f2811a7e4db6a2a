import { type Static, Type } from 'typebox'

/** What a new password must be. */
export const PasswordPolicy = Type.Object({
  minLength: Type.Integer({ description: 'Code points' }),
  maxLength: Type.Integer({ description: 'Code points' }),
  maxBytes: Type.Integer({ description: 'Bytes of the UTF-8 of its NFKC' }),
  blocklist: Type.Integer({
    description:
      'How many passwords are refused because they are guessed early; besides them, what is made of the login, address or names of the account or of the name of the service',
  }),
})
export type PasswordPolicy = Static<typeof PasswordPolicy>
