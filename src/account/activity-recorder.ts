const FLUSH_MS = 30_000
const MINUTE_MS = 60_000

/** What happened last, in epoch milliseconds by the minute: to tokens by their id, to sessions' users by theirs. */
export type Activity = {
  tokens: ReadonlyMap<number, { userId: number; at: number }>
  refreshes: ReadonlyMap<number, number>
}

/** Where activity is kept. */
export interface ActivityStore {
  /** Keeps what is later than what is there, in one statement. Tokens and users that are gone are passed over. */
  keep(activity: Activity): Promise<void>
}

/** Only what the recorder needs of a log. */
type Log = { warn: (details: object, message: string) => void }

/**
 * Notes when API tokens and sessions were last used, to the minute, and writes it in batches: a request that uses one
 * never waits and never writes. What was noted since the last batch is lost when the process is killed.
 */
export class ActivityRecorder {
  readonly #store: ActivityStore
  readonly #log: Log
  #tokens = new Map<number, { userId: number; at: number }>()
  #refreshes = new Map<number, number>()
  /** The last minute noted of each token, in this batch or before: the same minute need not be noted again. */
  readonly #minutes = new Map<number, number>()
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined

  constructor(store: ActivityStore, log: Log) {
    this.#store = store
    this.#log = log
  }

  /** Notes a request of a user in person; only API tokens count here, sessions when they are refreshed. */
  used({ id: userId, tokenId }: { id: number; tokenId: number | null }, now: number): void {
    if (tokenId === null) return
    const at = now - (now % MINUTE_MS)
    if (this.#minutes.get(tokenId) === at) return
    this.#minutes.set(tokenId, at)
    this.#tokens.set(tokenId, { userId, at })
    this.#plan()
  }

  /** Notes that a session of the user was refreshed. */
  refreshed(userId: number, now: number): void {
    this.#refreshes.set(userId, now - (now % MINUTE_MS))
    this.#plan()
  }

  /** Writes what was noted, once what is being written is; what cannot be written now is tried again later. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    await this.#running
    this.#running ??= this.#write().finally(() => {
      this.#running = undefined
    })
    await this.#running
  }

  #plan(): void {
    this.#timer ??= setTimeout(() => void this.flush(), FLUSH_MS).unref()
  }

  async #write(): Promise<void> {
    const [tokens, refreshes] = [this.#tokens, this.#refreshes]
    if (tokens.size + refreshes.size === 0) return
    this.#tokens = new Map()
    this.#refreshes = new Map()
    try {
      await this.#store.keep({ tokens, refreshes })
      this.#forgetOldMinutes()
    } catch (cause) {
      this.#log.warn({ err: cause }, 'when tokens and sessions were last used could not be written; trying again later')
      this.#tokens = new Map([...tokens, ...this.#tokens])
      this.#refreshes = new Map([...refreshes, ...this.#refreshes])
      this.#plan()
    }
  }

  /** Keeps the minutes of tokens that are in use, so that those of all tokens there ever were do not pile up. */
  #forgetOldMinutes(): void {
    const oldest = Date.now() - 2 * MINUTE_MS
    for (const [tokenId, at] of this.#minutes) if (at < oldest) this.#minutes.delete(tokenId)
  }
}
