import type { NewMail } from '../mail/mail-kinds.ts'
import type { NameStore } from './edit-rights.ts'
import type { TokenBearing, TokenPurpose } from './one-time-token.ts'

/** An account as its owner is asked about it; never shown to anybody. */
export type Account = {
  id: number
  username: string
  /** As it was given: mails go nowhere else. '' for none. */
  email: string
  firstName: string
  lastName: string
  isActive: boolean
  isAnonymous: boolean
  isEmailConfirmed: boolean
  /** Whether the account waits for its owner to confirm the address, and for nothing else. */
  isUnconfirmed: boolean
  passwordHash: string | null
}

/** What a registration makes an account of. */
export type NewAccount = {
  username: string
  email: string
  firstName: string
  lastName: string
  passwordHash: string
  termsVersion: string | null
  /** Whether it is closed until its address is confirmed. */
  isUnconfirmed: boolean
}

/** How many credentials went. */
export type Revoked = { revokedSessions: number; revokedApiTokens: number }

/** Reads accounts with what only their owners may ask about; deleted ones are not there. */
export interface AccountReader {
  find(id: number): Promise<Account | null>
  /** Accounts that waited for their confirmation for longer than that, in milliseconds. */
  unconfirmedFor(ms: number): Promise<number[]>
}

/** Accounts as their owners change them, in a transaction. */
export interface AccountStore extends AccountReader {
  /** Reads an account and keeps others from changing it until the transaction ends. */
  hold(id: number): Promise<Account | null>
  /** The accounts with one of these spellings of an address, the oldest first, held until the transaction ends. */
  holdByAddress(spellings: readonly string[], limit: number): Promise<Account[]>
  /** Whether some user, deleted ones too, has this login in any spelling. */
  isLoginInAnySpelling(username: string): Promise<boolean>
  /** Makes an account and gives its id. */
  add(account: NewAccount): Promise<number>
  /** Opens an account whose owner confirmed its address; the password is kept, or there is none until one is chosen. */
  confirm(id: number, keepPassword: boolean): Promise<void>
  setPassword(id: number, passwordHash: string, confirmsEmail: boolean): Promise<void>
  /** Gives the account another address, which its owner just confirmed. */
  setEmail(id: number, email: string): Promise<void>
  /** Ends the sessions of a user but the one that is excepted, and the API tokens where asked for. */
  revoke(
    id: number,
    what: { sessions: boolean; exceptSession: number | null; apiTokens: boolean; reason: string },
  ): Promise<Revoked>
  /** Removes an account that was never confirmed, and the empty group that the registration made with it. */
  removeUnconfirmed(id: number): Promise<{ removedGroup: number | null }>
}

/** Tells what a one-time token stands for. */
export interface OneTimeTokenReader {
  /** What the token stands for, or null when it does not work for this purpose, or no more; it keeps working. */
  find(purpose: TokenPurpose, token: string): Promise<TokenBearing | null>
}

/** One-time tokens, in a transaction. */
export interface OneTimeTokenStore extends OneTimeTokenReader {
  issue(purpose: TokenPurpose, bearing: TokenBearing, lifetimeMs: number): Promise<string>
  /** Uses the token up: of any number of calls at once, one gets what it stands for, the others null. */
  consume(purpose: TokenPurpose, token: string): Promise<TokenBearing | null>
  /** Ends the tokens of a user that were not used yet; of all purposes where none is named. */
  revoke(userId: number, purpose?: TokenPurpose | null): Promise<void>
}

/** The outbox of mails, in a transaction. */
export interface MailQueue {
  enqueue(mail: NewMail): Promise<void>
}

/** The part of the group store that a new account needs. */
export interface GroupsOfNewAccount {
  add(name: string): Promise<{ id: number }>
  addMembership(place: { groupId: number; userId: number; projectId: null }): Promise<object>
}

/** The part of the profile store that a new account needs. */
export interface NewProfiles {
  /** The profile of a user who was just made. */
  addFor(userId: number): Promise<void>
}

/** What writes about accounts in person need, in their transaction. */
export type AccountStores = {
  names: NameStore
  groups: GroupsOfNewAccount
  profiles: NewProfiles
  accounts: AccountStore
  oneTimeTokens: OneTimeTokenStore
  mails: MailQueue
}

/** Hashes passwords that are to be kept. */
export interface PasswordHasher {
  /** @throws DomainError `overloaded` */
  hash(password: string): Promise<string>
}

/** Lets a password be tried, as often as the throttle of its account allows. */
export interface PasswordProof {
  /**
   * Passes when the password is that of the account.
   *
   * @param network IPv4 address or IPv6 /64 that it came from
   * @throws DomainError `invalid-credentials`, `too-many-attempts`, `overloaded`
   */
  confirm(userId: number, password: string, network: string): Promise<void>
  /** Forgets the wrong passwords that were tried for these logins and addresses. */
  forget(logins: readonly string[], network: string): Promise<void>
}
