import { Type } from 'typebox'
import { isMailAddress } from '../mail-address.ts'
import { placeholdersIn } from '../placeholders.ts'
import { isKeepable } from '../text.ts'
import { area } from './area.ts'

const MAX_TERMS_VERSION_LENGTH = 100

/** How people get an account by themselves. */
export type RegistrationConfig = {
  allowed: boolean
  confirmationRequired: boolean
  /** With `{{placeholders}}`, see {@link CONFIRMATION_PLACEHOLDERS}. */
  confirmationText: string
  welcomeMail: boolean
  /** With `{{placeholders}}`, see {@link WELCOME_PLACEHOLDERS}. */
  welcomeText: string
  /** Where answers to both mails go. */
  replyTo: string | undefined
  /** What a new user has to accept; undefined: nothing. */
  terms: { text: string; version: string } | undefined
  /** Names of the groups that a new user joins. */
  newUserGroups: readonly string[]
  /** Whether a new user gets a group of the same name. */
  createGroup: boolean
}

/** What the text of a confirmation mail may name; `link` it must. */
export const CONFIRMATION_PLACEHOLDERS = ['name', 'username', 'firstName', 'link', 'publicUrl'] as const
/** What the text of a welcome mail may name. */
export const WELCOME_PLACEHOLDERS = ['name', 'username', 'firstName', 'publicUrl'] as const

const CONFIRMATION_TEXT = `Hello {{name}},

somebody, most likely you, registered the account {{username}} with this address at {{publicUrl}}

To confirm that the address is yours, open this page and press its button:

{{link}}

The link works once and not for long. If you did not register, do nothing: without confirmation the account stays closed.
`

const WELCOME_TEXT = `Hello {{name}},

welcome! Your account {{username}} at {{publicUrl}} is ready: you can log in now.
`

const switched = (description: string, byDefault: boolean) =>
  Type.Boolean({ description, default: byDefault, must: 'be true or false' })

/** The variables of registration. */
export const registrationArea = area({
  variables: Type.Object({
    REGISTRATION_ALLOWED: switched('whether people may register by themselves; needs `PUBLIC_URL`', false),
    REGISTRATION_CONFIRMATION_REQUIRED: switched(
      'whether a new account stays closed until its address is confirmed by mail; needs `SMTP_URL` or `MAIL_TO_FILES=true`',
      true,
    ),
    REGISTRATION_CONFIRMATION_TEXT: Type.String({
      description: 'text of the mail that asks for confirmation',
      default: CONFIRMATION_TEXT,
      must: `be a text that holds {{link}} and no placeholders but ${named(CONFIRMATION_PLACEHOLDERS)}`,
      refine: (value: string) => isTemplate(value, CONFIRMATION_PLACEHOLDERS) && placeholdersIn(value).includes('link'),
      orFile: true,
      placeholders: CONFIRMATION_PLACEHOLDERS,
    }),
    REGISTRATION_WELCOME_MAIL: switched('whether a new user is welcomed by mail, once the account is open', true),
    REGISTRATION_WELCOME_TEXT: Type.String({
      description: 'text of the mail that welcomes',
      default: WELCOME_TEXT,
      must: `be a text with no placeholders but ${named(WELCOME_PLACEHOLDERS)}`,
      refine: (value: string) => isTemplate(value, WELCOME_PLACEHOLDERS),
      orFile: true,
      placeholders: WELCOME_PLACEHOLDERS,
    }),
    REGISTRATION_REPLY_TO: Type.Optional(
      Type.String({
        description: 'address that answers to both mails go to; without it, to `MAIL_FROM`',
        must: 'be an address like laboratory@example.org',
        refine: isMailAddress,
      }),
    ),
    REGISTRATION_TERMS_TEXT: Type.Optional(
      Type.String({
        description: 'terms that whoever registers must accept; needs `REGISTRATION_TERMS_VERSION`',
        must: 'be a text without NUL characters',
        refine: isKeepable,
        orFile: true,
      }),
    ),
    REGISTRATION_TERMS_VERSION: Type.Optional(
      Type.String({
        description: 'version of those terms, kept with each acceptance',
        maxLength: MAX_TERMS_VERSION_LENGTH,
        must: `be a text of at most ${MAX_TERMS_VERSION_LENGTH} characters`,
        refine: isKeepable,
      }),
    ),
    NEW_USER_GROUPS: Type.String({
      description: 'names of the groups that whoever registers joins, with commas between them',
      default: '',
      must: 'be names of groups with commas between them, none of them empty or named twice',
      refine: (value: string) => isNameList(namesIn(value)),
    }),
    NEW_USER_CREATE_GROUP: switched(
      'whether whoever registers gets a group of the same name, whose members may edit what they make',
      true,
    ),
  }),
  part: (values): RegistrationConfig => ({
    allowed: values.REGISTRATION_ALLOWED,
    confirmationRequired: values.REGISTRATION_CONFIRMATION_REQUIRED,
    confirmationText: values.REGISTRATION_CONFIRMATION_TEXT,
    welcomeMail: values.REGISTRATION_WELCOME_MAIL,
    welcomeText: values.REGISTRATION_WELCOME_TEXT,
    replyTo: values.REGISTRATION_REPLY_TO,
    terms: termsOf(values.REGISTRATION_TERMS_TEXT, values.REGISTRATION_TERMS_VERSION),
    newUserGroups: Object.freeze(namesIn(values.NEW_USER_GROUPS)),
    createGroup: values.NEW_USER_CREATE_GROUP,
  }),
  faults: (given) => {
    const allowed = given.isOn('REGISTRATION_ALLOWED')
    const sends = given.has('SMTP_URL') || given.isOn('MAIL_TO_FILES')
    const [text, version] = ['REGISTRATION_TERMS_TEXT', 'REGISTRATION_TERMS_VERSION'].map((name) => given.has(name))
    return [
      ...(allowed && !given.has('PUBLIC_URL')
        ? ['REGISTRATION_ALLOWED=true needs PUBLIC_URL, for links in mails']
        : []),
      ...(allowed && given.isOn('REGISTRATION_CONFIRMATION_REQUIRED') && !sends
        ? [
            'REGISTRATION_ALLOWED=true with REGISTRATION_CONFIRMATION_REQUIRED=true needs a way to send mail: SMTP_URL, or MAIL_TO_FILES=true where somebody passes the files on',
          ]
        : []),
      ...(text === version
        ? []
        : ['REGISTRATION_TERMS_TEXT and REGISTRATION_TERMS_VERSION go together: set both or none']),
    ]
  },
})

function named(placeholders: readonly string[]): string {
  return placeholders.map((name) => `{{${name}}}`).join(', ')
}

function isTemplate(text: string, known: readonly string[]): boolean {
  return isKeepable(text) && placeholdersIn(text).every((name) => known.includes(name))
}

function namesIn(list: string): string[] {
  return list === '' ? [] : list.split(',').map((name) => name.trim())
}

function isNameList(names: readonly string[]): boolean {
  return names.every((name) => name !== '' && isKeepable(name)) && new Set(names).size === names.length
}

function termsOf(text: string | undefined, version: string | undefined): RegistrationConfig['terms'] {
  return text === undefined || version === undefined ? undefined : { text, version }
}
