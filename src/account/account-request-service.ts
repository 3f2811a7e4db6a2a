import { DomainError } from '../errors.ts'
import type { AuditEntry, PolicyWrite, WriteContext } from '../policy/policy-write.ts'
import type { AccountRequest, Limit, WaitingRequest } from './account-request.ts'
import { addressKey } from './address-spellings.ts'

const MINUTE_MS = 60_000
/** Of mails that anybody can ask for: to one address, of one kind. */
const OF_ADDRESS: Limit = { most: 5, windowMs: 60 * MINUTE_MS, pauseMs: 3 * MINUTE_MS }
/** And from one network, of all kinds. */
const OF_NETWORK: Limit = { most: 20, windowMs: MINUTE_MS, pauseMs: 0 }

/** Requests that wait, and how often they may be made. */
export interface AccountRequestStore {
  /** Counts one more, of any number at once, and tells whether that is within the limit. */
  admit(what: string, whom: string, limit: Limit): Promise<boolean>
  add(request: AccountRequest, requestId: string | null): Promise<void>
  /** Takes a request off the list, if the transaction commits; null when somebody else is at it or did it. */
  take(id: number): Promise<AccountRequest | null>
}

/** Tells which request is to be done next. */
export interface AccountRequestQueue {
  /** The oldest request that waits and that nobody is at, except these; null for none. */
  next(except: readonly number[]): Promise<WaitingRequest | null>
}

type Stores = { accountRequests: AccountRequestStore }

/** Does one request with the stores of its transaction. What it gives back is run once that has committed. */
export type Handling<Handled> = (stores: Handled, request: AccountRequest, audit: Audit) => Promise<Afterwards>
type Afterwards = () => void
type Audit = (entry: AuditEntry) => void

/** Who the audit trail says it was, since there is nobody to name yet. */
const SOMEBODY: WriteContext = { caller: 'public', requestId: null, inPerson: null }

/**
 * Requests about accounts that anybody can make. They are put on a list and answered, always alike, before anybody looks
 * whether there is such an account; what is to be done is done from the list afterwards. So neither an answer, nor its
 * time, nor the number of queries behind it can tell who has an account.
 */
export class AccountRequestService<Handled extends Stores> {
  readonly #write: PolicyWrite<Handled>
  readonly #queue: AccountRequestQueue
  readonly #handle: Handling<Handled>
  readonly #added: () => void

  /** @param added is told of every request that was put on the list, once it is kept */
  constructor(write: PolicyWrite<Handled>, queue: AccountRequestQueue, handle: Handling<Handled>, added: () => void) {
    this.#write = write
    this.#queue = queue
    this.#handle = handle
    this.#added = added
  }

  /**
   * Counts a request for mail against its network.
   *
   * @param network IPv4 address or IPv6 /64 that it came from
   * @throws DomainError `too-many-attempts`
   */
  async admit(network: string): Promise<void> {
    const { value } = await this.#write(SOMEBODY, ({ accountRequests }) =>
      accountRequests.admit('mail-network', network, OF_NETWORK),
    )
    if (value) return
    const detail = 'too many requests for mail come from your network: wait a minute'
    throw new DomainError('too-many-attempts', detail, { retryAfterSeconds: OF_NETWORK.windowMs / 1000 })
  }

  /** Counts a mail to an address that is not the owner's yet; false when it has had as many as may be. */
  async admitAddress(what: string, address: string): Promise<boolean> {
    const { value } = await this.#write(SOMEBODY, ({ accountRequests }) =>
      accountRequests.admit(`mail-${what}`, addressKey(address), OF_ADDRESS),
    )
    return value
  }

  /** Puts a request on the list; one too many about the same address is dropped, and nobody is told. */
  async submit(request: AccountRequest, requestId: string | null): Promise<void> {
    await this.#write({ ...SOMEBODY, requestId }, async ({ accountRequests }) => {
      const address = addressKey(request.body.email)
      if (await accountRequests.admit(`mail-${request.kind}`, address, OF_ADDRESS)) {
        await accountRequests.add(request, requestId)
      }
    })
    this.#added()
  }

  /**
   * Does the oldest request that nobody is at, wholly or, when something fails, not at all.
   *
   * @param except ids of requests to leave alone
   * @returns what was done: its id, and the fault when it failed; null when nothing waits
   */
  async workOne(except: readonly number[]): Promise<{ id: number; fault?: unknown } | null> {
    const waiting = await this.#queue.next(except)
    if (waiting === null) return null
    try {
      const { value: done } = await this.#write(
        { ...SOMEBODY, requestId: waiting.requestId },
        async (stores, audit) => {
          const request = await stores.accountRequests.take(waiting.id)
          const nothing: Afterwards = () => undefined
          return request === null ? nothing : this.#handle(stores, request, audit)
        },
      )
      done()
      return { id: waiting.id }
    } catch (fault) {
      return { id: waiting.id, fault }
    }
  }
}
