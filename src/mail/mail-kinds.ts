/** Who answers for a decision that a mail tells of. */
export type MailContact = { name: string; email: string }

/**
 * What a mail says, by its kind; the texts are made of it when it is queued. A `token` becomes a link that starts with
 * `PUBLIC_URL`; everything else is shown as plain text, whatever it holds. Times are RFC 3339.
 */
export type MailContent =
  /** Asks the owner of a new account's address to confirm it. */
  | { kind: 'email-confirmation'; username: string; firstName: string; token: string }
  | { kind: 'welcome'; username: string; firstName: string }
  /** To the owner of an account whose address somebody tried to register again. */
  | { kind: 'already-registered'; username: string; firstName: string }
  /** To the owner of an address with which somebody tried to register a login that cannot be had. */
  | { kind: 'login-unavailable'; username: string; firstName: string }
  /** One link for each account that has the address. */
  | { kind: 'password-reset'; accounts: readonly { username: string; token: string }[] }
  /** To the new address. */
  | { kind: 'email-change'; username: string; token: string }
  /** To the old address, before anything has changed: no link, no token. */
  | { kind: 'email-change-asked'; username: string }
  /** To the old address: no link, no token. */
  | { kind: 'email-changed'; username: string }
  /** No link, no token. */
  | { kind: 'password-changed'; username: string }
  | { kind: 'api-token-expiring'; username: string; name: string; expiresAt: string }
  /** `maxInactivity` in words; `message` is the operator's, with line breaks. */
  | ({ kind: 'inactivity-warning'; dueAt: string } & Inactivity)
  | ({ kind: 'inactivity-deactivation' } & Inactivity)

/** What mails about inactivity have in common. */
export type Inactivity = {
  username: string
  firstName: string
  maxInactivity: string
  message: string | null
  contacts: readonly MailContact[]
}

/** The kinds of mails. */
export type MailKind = MailContent['kind']

/** A mail to queue. Where `recipient` is empty, the user has no address and nothing is queued. */
export type NewMail = MailContent & { recipient: string; userId: number | null }
