import { DomainError } from '../errors.ts'
import type { PageRequest } from '../page.ts'
import type { Committed, PolicyWrite, WriteContext } from '../policy/policy-write.ts'
import type { MAIL_SORTS, MailEntry, MailFilter } from './mail-schemas.ts'

/** How the outbox is asked for. */
export type MailPage = PageRequest<keyof typeof MAIL_SORTS>

/** Reads the outbox; never the text of a mail. */
export interface MailReader {
  find(id: number): Promise<MailEntry | null>
  /** Up to `limit + 1` mails, see {@link PageRequest}. */
  list(filter: MailFilter, page: MailPage): Promise<MailEntry[]>
}

/** What a write about mails needs, in its transaction. */
export interface MailStore extends MailReader {
  /** Queues a failed mail anew, with all its attempts; null when there is none of that id that failed. */
  requeue(id: number): Promise<MailEntry | null>
}

/** The outbox, as whoever looks after the site sees it. */
export class MailService {
  readonly #write: PolicyWrite<{ mails: MailStore }>
  readonly #mails: MailReader

  constructor(write: PolicyWrite<{ mails: MailStore }>, mails: MailReader) {
    this.#write = write
    this.#mails = mails
  }

  /** Up to `limit + 1` mails, see {@link PageRequest}. */
  list(filter: MailFilter, page: MailPage): Promise<MailEntry[]> {
    return this.#mails.list(filter, page)
  }

  /**
   * Tries a failed mail again, as often as a new one.
   *
   * @throws DomainError `not-found`, `mail-not-retryable`
   */
  retry(context: WriteContext, id: number): Promise<Committed<MailEntry>> {
    return this.#write(context, async ({ mails }, audit) => {
      const again = await mails.requeue(id)
      if (again === null) throw await this.#whyNot(mails, id)
      audit({ action: 'mail.retry', target: `mail:${id}`, before: { state: 'failed' }, after: { state: 'queued' } })
      return again
    })
  }

  async #whyNot(mails: MailReader, id: number): Promise<DomainError> {
    const mail = await mails.find(id)
    if (mail === null) return new DomainError('not-found', `there is no mail ${id}`)
    return new DomainError('mail-not-retryable', `this mail is ${mail.state}: only a failed one is tried again`)
  }
}
