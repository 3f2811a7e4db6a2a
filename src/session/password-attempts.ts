import { DomainError } from '../errors.ts'
import type { LoginAccount } from './login-account.ts'
import { failuresKey, loginRule, passwordKeys, passwordRules, type Throttle, type ThrottleRule } from './throttle.ts'

/** Verifies and makes hashes of passwords. */
export interface Passwords {
  hash(password: string): Promise<string>
  verify(password: string, stored: string | null): Promise<{ fits: boolean; outdated: boolean }>
}

/** Finds accounts by their ids. */
export interface AccountsById {
  byId(id: number): Promise<LoginAccount | null>
}

/** A try of a password; `account` is null where the login stands for none, which costs the same. */
type PasswordTry = { login: string; password: string; network: string; account: LoginAccount | null }

/** `newHash` is to be stored in place of one of another kind. */
type PasswordAnswer = { fits: boolean; newHash: string | null }

/**
 * The one way to try a password, whatever for. A try is counted before it is verified, so that parallel tries are as
 * many as those that come one after another; the counter of an account stands back after a right password.
 */
export class PasswordAttempts {
  readonly #throttle: Throttle
  readonly #passwords: Passwords
  readonly #accounts: AccountsById

  constructor(throttle: Throttle, passwords: Passwords, accounts: AccountsById) {
    this.#throttle = throttle
    this.#passwords = passwords
    this.#accounts = accounts
  }

  /** Tries the password of a login. @throws DomainError `too-many-attempts`, `overloaded` */
  login(attempt: PasswordTry): Promise<PasswordAnswer> {
    return this.#attempt(attempt, [loginRule(attempt.network)])
  }

  /**
   * Makes sure that whoever is logged in knows the password.
   *
   * @throws DomainError `invalid-credentials`, `too-many-attempts`, `overloaded`
   */
  async confirm(userId: number, password: string, network: string): Promise<void> {
    const account = await this.#accounts.byId(userId)
    const { fits } = await this.#attempt({ login: account?.username ?? '', password, network, account }, [
      loginRule(network),
    ])
    if (!fits) throw new DomainError('invalid-credentials', 'this is not the password')
  }

  /** Forgets the wrong tries for these logins and addresses, after the password was changed by another proof. */
  forget(logins: readonly string[], network: string): Promise<void> {
    return this.#throttle.clear(logins.flatMap((login) => passwordKeys(login, network)))
  }

  async #attempt(attempt: PasswordTry, more: readonly ThrottleRule[]): Promise<PasswordAnswer> {
    const { login, password, network, account } = attempt
    const isKnownNetwork = await this.#throttle.isKnownNetwork(account?.id ?? null, network)
    const rules = [...passwordRules({ login, network, isKnownNetwork }), ...more]
    const seconds = await this.#throttle.take(rules)
    if (seconds > 0) throw tooManyAttempts(seconds)
    try {
      const { fits, outdated } = await this.#passwords.verify(password, account?.passwordHash ?? null)
      if (!fits || account === null) return { fits: false, newHash: null }
      const newHash = outdated ? await this.#passwords.hash(password) : null
      await this.forget([login, account.username, account.email].filter(Boolean), network)
      await this.#throttle.giveBack([failuresKey(network)])
      return { fits, newHash }
    } catch (error) {
      if (error instanceof DomainError && error.code === 'overloaded') {
        await this.#throttle.giveBack(rules.map(({ key }) => key))
      }
      throw error
    }
  }
}

function tooManyAttempts(seconds: number): DomainError {
  const detail = `there were too many attempts, try again in ${seconds} s`
  return new DomainError('too-many-attempts', detail, { retryAfterSeconds: seconds })
}
