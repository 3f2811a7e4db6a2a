import { DomainError } from '../errors.ts'
import type { LostRevisions } from './policy-state.ts'
import type { Snapshot } from './snapshot.ts'

/** How long a check waits for the revision it asks for before it is told to try again. */
const WAIT_MS = 1000

type Waiter = { revision: number; resolve: (snapshot: Snapshot) => void; reject: (cause: DomainError) => void }

/** Those who wait for a revision, and the revisions for which nobody needs to wait, because they were lost. */
export class RevisionWaiters {
  readonly #waiters = new Set<Waiter>()
  #lost: LostRevisions | null = null

  /**
   * Revisions that the database had and has no more. Their numbers may come again, and stand for other changes then:
   * whoever asks for one of them cannot be told that what it had is in force.
   */
  addLost(lost: LostRevisions | null): void {
    if (lost === null) return
    const { after, upTo } = this.#lost ?? lost
    this.#lost = { after: Math.min(after, lost.after), upTo: Math.max(upTo, lost.upTo) }
    for (const waiter of this.#waiters) {
      if (!this.isLost(waiter.revision)) continue
      this.#waiters.delete(waiter)
      waiter.reject(lostProblem(waiter.revision))
    }
  }

  isLost(revision: number): boolean {
    return this.#lost !== null && revision > this.#lost.after && revision <= this.#lost.upTo
  }

  /**
   * The snapshot that is given to {@link wake} and has the revision, within a second.
   *
   * @throws DomainError `revision-not-reached` when there is none; `here` says what there is instead
   */
  wait(revision: number, here: () => number): Promise<Snapshot> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter)
        reject(new DomainError('revision-not-reached', `revision ${revision} was asked for, ${here()} is here`))
      }, WAIT_MS)
      const ended =
        <Outcome>(end: (outcome: Outcome) => void) =>
        (outcome: Outcome) => {
          clearTimeout(timer)
          end(outcome)
        }
      const waiter: Waiter = { revision, resolve: ended(resolve), reject: ended(reject) }
      this.#waiters.add(waiter)
    })
  }

  /** The snapshot has news. */
  wake(snapshot: Snapshot): void {
    for (const waiter of this.#waiters) {
      if (snapshot.revision < waiter.revision) continue
      this.#waiters.delete(waiter)
      waiter.resolve(snapshot)
    }
  }
}

/** What is answered to whoever asks for a revision that was lost. */
export const lostProblem = (revision: number): DomainError =>
  new DomainError(
    'revision-not-reached',
    `the database has lost revision ${revision}: look what holds now, write again`,
  )
