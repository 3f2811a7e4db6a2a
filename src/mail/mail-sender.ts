import type { Logger } from 'pino'
import type { MailKind } from './mail-kinds.ts'
import type { Delivery, MailTransport, OutgoingMail } from './mail-transport.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
/** How long after each failure in a row a mail is tried again; after the last of them it is given up. */
const DELAYS = [MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 6 * HOUR, 24 * HOUR]
const POLL_MS = 1000
/** A server that says a little now and then must not hold up all other mails. */
const LONGEST_ATTEMPT_MS = 60_000

/** A mail as it lies in the outbox. */
export type QueuedMail = OutgoingMail & { id: number; kind: MailKind; attempts: number }

/** What a mail becomes after an attempt; `againInMs` is null unless it stays queued. */
export type Settlement = { state: 'queued' | 'sent' | 'failed'; answer: string; againInMs: number | null }

/** Where mails wait. */
export interface Outbox {
  /**
   * Takes the mail whose turn it is, which nobody else is sending, and keeps what `deliver` makes of it, all in one
   * transaction; where `deliver` throws, the mail stays as it was. Null when no mail is due.
   */
  deliverNext(deliver: (mail: QueuedMail) => Promise<Settlement>): Promise<Settlement | null>
}

/**
 * Sends what is in the outbox, one mail after another, for as long as it runs. A crash between the server's answer and
 * the commit sends a mail again, with the same Message-ID; nothing is lost.
 */
export class MailSender {
  readonly #outbox: Outbox
  readonly #transport: MailTransport
  readonly #log: Pick<Logger, 'info' | 'warn'>
  readonly #ending = new AbortController()
  #running: Promise<void> | undefined
  #rested: () => void = () => undefined
  #queued = false

  constructor(outbox: Outbox, transport: MailTransport, log: Pick<Logger, 'info' | 'warn'>) {
    this.#outbox = outbox
    this.#transport = transport
    this.#log = log
  }

  /** Starts to send; what is due goes out at once. */
  start(): void {
    this.#running ??= this.#run()
  }

  /** Ends after the present attempt, which is broken off: its mail stays queued. */
  async stop(): Promise<void> {
    this.#ending.abort()
    this.#rested()
    await this.#running
  }

  /** A mail was put into the outbox by a transaction that has not ended yet. */
  noteQueued(): void {
    this.#queued = true
  }

  /** A transaction has ended: what it queued need not wait for the next look. */
  noteCommitted(): void {
    if (!this.#queued) return
    this.#queued = false
    this.#rested()
  }

  async #run(): Promise<void> {
    while (!this.#ending.signal.aborted) {
      const found = await this.#deliverNext()
      if (!found) await this.#rest()
    }
  }

  async #deliverNext(): Promise<boolean> {
    try {
      return (await this.#outbox.deliverNext((mail) => this.#deliver(mail))) !== null
    } catch (error) {
      if (!this.#ending.signal.aborted) this.#log.warn({ err: error }, 'the outbox of mails cannot be read')
      return false
    }
  }

  async #deliver(mail: QueuedMail): Promise<Settlement> {
    const signal = AbortSignal.any([this.#ending.signal, AbortSignal.timeout(LONGEST_ATTEMPT_MS)])
    const delivery = await Promise.race([this.#transport.send(mail, signal), brokenOff(signal)])
    if (delivery.outcome !== 'sent') this.#ending.signal.throwIfAborted()
    const settlement = settlementOf(delivery, mail.attempts)
    const { id, kind, attempts } = mail
    const about = { mail: id, kind, attempt: attempts + 1, state: settlement.state }
    if (settlement.state === 'sent') this.#log.info(about, 'sent a mail')
    else this.#log.warn({ ...about, outcome: delivery.outcome }, 'a mail could not be sent')
    return settlement
  }

  #rest(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#ending.signal.aborted) return resolve()
      const timer = setTimeout(resolve, POLL_MS)
      this.#rested = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

/** What an attempt makes of a mail that had `attempts` failures before it. */
export function settlementOf({ outcome, answer }: Delivery, attempts: number): Settlement {
  if (outcome === 'sent') return { state: 'sent', answer, againInMs: null }
  const delay = outcome === 'deferred' ? DELAYS[attempts] : undefined
  return delay === undefined
    ? { state: 'failed', answer, againInMs: null }
    : { state: 'queued', answer, againInMs: delay }
}

function brokenOff(signal: AbortSignal): Promise<Delivery> {
  const delivery: Delivery = { outcome: 'deferred', answer: 'the attempt took too long' }
  return new Promise((resolve) => {
    if (signal.aborted) resolve(delivery)
    else signal.addEventListener('abort', () => resolve(delivery), { once: true })
  })
}
