import { DomainError } from '../errors.ts'
import type { PolicyModel } from './policy-model.ts'
import { type ChangeSet, HistoryLostError, type PolicySource } from './policy-state.ts'
import { lostProblem, RevisionWaiters } from './revision-waiters.ts'
import { Snapshot } from './snapshot.ts'

/** How often the database is asked for news even when no notice came; bounds what a lost notice can delay. */
const POLL_MS = 1000
const CHANGE_SETS_A_ROUND = 500
/**
 * How long after a round that brought so many change sets the next notice is acted on, so that one round serves all that
 * come meanwhile: a round costs the processor as much as several checks, whatever it brings. One change at a time is
 * hardly held up; of a thousand a second each waits 20 ms at most, the time that a replica may be behind.
 */
const PACE_MS_A_CHANGE_SET = 2
const SLOWEST_PACE_MS = 20

/** What the keeper says of itself; `ageSeconds` is how long ago the snapshot was last known to be the newest. */
export type KeeperReadiness = { ready: boolean; revision?: number; ageSeconds?: number; reason?: string }

/** Where the keeper tells of what happened; pino's loggers fit. */
type Log = Record<'info' | 'warn' | 'error', (details: object, message: string) => void>

/**
 * Holds the live snapshot and keeps it up to date: reads the change feed on each notice and once a second, applies it,
 * and reads everything anew, aside, when the feed cannot be followed. Whatever fails, the last good snapshot stays,
 * until it is older than `maxStalenessMs`; only one that the database turns out not to have any more is given up at once.
 */
export class SnapshotKeeper {
  readonly #source: PolicySource
  readonly #model: PolicyModel
  readonly #maxStalenessMs: number
  readonly #log: Log
  readonly #waiters = new RevisionWaiters()
  #snapshot: Snapshot | undefined
  /** Why there is no snapshot, while there is none. */
  #missing = 'policy has not been read yet'
  /** When the database was last asked and the snapshot found, or made, the newest; monotonic milliseconds. */
  #confirmedAt = Number.NEGATIVE_INFINITY
  #stopped = false
  #running: Promise<void> | undefined
  #again = false
  #failing = false
  #poll: NodeJS.Timeout | undefined
  /** Set while a notice waits for its round. */
  #paced: NodeJS.Timeout | undefined
  #followedAt = Number.NEGATIVE_INFINITY
  #paceMs = 0
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
    clearTimeout(this.#paced)
    await this.#listener?.stop()
    await this.#running
    await this.#source.close()
  }

  /** The snapshot to decide from now. @throws DomainError `snapshot-unavailable` when there is none, or it is too old */
  snapshot(): Snapshot {
    if (this.#snapshot === undefined) throw new DomainError('snapshot-unavailable', this.#missing)
    if (performance.now() - this.#confirmedAt > this.#maxStalenessMs) {
      throw new DomainError('snapshot-unavailable', 'the database has been away for longer than MAX_STALENESS allows')
    }
    return this.#snapshot
  }

  /**
   * The same when it has the revision; undefined while it has not.
   *
   * @throws DomainError as {@link snapshot}, and `revision-not-reached` for a revision that the database has lost
   */
  snapshotWith(revision: number): Snapshot | undefined {
    const snapshot = this.snapshot()
    if (this.#waiters.isLost(revision)) throw lostProblem(revision)
    return snapshot.revision >= revision ? snapshot : undefined
  }

  /**
   * The snapshot once it has reached the revision, waiting up to a second.
   *
   * @throws DomainError `revision-not-reached` when it does not, otherwise as {@link snapshotWith}
   */
  async atLeast(revision: number): Promise<Snapshot> {
    const snapshot = this.snapshotWith(revision)
    if (snapshot !== undefined) return snapshot
    this.refresh()
    return this.#waiters.wait(revision, () => this.#snapshot?.revision ?? 0)
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
    if (this.#snapshot === undefined) return { ready: false, reason: this.#missing }
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

  #noticedByFeed(): void {
    if (this.#paced !== undefined) return
    const wait = this.#followedAt + this.#paceMs - performance.now()
    if (wait <= 0) {
      this.refresh()
      return
    }
    this.#paced = setTimeout(() => {
      this.#paced = undefined
      this.refresh()
    }, wait)
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#stopped) {
      this.#again = false
      this.#followedAt = performance.now()
      try {
        await this.#follow()
        if (this.#failing) this.#log.info({ revision: this.#snapshot?.revision }, 'policy is read again')
        this.#failing = false
      } catch (cause) {
        if (cause instanceof HistoryLostError) {
          await this.#disown(cause)
          this.#again = true
          continue
        }
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
      this.#waiters.wake(snapshot)
      this.#paceMs = Math.min(SLOWEST_PACE_MS, PACE_MS_A_CHANGE_SET * changeSets.length)
      if (changeSets.length < CHANGE_SETS_A_ROUND) {
        this.#confirmedAt = askedAt
        return
      }
    }
  }

  /** Gives the snapshot up: what it was made from, the database does not have any more. */
  async #disown({ lost, message }: HistoryLostError): Promise<void> {
    this.#snapshot = undefined
    this.#missing = 'the database has gone back to an older state; policy is being read anew'
    this.#waiters.addLost(lost)
    this.#log.error({ lost }, `${message}; reading everything`)
    await this.#source.keepLost(lost).catch((err) => {
      this.#log.warn({ err }, 'which revisions were lost is known to this replica only')
    })
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
    const { revision, lost } = await this.#source.readAll((batch) => fresh.apply(batch))
    fresh.revision = revision
    this.#waiters.addLost(lost)
    this.#snapshot = fresh
    this.#confirmedAt = askedAt
    this.#log.info({ revision, grants: fresh.grants.size, milliseconds: performance.now() - askedAt }, 'policy is read')
    this.#waiters.wake(fresh)
  }

  async #listen(): Promise<void> {
    try {
      this.#listener = await this.#source.listen(
        () => this.#noticedByFeed(),
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
