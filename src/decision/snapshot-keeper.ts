import { DomainError } from '../errors.ts'
import type { PolicyModel } from './policy-model.ts'
import type { ChangeSet, PolicySource } from './policy-state.ts'
import { Snapshot } from './snapshot.ts'

/** How often the database is asked for news even when no notice came; bounds what a lost notice can delay. */
const POLL_MS = 1000
/** How long a check waits for the revision it asks for before it is told to try again. */
const WAIT_FOR_REVISION_MS = 1000
const CHANGE_SETS_A_ROUND = 500

/** What the keeper says of itself; `ageSeconds` is how long ago the snapshot was last known to be the newest. */
export type KeeperReadiness = { ready: boolean; revision?: number; ageSeconds?: number; reason?: string }

/** Where the keeper tells of what happened; pino's loggers fit. */
type Log = Record<'info' | 'warn' | 'error', (details: object, message: string) => void>

type Waiter = { revision: number; resolve: (snapshot: Snapshot) => void }

/**
 * Holds the live snapshot and keeps it up to date: reads the change feed on each notice and once a second, applies it,
 * and reads everything anew, aside, when the feed cannot be followed. Whatever fails, the last good snapshot stays,
 * until it is older than `maxStalenessMs`.
 */
export class SnapshotKeeper {
  readonly #source: PolicySource
  readonly #model: PolicyModel
  readonly #maxStalenessMs: number
  readonly #log: Log
  readonly #waiters = new Set<Waiter>()
  #snapshot: Snapshot | undefined
  /** When the database was last asked and the snapshot found, or made, the newest; monotonic milliseconds. */
  #confirmedAt = Number.NEGATIVE_INFINITY
  #stopped = false
  #running: Promise<void> | undefined
  #again = false
  #failing = false
  #poll: NodeJS.Timeout | undefined
  #listener: { stop(): Promise<void> } | undefined

  constructor(options: { source: PolicySource; model: PolicyModel; maxStalenessMs: number; log: Log }) {
    this.#source = options.source
    this.#model = options.model
    this.#maxStalenessMs = options.maxStalenessMs
    this.#log = options.log
  }

  /** Reads all policy and begins to follow the feed. @throws what the source throws when it cannot be read */
  async start(): Promise<void> {
    await this.#readAll()
    await this.#listen()
    this.#poll = setInterval(() => this.refresh(), POLL_MS)
    this.#poll.unref()
  }

  /** Stops following; the snapshot stays and grows old. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearInterval(this.#poll)
    await this.#listener?.stop()
    await this.#running
  }

  /** The snapshot to decide from now. @throws DomainError `snapshot-unavailable` when there is none, or it is too old */
  snapshot(): Snapshot {
    if (this.#snapshot === undefined) throw new DomainError('snapshot-unavailable', 'policy has not been read yet')
    if (performance.now() - this.#confirmedAt > this.#maxStalenessMs) {
      throw new DomainError('snapshot-unavailable', 'the database has been away for longer than MAX_STALENESS allows')
    }
    return this.#snapshot
  }

  /**
   * The snapshot once it has reached the revision, waiting up to a second.
   *
   * @throws DomainError `revision-not-reached` when it does not, `snapshot-unavailable` as {@link snapshot}
   */
  async atLeast(revision: number): Promise<Snapshot> {
    const snapshot = this.snapshot()
    if (snapshot.revision >= revision) return snapshot
    this.refresh()
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        revision,
        resolve: (reached) => {
          clearTimeout(timer)
          resolve(reached)
        },
      }
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter)
        const here = this.#snapshot?.revision ?? 0
        reject(new DomainError('revision-not-reached', `revision ${revision} was asked for, ${here} is here`))
      }, WAIT_FOR_REVISION_MS)
      this.#waiters.add(waiter)
    })
  }

  /**
   * Brings a revision that was just committed here into the snapshot, so that it holds on this replica once the write
   * is answered. Resolves at once where nothing follows the feed.
   *
   * @throws DomainError as {@link atLeast}
   */
  async noticed(revision: number): Promise<void> {
    if (this.#snapshot !== undefined) await this.atLeast(revision)
  }

  /** Is there a snapshot that checks may be answered from? */
  readiness(): KeeperReadiness {
    if (this.#snapshot === undefined) return { ready: false, reason: 'policy has not been read yet' }
    const ageMs = performance.now() - this.#confirmedAt
    const state = { revision: this.#snapshot.revision, ageSeconds: Math.round(ageMs) / 1000 }
    if (ageMs <= this.#maxStalenessMs) return { ready: true, ...state }
    return { ready: false, ...state, reason: 'the database has been away for longer than MAX_STALENESS allows' }
  }

  /** Asks the feed for news soon; never more than one round at a time, and one more when asked meanwhile. */
  refresh(): void {
    if (this.#stopped) return
    this.#again = true
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#stopped) {
      this.#again = false
      try {
        await this.#follow()
        if (this.#failing) this.#log.info({ revision: this.#snapshot?.revision }, 'policy is read again')
        this.#failing = false
      } catch (cause) {
        if (!this.#failing) this.#log.warn({ err: cause }, 'policy cannot be read; checks go on from the last snapshot')
        this.#failing = true
      }
    }
  }

  async #follow(): Promise<void> {
    for (;;) {
      const askedAt = performance.now()
      const snapshot = this.#snapshot
      if (snapshot === undefined) return this.#readAll()
      const changeSets = await this.#source.changesSince(snapshot.revision, CHANGE_SETS_A_ROUND)
      if (changeSets === null || !this.#applyAll(snapshot, changeSets)) return this.#readAll()
      this.#wakeWaiters(snapshot)
      if (changeSets.length < CHANGE_SETS_A_ROUND) {
        this.#confirmedAt = askedAt
        return
      }
    }
  }

  /** Applies change sets in their order; false when one of them cannot be, and everything must be read anew. */
  #applyAll(snapshot: Snapshot, changeSets: readonly ChangeSet[]): boolean {
    for (const { revision, changes } of changeSets) {
      if (changes === null) return false
      try {
        snapshot.apply(changes)
      } catch (cause) {
        this.#log.error({ err: cause, revision }, 'the change feed does not fit the snapshot; reading everything')
        return false
      }
      snapshot.revision = revision
    }
    return true
  }

  /** Builds a snapshot aside and swaps it in whole; when reading fails, the old one stays. */
  async #readAll(): Promise<void> {
    const askedAt = performance.now()
    const fresh = new Snapshot(this.#model, {
      onFault: (cause) => this.#log.error({ err: cause }, 'a decision failed and was answered with a denial'),
    })
    const { revision } = await this.#source.readAll((batch) => fresh.apply(batch))
    fresh.revision = revision
    this.#snapshot = fresh
    this.#confirmedAt = askedAt
    this.#log.info({ revision, grants: fresh.grants.size, milliseconds: performance.now() - askedAt }, 'policy is read')
    this.#wakeWaiters(fresh)
  }

  #wakeWaiters(snapshot: Snapshot): void {
    for (const waiter of this.#waiters) {
      if (snapshot.revision < waiter.revision) continue
      this.#waiters.delete(waiter)
      waiter.resolve(snapshot)
    }
  }

  async #listen(): Promise<void> {
    try {
      this.#listener = await this.#source.listen(
        () => this.refresh(),
        (cause) => {
          this.#log.warn({ err: cause }, 'notices of policy changes are lost; asking every second meanwhile')
          this.#listenAgain()
        },
      )
      if (this.#stopped) await this.#listener.stop()
      // A change may have come between the last round and the first notice that could arrive.
      this.refresh()
    } catch {
      this.#listenAgain()
    }
  }

  #listenAgain(): void {
    this.#listener = undefined
    if (!this.#stopped) setTimeout(() => void (this.#stopped || this.#listen()), POLL_MS).unref()
  }
}
