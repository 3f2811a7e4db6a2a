import { DomainError } from '../errors.ts'
import { isMailAddress } from '../mail-address.ts'
import { type NameField, refuseBadNames } from '../names.ts'
import type { PolicyWrite } from '../policy/policy-write.ts'
import type {
  Account,
  AccountReader,
  AccountStores,
  OneTimeTokenReader,
  PasswordHasher,
  PasswordProof,
} from './account-ports.ts'
import type { AccountRequest } from './account-request.ts'
import { addressee } from './account-request-handling.ts'
import type { NameStore } from './edit-rights.ts'
import { nameTaken } from './edit-rights.ts'
import { isOneTimeToken, TOKEN_LIFETIME_MS, type TokenPurpose } from './one-time-token.ts'
import type { Confirmation, NewRegistration, RegistrationTerms } from './registration-schemas.ts'
import { MAX_EMAIL_LENGTH, MAX_NAME_LENGTH } from './user-schemas.ts'

/** Accounts that were not confirmed by then go; their logins are free again. */
const UNCONFIRMED_KEPT_MS = 7 * 24 * 3_600_000

/** What the operator says about registration. */
export type RegistrationRules = {
  allowed: boolean
  confirmationRequired: boolean
  welcomeMail: boolean
  terms: { text: string; version: string } | undefined
}

/** Where requests go whose answer must not depend on who has an account. */
export interface AccountRequests {
  /** Counts a request for mail against its network. @throws DomainError `too-many-attempts` */
  admit(network: string): Promise<void>
  /** Counts a mail to an address; false when it has had as many as may be, and gets no more for now. */
  admitAddress(what: string, address: string): Promise<boolean>
  submit(request: AccountRequest, requestId: string | null): Promise<void>
}

/** Refuses passwords that are no good. @throws DomainError `password-too-short`, `-too-long`, `-blocklisted` */
export type RefuseBadPassword = (password: string, context: readonly string[], pointer?: string) => void

/** How a request came: the network it came from and the id it has. */
export type Origin = { network: string; requestId: string | null }

/** What registration is made of. */
export type RegistrationParts = {
  rules: RegistrationRules
  password: { minLength: number; maxLength: number; refuseBad: RefuseBadPassword; hasher: PasswordHasher }
  proof: PasswordProof
  requests: AccountRequests
  write: PolicyWrite<AccountStores>
  reading: {
    names: Pick<NameStore, 'isLogin' | 'groupNamed'>
    accounts: AccountReader
    oneTimeTokens: OneTimeTokenReader
  }
}

/** How people get accounts by themselves, where the operator allows it. */
export class RegistrationService {
  readonly #parts: RegistrationParts

  constructor(parts: RegistrationParts) {
    this.#parts = parts
  }

  /** @throws DomainError `registration-disabled` */
  refuseWhereDisabled(): void {
    if (this.#parts.rules.allowed) return
    throw new DomainError('registration-disabled', 'ask the people who run this service for an account')
  }

  /** What somebody has to know who wants to register. */
  terms(): RegistrationTerms {
    const { rules, password } = this.#parts
    return {
      confirmationRequired: rules.confirmationRequired,
      terms: rules.terms === undefined ? null : { version: rules.terms.version, text: rules.terms.text },
      password: { minLength: password.minLength, maxLength: password.maxLength },
    }
  }

  /**
   * Asks for an account. Everything that depends on who has one happens after the answer, see `AccountRequestHandling`;
   * only where accounts open without confirmation a login that is taken is refused here, since anybody could try it at
   * the login anyway.
   *
   * @throws DomainError `invalid-request`, `password-too-short`, `password-too-long`, `password-blocklisted`,
   *   `terms-not-accepted`, `too-many-attempts`, `overloaded`; `name-taken` without confirmation only
   */
  async register(registration: NewRegistration, { network, requestId }: Origin): Promise<void> {
    const { rules, password, requests } = this.#parts
    const { username, email, firstName, lastName, acceptTermsVersion } = registration
    refuseBadFields(registration)
    this.#refuseOtherTerms(acceptTermsVersion)
    password.refuseBad(registration.password, [username, email, firstName, lastName])
    await requests.admit(network)
    if (!rules.confirmationRequired) await this.#refuseTaken(username)
    const passwordHash = await password.hasher.hash(registration.password)
    const termsVersion = rules.terms?.version ?? null
    const body = { username, email, firstName, lastName, passwordHash, termsVersion }
    await requests.submit({ kind: 'registration', body }, requestId)
  }

  /**
   * Asks for another link to confirm with.
   *
   * @throws DomainError `invalid-request`, `too-many-attempts`
   */
  async resend(email: string, { network, requestId }: Origin): Promise<void> {
    refuseNoAddress(email, '/email')
    await this.#parts.requests.admit(network)
    await this.#parts.requests.submit({ kind: 'confirmation-resend', body: { email } }, requestId)
  }

  /**
   * Confirms the address of a new account and opens it. The password of the registration is kept for whoever gives it
   * too; otherwise whoever registered may be somebody else than whoever reads the address, so the password goes and a
   * link to choose one is mailed.
   *
   * @throws DomainError `token-invalid`; `invalid-credentials` and `too-many-attempts`, after which the token still works
   */
  async confirm({ token, password }: Confirmation, { network, requestId }: Origin): Promise<{ passwordKept: boolean }> {
    const { proof, write } = this.#parts
    const account = await this.#waiting(token)
    if (password !== undefined) await proof.confirm(account.id, password, network)
    const passwordKept = password !== undefined
    const context = { caller: `user:${account.id}`, requestId, inPerson: account.id }
    await write(context, async (stores, audit) => {
      await this.#confirmed(stores, token, passwordKept)
      const [before, after] = [{ isActive: false }, { isActive: true, passwordKept }]
      audit({ action: 'user.confirm', target: `user:${account.id}`, before, after })
    })
    return { passwordKept }
  }

  /** Removes accounts that were never confirmed. */
  async sweep(): Promise<void> {
    const context = { caller: 'service', requestId: null, inPerson: null }
    const ids = await this.#parts.reading.accounts.unconfirmedFor(UNCONFIRMED_KEPT_MS)
    for (const id of ids) {
      const done = this.#parts.write(context, async ({ accounts, names }, audit) => {
        await names.lock()
        const account = await accounts.hold(id)
        if (account === null || !account.isUnconfirmed) return
        const removed = await accounts.removeUnconfirmed(id)
        audit({ action: 'user.expire', target: `user:${id}`, before: { username: account.username, ...removed } })
      })
      await done.catch((error: unknown) => {
        // A mail to it is being sent just now: the next sweep finds it again.
        if (!(error instanceof DomainError && error.code === 'conflict')) throw error
      })
    }
  }

  #refuseOtherTerms(accepted: string | undefined): void {
    const version = this.#parts.rules.terms?.version
    if (accepted === version) return
    const detail =
      version === undefined ? 'there are no terms to accept' : `send the version of the terms of GET /v1/registration`
    throw new DomainError('terms-not-accepted', detail, { faults: [{ pointer: '/acceptTermsVersion', detail }] })
  }

  async #refuseTaken(username: string): Promise<void> {
    const { names } = this.#parts.reading
    const [isTaken, namesake] = [await names.isLogin(username), await names.groupNamed(username)]
    if (isTaken || namesake?.hasMembers) throw nameTaken('/username', 'this login cannot be had, choose another one')
  }

  /** The account that a token would open; looked at again in the transaction that does. */
  async #waiting(token: string): Promise<Account> {
    const { accounts, oneTimeTokens } = this.#parts.reading
    const bearing = isOneTimeToken(token) ? await oneTimeTokens.find('email-confirmation', token) : null
    const account = bearing && (await accounts.find(bearing.userId))
    if (!account?.isUnconfirmed || account.email !== bearing?.address) throw tokenInvalid()
    return account
  }

  async #confirmed(stores: AccountStores, token: string, passwordKept: boolean): Promise<void> {
    const { accounts, mails, oneTimeTokens } = stores
    const account = await holdBearer(stores, 'email-confirmation', token)
    if (!account.isUnconfirmed) throw tokenInvalid()
    await accounts.confirm(account.id, passwordKept)
    await oneTimeTokens.revoke(account.id)
    if (this.#parts.rules.welcomeMail) await mails.enqueue({ kind: 'welcome', ...addressee(account) })
    if (passwordKept) return
    const { id: userId, username, email } = account
    const bearing = { userId, address: email }
    const reset = await oneTimeTokens.issue('password-reset', bearing, TOKEN_LIFETIME_MS['password-reset'])
    const accountsOfMail = [{ username, token: reset }]
    await mails.enqueue({ kind: 'password-reset', accounts: accountsOfMail, recipient: email, userId })
  }
}

/**
 * Uses a token up and gives the account that it is for, held until the transaction ends.
 *
 * @throws DomainError `token-invalid`, also where the account's address is not the one that the token was sent to
 */
export async function holdBearer(
  { accounts, oneTimeTokens }: AccountStores,
  purpose: Exclude<TokenPurpose, 'email-change'>,
  token: string,
): Promise<Account & { isAddressProved: boolean }> {
  // The account first, as every other write about it does, so that no two wait for each other.
  const bearing = await oneTimeTokens.find(purpose, token)
  const account = bearing && (await accounts.hold(bearing.userId))
  if (!account || (await oneTimeTokens.consume(purpose, token)) === null) throw tokenInvalid()
  const isAddressProved = bearing.address !== ''
  if (isAddressProved && bearing.address !== account.email) throw tokenInvalid()
  return { ...account, isAddressProved }
}

/** Used, expired, unknown, of another purpose, of an account that is closed: nobody is told which. */
export const tokenInvalid = (): DomainError => new DomainError('token-invalid', 'the link does not work, or no longer')

/** @throws DomainError `invalid-request` */
export function refuseNoAddress(email: string, pointer: string): void {
  if (isMailAddress(email)) return
  const detail = 'is no address that mail can be sent to'
  throw new DomainError('invalid-request', 'the address was refused', { faults: [{ pointer, detail }] })
}

/** Mails to addresses that nobody has confirmed greet by name: a name must not be an advertisement. */
const LIKE_A_LINK = /:\/\/|www\./i

function refuseBadFields({ username, email, firstName, lastName }: NewRegistration): void {
  const fields = { username, firstName, lastName }
  refuseBadNames(
    Object.entries(fields).map(
      ([name, value]): NameField => ({
        pointer: `/${name}`,
        value,
        limit: MAX_NAME_LENGTH,
        empty: name !== 'username',
      }),
    ),
  )
  for (const [name, value] of Object.entries({ firstName, lastName })) {
    if (!LIKE_A_LINK.test(value)) continue
    const detail = 'looks like the address of a page, which no name does'
    throw new DomainError('invalid-request', 'a name was refused', { faults: [{ pointer: `/${name}`, detail }] })
  }
  if (username.includes('@')) {
    const detail = 'holds an @, so it could be taken for the address of somebody'
    throw new DomainError('invalid-request', 'a name was refused', { faults: [{ pointer: '/username', detail }] })
  }
  if ([...email].length > MAX_EMAIL_LENGTH) refuseNoAddress('', '/email')
  refuseNoAddress(email, '/email')
}
