import type { Logger } from 'pino'

const POLL_MS = 1000
const FIRST_RETRY_MS = 1000
const LONGEST_RETRY_MS = 600_000
const SWEEP_MS = 60_000

/** What the worker does, one piece at a time. */
export type AccountWork = {
  /** Does the oldest request but these; null when nothing waits. */
  workOne(except: readonly number[]): Promise<{ id: number; fault?: unknown } | null>
  /** Removes what nobody will use any more. */
  sweep(): Promise<void>
}

/**
 * Works off the requests about accounts: at once when one was made here, and every second, since other replicas make
 * them too. Several replicas may do so at once. A request that fails is tried again, later and later, and holds up no
 * other.
 */
export class AccountRequestWorker {
  readonly #work: AccountWork
  readonly #log: Pick<Logger, 'warn' | 'error'>
  readonly #failed = new Map<number, { retryAt: number; delay: number }>()
  #running: Promise<void> | undefined
  #stopped = false
  #ring: () => void = () => undefined
  #isRung = false
  #sweptAt = Number.NEGATIVE_INFINITY
  #wasDown = false

  constructor(work: AccountWork, log: Pick<Logger, 'warn' | 'error'>) {
    this.#work = work
    this.#log = log
  }

  /** Starts working, until {@link stop}. */
  start(): void {
    this.#running ??= this.#loop()
  }

  /** Says that there may be something to do. */
  wake(): void {
    this.#isRung = true
    this.#ring()
  }

  /** Ends after the request in hand. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#ring()
    await this.#running
  }

  async #loop(): Promise<void> {
    while (!this.#stopped) {
      this.#isRung = false
      try {
        await this.#workOff()
        await this.#sweep()
        this.#wasDown = false
      } catch (err) {
        if (!this.#wasDown) this.#log.warn({ err }, 'requests about accounts wait: the database cannot be asked')
        this.#wasDown = true
      }
      if (!this.#isRung && !this.#stopped) await this.#pause()
    }
  }

  async #workOff(): Promise<void> {
    while (!this.#stopped) {
      const now = performance.now()
      const waiting = [...this.#failed].filter(([, { retryAt }]) => retryAt > now).map(([id]) => id)
      const done = await this.#work.workOne(waiting)
      if (done === null) return
      if (done.fault === undefined) this.#failed.delete(done.id)
      else this.#postpone(done.id, done.fault)
    }
  }

  #postpone(id: number, err: unknown): void {
    const delay = Math.min(LONGEST_RETRY_MS, (this.#failed.get(id)?.delay ?? FIRST_RETRY_MS / 2) * 2)
    this.#failed.set(id, { retryAt: performance.now() + delay, delay })
    this.#log.error({ err, accountRequest: id }, 'a request about an account failed and will be tried again')
  }

  async #sweep(): Promise<void> {
    if (performance.now() - this.#sweptAt < SWEEP_MS) return
    this.#sweptAt = performance.now()
    await this.#work.sweep()
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, POLL_MS)
      this.#ring = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
