import { filled } from '../placeholders.ts'
import type { Inactivity, MailContent, MailKind } from './mail-kinds.ts'

/** What the operator says about mails. */
export type Stationery = {
  /** What links begin with, without a slash at the end; never anything that a request said. */
  baseUrl: string
  /** Domain of Message-IDs, in ASCII. */
  domain: string
  confirmationText: string
  welcomeText: string
  /** Where answers to the mails of a registration go. */
  replyTo: string | undefined
}

/** A mail as a person reads it. */
export type Letter = { subject: string; text: string; replyTo: string | null }

/**
 * Writes the mail. Subjects hold no values; in texts every value is on one line and shows what it is: nothing in a name
 * starts a new line, turns the direction of writing or is taken for a placeholder.
 */
export function letterOf(mail: MailContent, stationery: Stationery): Letter {
  return WRITERS[mail.kind](mail as never, stationery)
}

type Writers = {
  [Kind in MailKind]: (mail: Extract<MailContent, { kind: Kind }>, stationery: Stationery) => Letter
}

const WRITERS: Writers = {
  'email-confirmation': ({ token, ...person }, stationery) => ({
    subject: 'Please confirm your address',
    text: filled(stationery.confirmationText, {
      ...valuesOf(person, stationery),
      link: linkTo(stationery, 'confirm-email', token),
    }),
    replyTo: stationery.replyTo ?? null,
  }),
  welcome: (person, stationery) => ({
    subject: 'Welcome',
    text: filled(stationery.welcomeText, valuesOf(person, stationery)),
    replyTo: stationery.replyTo ?? null,
  }),
  'already-registered': (person, stationery) =>
    letter(stationery, person, 'You have an account already', [
      'somebody, perhaps you, tried to register a new account with this address at {{publicUrl}}',
      'There is one already: its name is {{username}}. Nothing was changed. If you forgot its password, ask there for a new one.',
      'If it was not you, do nothing: whoever it was has not been told of your account.',
    ]),
  'login-unavailable': (person, stationery) =>
    letter(stationery, person, 'Please choose another login', [
      'somebody, most likely you, tried to register the account {{username}} with this address at {{publicUrl}}',
      'That login cannot be had, so no account was made. Please register again with another one.',
      'If it was not you, do nothing.',
    ]),
  'password-reset': ({ accounts }, stationery) => ({
    subject: 'Set a new password',
    text: [
      'Hello,',
      `somebody, most likely you, asked for a new password at ${stationery.baseUrl}`,
      accounts.length === 1 ? 'Open this page to set it:' : 'Open the page of the account that you mean:',
      ...accounts.map(({ username, token }) =>
        [`Account ${inert(username)}:`, linkTo(stationery, 'reset-password', token)].join('\n'),
      ),
      'A link works once and not for long. If it was not you, do nothing: the password stays as it is.\n',
    ].join('\n\n'),
    replyTo: null,
  }),
  'email-change': ({ username, token }, stationery) =>
    letter(
      stationery,
      { username },
      'Please confirm your new address',
      [
        'this address was given as the new one of the account {{username}} at {{publicUrl}}',
        'To confirm that it is yours, open this page and press its button:',
        '{{link}}',
        'The link works once and not for long. If you know nothing of it, do nothing: the account keeps its old address.',
      ],
      { link: linkTo(stationery, 'confirm-email-change', token) },
    ),
  'email-change-asked': ({ username }, stationery) =>
    letter(stationery, { username }, 'Your address is about to be changed', [
      'somebody, most likely you, asked to give the account {{username}} at {{publicUrl}} another address. It will be changed once that address has been confirmed.',
      WARN,
    ]),
  'email-changed': ({ username }, stationery) =>
    letter(stationery, { username }, 'Your address was changed', [
      'the account {{username}} at {{publicUrl}} has a new address. Mails no longer come here.',
      WARN,
    ]),
  'password-changed': ({ username }, stationery) =>
    letter(stationery, { username }, 'Your password was changed', [
      'the password of the account {{username}} at {{publicUrl}} was changed.',
      WARN,
    ]),
  'api-token-expiring': ({ username, name, expiresAt }, stationery) =>
    letter(
      stationery,
      { username },
      'An API token expires soon',
      [
        'the API token "{{token}}" of the account {{username}} at {{publicUrl}} expires on {{day}}.',
        'Programs that use it are refused from then on. Make a new token there, or rotate this one, if they shall go on.',
      ],
      { token: inert(name), day: dayOf(expiresAt) },
    ),
  'inactivity-warning': ({ dueAt, ...about }, stationery) =>
    letter(
      stationery,
      about,
      'Your account will be deactivated',
      [
        'nobody has used the account {{username}} at {{publicUrl}} for a while. Accounts like it are deactivated after {{maxInactivity}} without use: this one after {{day}}.',
        'To keep it, log in before then.',
        ...remarks(about),
      ],
      { ...remarkValues(about), day: dayOf(dueAt) },
    ),
  'inactivity-deactivation': (about, stationery) =>
    letter(
      stationery,
      about,
      'Your account was deactivated',
      [
        'the account {{username}} at {{publicUrl}} was deactivated, since nobody used it for longer than {{maxInactivity}}. Nothing of it is lost.',
        ...remarks(about),
      ],
      remarkValues(about),
    ),
}

/** What the operator says about it, and whom to ask. */
function remarks({ message, contacts }: Inactivity): string[] {
  return [
    ...((message ?? '').trim() === '' ? [] : ['{{message}}']),
    ...(contacts.length === 0 ? [] : ['If you have questions, ask:\n{{contacts}}']),
  ]
}

function remarkValues({ maxInactivity, message, contacts }: Inactivity): Record<string, string> {
  const lines = (message ?? '').trim().split(/\r\n|\r|\n/)
  return {
    maxInactivity,
    message: lines.map(inert).join('\n'),
    contacts: contacts.map(({ name, email }) => `${inert(name)}${email === '' ? '' : ` (${inert(email)})`}`).join('\n'),
  }
}

const WARN = 'If it was not you, tell the people who run the site at once.'

type Person = { username: string; firstName?: string }

/** A letter of our own: paragraphs with placeholders, between greeting and signature. */
function letter(
  stationery: Stationery,
  person: Person,
  subject: string,
  paragraphs: readonly string[],
  more: Record<string, string> = {},
): Letter {
  const text = `${['Hello {{name}},', ...paragraphs].join('\n\n')}\n`
  return { subject, text: filled(text, { ...valuesOf(person, stationery), ...more }), replyTo: null }
}

function valuesOf({ username, firstName = '' }: Person, { baseUrl }: Stationery): Record<string, string> {
  const [login, first] = [inert(username), inert(firstName)]
  return { name: first === '' ? login : first, username: login, firstName: first, publicUrl: baseUrl }
}

/** Tokens are Base64url; encoding them anyway keeps a mistake elsewhere from becoming another address. */
function linkTo({ baseUrl }: Stationery, page: string, token: string): string {
  return `${baseUrl}/${page}?token=${encodeURIComponent(token)}`
}

/** On one line, without what changes the direction of writing or nobody can see. */
export function inert(value: string): string {
  return value
    .replace(/[\p{Control}\p{Line_Separator}\p{Paragraph_Separator}]+/gu, ' ')
    .replace(/[\p{Bidi_Control}\p{Surrogate}]/gu, '')
    .trim()
}

const dayOf = (time: string) => `${time.slice(0, 10)} at ${time.slice(11, 16)} UTC`
