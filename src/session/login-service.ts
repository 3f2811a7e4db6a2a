import { DomainError } from '../errors.ts'
import type { AuditEntry, PolicyWrite, WriteContext } from '../policy/policy-write.ts'
import type { LoginAccount } from './login-account.ts'
import type { PasswordAttempts } from './password-attempts.ts'
import type { OpenedSession } from './session-schemas.ts'
import type { SessionOpening, SessionTokens } from './session-tokens.ts'

/** Finds the account that a login stands for. */
export interface AccountFinder {
  /**
   * By the login exactly, by another spelling of it where no other account has one, or by a confirmed address that no
   * other account has; the anonymous user and deleted ones are not found.
   */
  byLogin(login: string): Promise<LoginAccount | null>
}

/** What a login writes about the account, in its transaction. */
export interface LoginStore {
  /** Reads an account that is not deleted and keeps others from changing it until the transaction ends. */
  hold(id: number): Promise<LoginAccount | null>
  /** Notes the login, and puts a new hash in the place of an old one. */
  loggedIn(id: number, passwordHash: string | null): Promise<void>
}

type Stores = { logins: LoginStore; sessions: SessionOpening }

/** Tells the owner of an inactive account, who gave the right password, what there is to know. */
export type InactivityDetails = (account: LoginAccount) => Promise<Record<string, unknown>>

type Parts = {
  write: PolicyWrite<Stores>
  accounts: AccountFinder
  attempts: PasswordAttempts
  tokens: SessionTokens
  inactivity: InactivityDetails
}

/** `network` is that of the caller. */
export type Login = { login: string; password: string; deviceName: string; network: string }

/** Login by password. Its cost and its answers do not tell whether there is such an account. */
export class LoginService {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /**
   * Opens a session.
   *
   * @throws DomainError `invalid-credentials`, `account-inactive` and `email-not-confirmed` (only when the password was
   *   right), `too-many-attempts`, `overloaded`
   */
  async open(context: WriteContext, login: Login): Promise<OpenedSession> {
    // A second time where the account changed while its password was looked at, as two first logins at once do, which
    // both replace an imported hash.
    const opened = (await this.#attempt(context, login)) ?? (await this.#attempt(context, login))
    if (opened === null) throw new DomainError('conflict', 'the account changed meanwhile, send the request again')
    return opened
  }

  async #attempt(context: WriteContext, login: Login): Promise<OpenedSession | null> {
    const account = await this.#parts.accounts.byLogin(login.login)
    const { fits, newHash } = await this.#parts.attempts.login({ ...login, account })
    if (!fits || account === null) {
      await this.#record(context, login, account, 'session.login-failed')
      throw new DomainError('invalid-credentials', 'login and password do not belong together')
    }
    await this.#refuseInactive(context, login, account)
    return this.#opened(context, login, account, newHash)
  }

  async #opened(context: WriteContext, login: Login, account: LoginAccount, newHash: string | null) {
    const row = this.#parts.tokens.newSession(account.id, login.deviceName, login.network)
    const caller = { ...context, caller: `user:${account.id}` }
    const { value } = await this.#parts.write(caller, async ({ logins, sessions }, audit) => {
      const held = await logins.hold(account.id)
      // Deactivated, or given another password, while this one was being looked at.
      if (!held?.isActive || held.passwordHash !== account.passwordHash) return null
      await logins.loggedIn(account.id, newHash)
      const session = await sessions.open(row)
      const after = { sessionId: session.id, network: login.network, ...(newHash !== null && { rehashed: true }) }
      audit({ action: 'session.login', target: `user:${account.id}`, after })
      return { ...session, isSuperuser: held.isSuperuser }
    })
    return value === null ? null : this.#parts.tokens.pair(value, row.refreshToken)
  }

  /** @throws DomainError `account-inactive`, `email-not-confirmed` */
  async #refuseInactive(context: WriteContext, login: Login, account: LoginAccount): Promise<void> {
    if (account.isActive) return
    await this.#record(context, login, account, 'session.login-refused')
    if (account.deactivationReason === 'unconfirmed') {
      throw new DomainError('email-not-confirmed', 'confirm the address first; the mail has the link')
    }
    const extension = await this.#parts.inactivity(account)
    throw new DomainError('account-inactive', 'this account is not in use', { extension })
  }

  /** The same for an account and for none: one transaction, one event. What was typed is never kept. */
  async #record(context: WriteContext, login: Login, account: LoginAccount | null, action: string): Promise<void> {
    const target = `user:${account?.id ?? 'unknown'}`
    const entry: AuditEntry = { action, target, after: { network: login.network } }
    await this.#parts.write(context, async (_stores, audit) => audit(entry))
  }
}
