import type { AuditEntry } from '../policy/policy-write.ts'
import type { Account, AccountStores } from './account-ports.ts'
import type { AccountRequest, RegistrationRequest } from './account-request.ts'
import { addressSpellings } from './address-spellings.ts'
import { TOKEN_LIFETIME_MS } from './one-time-token.ts'

/** More accounts than that have no person behind them who reads the address. */
const MOST_ACCOUNTS_OF_ADDRESS = 50

/** What the operator says about new accounts. */
export type NewAccountRules = {
  confirmationRequired: boolean
  welcomeMail: boolean
  /** Names of the groups that a new user joins. */
  newUserGroups: readonly string[]
  /** Whether a new user gets a group of the same name. */
  createGroup: boolean
}

type Log = { warn(fields: object, message: string): void }
type Audit = (entry: AuditEntry) => void

/** Does what was asked for by somebody who may have an account or not, in one transaction, and tells nobody but by mail. */
export class AccountRequestHandling {
  readonly #rules: NewAccountRules
  readonly #log: Log

  constructor(rules: NewAccountRules, log: Log) {
    this.#rules = rules
    this.#log = log
  }

  /** @returns what is to be done once the transaction has committed */
  async handle(stores: AccountStores, request: AccountRequest, audit: Audit): Promise<() => void> {
    // Logins are looked at and given out: nobody else may do so meanwhile.
    await stores.names.lock()
    const accounts = await stores.accounts.holdByAddress(addressSpellings(request.body.email), MOST_ACCOUNTS_OF_ADDRESS)
    if (request.kind === 'registration') return this.#register(stores, request.body, accounts, audit)
    if (request.kind === 'password-reset') await mailResets(stores, accounts)
    else await mailConfirmations(stores, accounts)
    return () => undefined
  }

  async #register(
    stores: AccountStores,
    request: RegistrationRequest,
    present: readonly Account[],
    audit: Audit,
  ): Promise<() => void> {
    const { username, firstName, email } = request
    const [owner] = present.filter(({ isUnconfirmed }) => !isUnconfirmed)
    if (owner !== undefined) await stores.mails.enqueue({ kind: 'already-registered', ...addressee(owner) })
    else if (present.length > 0) await mailConfirmations(stores, present)
    else if (await this.#isUnavailable(stores, username)) {
      await stores.mails.enqueue({ kind: 'login-unavailable', username, firstName, recipient: email, userId: null })
    } else {
      const missing = await this.#open(stores, request, audit)
      return () => {
        if (missing.length > 0) {
          this.#log.warn(
            { groups: missing },
            'NEW_USER_GROUPS names groups that are not there, or are named like a user; a new user went without',
          )
        }
      }
    }
    return () => undefined
  }

  /**
   * Another spelling of a login that is there would make both ambiguous, and whoever is let into a group of new users
   * must not get the data of somebody named like it.
   */
  async #isUnavailable({ accounts, names }: AccountStores, username: string): Promise<boolean> {
    if (this.#rules.newUserGroups.includes(username)) return true
    if (await accounts.isLoginInAnySpelling(username)) return true
    return (await names.groupNamed(username))?.hasMembers === true
  }

  /** Makes the account; gives the names of the groups that it should be in and that are not there. */
  async #open(stores: AccountStores, request: RegistrationRequest, audit: Audit): Promise<string[]> {
    const { accounts, names, groups, mails, oneTimeTokens, profiles } = stores
    const { confirmationRequired, welcomeMail, newUserGroups, createGroup } = this.#rules
    const { username, email, firstName, lastName, termsVersion } = request
    const userId = await accounts.add({ ...request, isUnconfirmed: confirmationRequired })
    await profiles.addFor(userId)
    const namesake = await names.groupNamed(username)
    const createdGroup = createGroup && namesake === null ? (await groups.add(username)).id : null
    const joined: number[] = []
    const missing: string[] = []
    for (const name of newUserGroups) {
      const group = await names.groupNamed(name)
      // Members of a group that is named like a login could edit what that user made (D9).
      if (group === null || (await names.isLogin(name))) missing.push(name)
      else {
        await groups.addMembership({ groupId: group.id, userId, projectId: null })
        joined.push(group.id)
      }
    }
    const person = { username, firstName, recipient: email, userId }
    if (confirmationRequired) {
      const bearing = { userId, address: email }
      const token = await oneTimeTokens.issue('email-confirmation', bearing, TOKEN_LIFETIME_MS['email-confirmation'])
      await mails.enqueue({ kind: 'email-confirmation', ...person, token })
    } else if (welcomeMail) await mails.enqueue({ kind: 'welcome', ...person })
    const after = {
      username,
      email,
      firstName,
      lastName,
      isActive: !confirmationRequired,
      termsVersion,
      groups: joined,
    }
    audit({ action: 'user.register', target: `user:${userId}`, after: { ...after, createdGroup } })
    return missing
  }
}

/** A link for each account with the address that may log in; one mail for each spelling of the address. */
async function mailResets({ mails, oneTimeTokens }: AccountStores, found: readonly Account[]): Promise<void> {
  const accounts = found.filter(({ isActive }) => isActive)
  for (const recipient of new Set(accounts.map(({ email }) => email))) {
    const links: { username: string; token: string; userId: number }[] = []
    for (const { id: userId, username } of accounts.filter(({ email }) => email === recipient)) {
      const bearing = { userId, address: recipient }
      const token = await oneTimeTokens.issue('password-reset', bearing, TOKEN_LIFETIME_MS['password-reset'])
      links.push({ username, token, userId })
    }
    const owners = links.map(({ username, token }) => ({ username, token }))
    const userId = links.length === 1 ? (links[0]?.userId ?? null) : null
    await mails.enqueue({ kind: 'password-reset', accounts: owners, recipient, userId })
  }
}

/** Another link for each account with the address that waits for it; the earlier links go on working. */
async function mailConfirmations({ mails, oneTimeTokens }: AccountStores, found: readonly Account[]): Promise<void> {
  for (const account of found.filter(({ isUnconfirmed }) => isUnconfirmed)) {
    const bearing = { userId: account.id, address: account.email }
    const token = await oneTimeTokens.issue('email-confirmation', bearing, TOKEN_LIFETIME_MS['email-confirmation'])
    await mails.enqueue({ kind: 'email-confirmation', ...addressee(account), token })
  }
}

/** Whom a mail about an account goes to: the address as the account has it, whatever spelling was asked for. */
export const addressee = ({ id, username, firstName, email }: Account) => ({
  username,
  firstName,
  recipient: email,
  userId: id,
})
