import { DomainError } from '../errors.ts'
import type { PageRequest } from '../page.ts'
import type { Committed, PolicyWrite, WriteContext } from '../policy/policy-write.ts'
import type { AccountReader, AccountStores, OneTimeTokenReader, PasswordProof } from './account-ports.ts'
import { isOneTimeToken, TOKEN_LIFETIME_MS } from './one-time-token.ts'
import type {
  EmailChange,
  OwnAccount,
  OwnAccountPatch,
  SECURITY_EVENT_SORTS,
  SecurityEvent,
} from './own-account-schemas.ts'
import { type AccountRequests, type Origin, refuseNoAddress, tokenInvalid } from './registration-service.ts'
import type { User } from './user-schemas.ts'

/** How a list of security events is asked for. */
export type SecurityEventPage = PageRequest<keyof typeof SECURITY_EVENT_SORTS>

/** Reads what only the owner of an account is shown together. */
export interface OwnAccountReader {
  groupsOf(userId: number): Promise<OwnAccount['groups']>
  /** Up to `limit + 1` events, see {@link PageRequest}. */
  securityEvents(userId: number, page: SecurityEventPage): Promise<SecurityEvent[]>
}

/** The accounts that administrators see too. */
export interface UsersOfOwner {
  get(id: number): Promise<User>
  update(context: WriteContext, id: number, patch: OwnAccountPatch): Promise<Committed<User>>
}

/** What an own account is made of. */
export type OwnAccountParts = {
  users: UsersOfOwner
  own: OwnAccountReader
  proof: PasswordProof
  requests: Pick<AccountRequests, 'admit' | 'admitAddress'>
  write: PolicyWrite<AccountStores>
  reading: { accounts: AccountReader; oneTimeTokens: OneTimeTokenReader }
}

/** What users see and change of their own accounts. */
export class OwnAccountService {
  readonly #parts: OwnAccountParts

  constructor(parts: OwnAccountParts) {
    this.#parts = parts
  }

  /** @throws DomainError `not-found` for a user who was deleted just now */
  async get(id: number): Promise<OwnAccount> {
    return this.#shown(await this.#parts.users.get(id))
  }

  /** @throws DomainError `invalid-request` */
  async update(context: WriteContext, id: number, patch: OwnAccountPatch): Promise<Committed<OwnAccount>> {
    const { value, revision } = await this.#parts.users.update(context, id, patch)
    return { value: await this.#shown(value), revision }
  }

  /** Up to `limit + 1` events, see {@link PageRequest}. */
  securityEvents(id: number, page: SecurityEventPage): Promise<SecurityEvent[]> {
    return this.#parts.own.securityEvents(id, page)
  }

  /**
   * Asks for another address: a link goes there, and a notice to the present one. Nothing changes until the link is used.
   *
   * @throws DomainError `invalid-request`, `invalid-credentials`, `too-many-attempts`
   */
  async askForEmail(context: WriteContext, id: number, change: EmailChange, network: string): Promise<void> {
    const { proof, reading, requests, write } = this.#parts
    const { newEmail, password } = change
    refuseNoAddress(newEmail, '/newEmail')
    const owner = await reading.accounts.find(id)
    if (owner === null) throw new DomainError('not-found', 'the account is gone')
    await proof.confirm(id, password, network)
    await requests.admit(network)
    // Over the limit the answer is the same: the new address is somebody's whom nobody has asked yet.
    if (!(await requests.admitAddress('email-change', newEmail))) return
    await write(context, async ({ accounts, mails, oneTimeTokens }, audit) => {
      const account = await accounts.hold(id)
      if (!account?.isActive || account.passwordHash !== owner.passwordHash) {
        throw new DomainError('conflict', 'the account was changed meanwhile')
      }
      const { username, email } = account
      await oneTimeTokens.revoke(id, 'email-change')
      const bearing = { userId: id, address: newEmail }
      const token = await oneTimeTokens.issue('email-change', bearing, TOKEN_LIFETIME_MS['email-change'])
      await mails.enqueue({ kind: 'email-change', username, token, recipient: newEmail, userId: id })
      await mails.enqueue({ kind: 'email-change-asked', username, recipient: email, userId: id })
      audit({ action: 'user.email-change-asked', target: `user:${id}`, after: { email: newEmail } })
    })
  }

  /**
   * Performs a change of address with the token that went to the new one. Every other token of the account ends: they
   * were sent to the old address.
   *
   * @throws DomainError `token-invalid`
   */
  async changeEmail(token: string, { requestId }: Origin): Promise<string> {
    const { reading, write } = this.#parts
    const bearing = isOneTimeToken(token) ? await reading.oneTimeTokens.find('email-change', token) : null
    if (bearing === null) throw tokenInvalid()
    const { userId, address } = bearing
    const context = { caller: `user:${userId}`, requestId, inPerson: userId }
    await write(context, async ({ accounts, mails, oneTimeTokens }, audit) => {
      const account = await accounts.hold(userId)
      if (!account?.isActive || (await oneTimeTokens.consume('email-change', token)) === null) throw tokenInvalid()
      await accounts.setEmail(userId, address)
      await oneTimeTokens.revoke(userId)
      const { username, email } = account
      await mails.enqueue({ kind: 'email-changed', username, recipient: email, userId })
      audit({ action: 'user.email-change', target: `user:${userId}`, before: { email }, after: { email: address } })
    })
    return address
  }

  async #shown({ id, username, email, firstName, lastName, ...user }: User): Promise<OwnAccount> {
    const { isSuperuser, createdAt, lastLoginAt, emailConfirmedAt } = user
    const groups = await this.#parts.own.groupsOf(id)
    const person = { id, username, email, emailConfirmedAt, firstName, lastName }
    return { ...person, isSuperuser, createdAt, lastLoginAt, groups }
  }
}
