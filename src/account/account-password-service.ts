import { DomainError } from '../errors.ts'
import type { Committed, PolicyWrite, WriteContext } from '../policy/policy-write.ts'
import type {
  Account,
  AccountReader,
  AccountStores,
  OneTimeTokenReader,
  PasswordHasher,
  PasswordProof,
} from './account-ports.ts'
import { FIRST_PASSWORD_LIFETIME_MS, isOneTimeToken, TOKEN_LIFETIME_MS } from './one-time-token.ts'
import type { PasswordChange, PasswordReset, Revocations } from './own-account-schemas.ts'
import {
  type AccountRequests,
  holdBearer,
  type Origin,
  type RefuseBadPassword,
  refuseNoAddress,
  tokenInvalid,
} from './registration-service.ts'

/** What setting passwords is made of. */
export type PasswordParts = {
  refuseBad: RefuseBadPassword
  hasher: PasswordHasher
  proof: PasswordProof
  requests: AccountRequests
  write: PolicyWrite<AccountStores>
  reading: { accounts: AccountReader; oneTimeTokens: OneTimeTokenReader }
}

/** How owners set the passwords of their accounts. Nobody else can, nor read one. */
export class AccountPasswordService {
  readonly #parts: PasswordParts

  constructor(parts: PasswordParts) {
    this.#parts = parts
  }

  /**
   * Asks for a link to set a new password, for every account with the address that may log in; see
   * `AccountRequestHandling`.
   *
   * @throws DomainError `invalid-request`, `too-many-attempts`
   */
  async askForReset(email: string, { network, requestId }: Origin): Promise<void> {
    refuseNoAddress(email, '/email')
    await this.#parts.requests.admit(network)
    await this.#parts.requests.submit({ kind: 'password-reset', body: { email } }, requestId)
  }

  /**
   * Mails a user a link to set a new password.
   *
   * @throws DomainError `not-found`; `cannot-be-mailed` where there is no address, or nobody may log in
   */
  mailReset(context: WriteContext, id: number): Promise<Committed<void>> {
    return this.#parts.write(context, async ({ accounts, mails, oneTimeTokens }, audit) => {
      const account = await accounts.hold(id)
      if (account === null) throw new DomainError('not-found', `there is no user ${id}`)
      const { username, email, isActive, isAnonymous } = account
      if (!isActive) throw new DomainError('cannot-be-mailed', 'the user is inactive, so the link would open nothing')
      if (email === '' || isAnonymous) throw new DomainError('cannot-be-mailed', 'the user has no address')
      const bearing = { userId: id, address: email }
      const token = await oneTimeTokens.issue('password-reset', bearing, TOKEN_LIFETIME_MS['password-reset'])
      await mails.enqueue({ kind: 'password-reset', accounts: [{ username, token }], recipient: email, userId: id })
      audit({ action: 'user.password-reset-mail', target: `user:${id}` })
    })
  }

  /**
   * A token for an operator to hand to a user who has no password yet; null where there is one, or the user is inactive.
   * It proves no address.
   */
  async firstPasswordToken(context: WriteContext, id: number): Promise<string | null> {
    const { value } = await this.#parts.write(context, async ({ accounts, oneTimeTokens }, audit) => {
      const account = await accounts.hold(id)
      if (!account?.isActive || account.passwordHash !== null) return null
      await oneTimeTokens.revoke(id, 'password-reset')
      const token = await oneTimeTokens.issue('password-reset', { userId: id, address: '' }, FIRST_PASSWORD_LIFETIME_MS)
      audit({ action: 'user.first-password-link', target: `user:${id}` })
      return token
    })
    return value
  }

  /**
   * Sets a new password with a token. All sessions end, wrong passwords that were tried are forgotten, and the address
   * that the token was sent to counts as confirmed.
   *
   * @throws DomainError `token-invalid`; `password-too-short`, `password-too-long`, `password-blocklisted`, after which
   *   the token still works
   */
  async reset({ token, newPassword, revokeApiTokens = false }: PasswordReset, origin: Origin): Promise<Revocations> {
    const { hasher, proof, reading, refuseBad, write } = this.#parts
    const bearing = isOneTimeToken(token) ? await reading.oneTimeTokens.find('password-reset', token) : null
    const owner = bearing && (await reading.accounts.find(bearing.userId))
    if (!owner?.isActive) throw tokenInvalid()
    refuseBad(newPassword, wordsOf(owner), '/newPassword')
    const passwordHash = await hasher.hash(newPassword)
    const context = { caller: `user:${owner.id}`, requestId: origin.requestId, inPerson: owner.id }
    const { value } = await write(context, async (stores, audit) => {
      const account = await holdBearer(stores, 'password-reset', token)
      if (!account.isActive) throw tokenInvalid()
      await stores.accounts.setPassword(account.id, passwordHash, account.isAddressProved)
      await stores.oneTimeTokens.revoke(account.id)
      const what = { sessions: true, exceptSession: null, apiTokens: revokeApiTokens, reason: 'password-reset' }
      const revoked = await stores.accounts.revoke(account.id, what)
      await stores.mails.enqueue(passwordChanged(account))
      audit({ action: 'user.password-reset', target: `user:${account.id}`, after: revoked })
      return revoked
    })
    await proof.forget([owner.username, owner.email].filter(Boolean), origin.network)
    return value
  }

  /**
   * Sets another password for whoever knows the present one.
   *
   * @param sessionId the session that goes on
   * @throws DomainError `invalid-credentials`, `too-many-attempts`, `password-too-short`, `password-too-long`,
   *   `password-blocklisted`; `conflict` when the password was changed meanwhile
   */
  async change(
    context: WriteContext,
    user: { id: number; sessionId: number | null },
    { currentPassword, newPassword, revokeOtherSessions = true, revokeApiTokens = false }: PasswordChange,
    network: string,
  ): Promise<Revocations> {
    const { hasher, proof, reading, refuseBad, write } = this.#parts
    const owner = await reading.accounts.find(user.id)
    if (owner === null) throw new DomainError('not-found', 'the account is gone')
    await proof.confirm(user.id, currentPassword, network)
    refuseBad(newPassword, wordsOf(owner), '/newPassword')
    const passwordHash = await hasher.hash(newPassword)
    const { value } = await write(context, async ({ accounts, mails, oneTimeTokens }, audit) => {
      const account = await accounts.hold(user.id)
      // Otherwise a password that somebody else knows could be set over one that its owner just reset.
      if (!account?.isActive || account.passwordHash !== owner.passwordHash) throw changedMeanwhile()
      await accounts.setPassword(user.id, passwordHash, false)
      await oneTimeTokens.revoke(user.id)
      const what = { sessions: revokeOtherSessions, exceptSession: user.sessionId, apiTokens: revokeApiTokens }
      const revoked = await accounts.revoke(user.id, { ...what, reason: 'password-change' })
      await mails.enqueue(passwordChanged(account))
      audit({ action: 'user.password-change', target: `user:${user.id}`, after: revoked })
      return revoked
    })
    return value
  }
}

const changedMeanwhile = () => new DomainError('conflict', 'the account was changed meanwhile')

/** What a password must not be made of. */
export const wordsOf = ({ username, email, firstName, lastName }: Account) => [username, email, firstName, lastName]

const passwordChanged = ({ id, username, email }: Account) =>
  ({ kind: 'password-changed', username, recipient: email, userId: id }) as const
