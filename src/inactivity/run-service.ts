import { DomainError } from '../errors.ts'
import type { NewMail } from '../mail/mail-kinds.ts'
import type { PageRequest } from '../page.ts'
import type { Committed, PolicyWrite, WriteContext } from '../policy/policy-write.ts'
import type { RUN_SORTS, Run, RunAccount } from './run-schemas.ts'

/** How lists of runs, and of the accounts of one, are asked for. */
export type RunPage = PageRequest<keyof typeof RUN_SORTS>

/** Above which part of the active accounts, and from how many on, a run waits for approval. */
export type ApprovalRule = { sharePercent: number; minimum: number }

/** An account that a run would deactivate. */
export type DueAccount = Pick<RunAccount, 'id' | 'username' | 'periodId' | 'maxInactivity' | 'lastActivityAt'> & {
  dueAt: string
}

/** What a run would do, had it started at `at`. */
export type Outlook = { at: string; activeAccounts: number; needsApproval: boolean; due: DueAccount[] }

/** A deactivation as its audit event keeps it, and the mail about it. */
export type Deactivated = { about: object; mail: NewMail }

/** Reads runs. */
export interface RunReader {
  find(id: number): Promise<Run | null>
  /** Up to `limit + 1` runs, see {@link PageRequest}. */
  list(page: RunPage): Promise<Run[]>
  accounts(id: number, page: RunPage): Promise<RunAccount[]>
  /** Ids of the accounts of a run whose turn has not come. */
  waiting(id: number): Promise<number[]>
  /** Ids of the users whom a warning is due for at that instant (null: now). */
  toWarn(at: string | null): Promise<number[]>
  /** Who is due at that instant (null: now), exempt ones and the last superuser aside. */
  outlook(at: string | null, rule: ApprovalRule): Promise<Outlook>
}

/** What a run writes, each in a transaction of its own. `at` is the instant to judge by; null: now. */
export interface RunStore extends RunReader {
  /** Ends what is left of earlier runs and notes who is due; null when the schedule had its run for that instant. */
  begin(run: {
    at: string | null
    caller: string
    scheduledFor: string | null
    rule: ApprovalRule
  }): Promise<Run | null>
  isSuperuser(userId: number): Promise<boolean>
  /** Deactivates a user of the run who is still due, or notes that it is not any more and gives null. */
  deactivate(id: number, userId: number, at: string | null, withSuperusers: boolean): Promise<Deactivated | null>
  /** Notes the warning that is due for a user; null when none is any more. */
  warn(id: number, userId: number, at: string | null): Promise<NewMail | null>
  /** Ends the run: done when every account had its turn, otherwise interrupted. */
  end(id: number): Promise<Run>
  /** Lets a run that waits for approval go on; false when it does not wait. */
  approve(id: number, approvedBy: string): Promise<boolean>
  /** Reactivates whom the run deactivated and nobody else has touched since; null when the run cannot be undone. */
  undo(id: number, undoneBy: string): Promise<number[] | null>
}

/** The part of the outbox that runs need. */
export interface RunMails {
  enqueue(mail: NewMail): Promise<unknown>
  /** Cancels what waits for these users of these kinds; what is being sent just now is not waited for. */
  cancel(userIds: readonly number[], kinds: readonly NewMail['kind'][]): Promise<void>
}

/** Keeps runs apart, on all replicas. */
export interface RunLock {
  /** Takes the lock and gives what lets go of it; null when another run goes on. */
  take(): Promise<(() => Promise<void>) | null>
}

type Stores = { inactivityRuns: RunStore; mails: RunMails; names: { lock(): Promise<void> } }
type Log = { info(about: object, message: string): void; error(about: object, message: string): void }
type Parts = {
  write: PolicyWrite<Stores>
  runs: RunReader
  lock: RunLock
  rule: ApprovalRule
  /** The instant to judge by; null: now, by the clock of the database. Only tests have another. */
  clock: () => string | null
  log: Log
}

/** A run that was started; `finished` is the run once it has ended, or waits. */
export type StartedRun = { run: Run; finished: Promise<Run> }

/**
 * Runs: whoever is due is warned, then deactivated, one transaction for each user, in which the rule is asked once
 * more. A run that was killed leaves every user wholly done or untouched; the next one goes on.
 */
export class RunService {
  readonly #parts: Parts
  readonly #going = new Set<Promise<Run>>()
  #stopping = false

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** @throws DomainError `not-found` */
  async get(id: number): Promise<Run> {
    return known(id, await this.#parts.runs.find(id))
  }

  /** Up to `limit + 1` runs, see {@link PageRequest}. */
  list(page: RunPage): Promise<Run[]> {
    return this.#parts.runs.list(page)
  }

  /**
   * Up to `limit + 1` accounts that were due in a run.
   *
   * @throws DomainError `not-found`
   */
  async accounts(id: number, page: RunPage): Promise<RunAccount[]> {
    await this.get(id)
    return this.#parts.runs.accounts(id, page)
  }

  /** What a run would do at that instant (null: now); changes nothing. */
  outlook(at: string | null): Promise<Outlook> {
    return this.#parts.runs.outlook(at ?? this.#parts.clock(), this.#parts.rule)
  }

  /**
   * Starts a run. It goes on by itself, unless it needs approval; null when another one goes on, or the schedule had
   * its run for that instant.
   */
  async start(context: WriteContext, scheduledFor: string | null = null): Promise<StartedRun | null> {
    const { write, rule, clock } = this.#parts
    return this.#alone(async () => {
      const { value } = await write(context, async ({ inactivityRuns }, audit) => {
        const run = await inactivityRuns.begin({ at: clock(), caller: context.caller, scheduledFor, rule })
        if (run === null) return null
        const { id, state, due, activeAccounts } = run
        audit({ action: 'inactivity-run.start', target: target(id), after: { state, due, activeAccounts } })
        return run
      })
      return value
    }, context)
  }

  /**
   * Lets a run that waits go on: with the accounts that were due when it started and still are.
   *
   * @throws DomainError `not-found`, `inactivity-run-state`
   */
  async approve(context: WriteContext, id: number): Promise<StartedRun> {
    const started = await this.#alone(async () => {
      const { value } = await this.#parts.write(context, async ({ inactivityRuns }, audit) => {
        const { state } = known(id, await inactivityRuns.find(id))
        if (!(await inactivityRuns.approve(id, context.caller))) throw wrongState(`this run is ${state}`)
        audit({ action: 'inactivity-run.approve', target: target(id), after: { state: 'running' } })
        return known(id, await inactivityRuns.find(id))
      })
      return value
    }, context)
    if (started === null) throw goingOn()
    return started
  }

  /**
   * Undoes a run as a whole: whom it deactivated is active again, with a clock that starts anew, and gets no mail that
   * was not sent yet. Who was changed by somebody else since stays as they are.
   *
   * @throws DomainError `not-found`, `inactivity-run-state`
   */
  async undo(context: WriteContext, id: number): Promise<Committed<Run>> {
    const release = await this.#parts.lock.take()
    if (release === null) throw goingOn()
    try {
      return await this.#parts.write(context, async ({ inactivityRuns, mails }, audit) => {
        const { state } = known(id, await inactivityRuns.find(id))
        const users = await inactivityRuns.undo(id, context.caller)
        if (users === null) throw wrongState(`this run is ${state}`)
        await mails.cancel(users, ['inactivity-deactivation'])
        for (const user of users) {
          audit({
            action: 'user.reactivate',
            target: `user:${user}`,
            before: { isActive: false, deactivationReason: 'inactivity' },
            after: { isActive: true, run: id },
          })
        }
        audit({ action: 'inactivity-run.undo', target: target(id), before: { state }, after: { state: 'undone' } })
        return known(id, await inactivityRuns.find(id))
      })
    } finally {
      await release()
    }
  }

  /** Ends runs of this process after the account they are at; the next run goes on. */
  async stop(): Promise<void> {
    this.#stopping = true
    await Promise.allSettled(this.#going)
  }

  /** Has the lock while `begin` and then the run itself go on. */
  async #alone(begin: () => Promise<Run | null>, context: WriteContext): Promise<StartedRun | null> {
    const release = await this.#parts.lock.take()
    if (release === null) return null
    try {
      const run = await begin()
      if (run === null) {
        await release()
        return null
      }
      const finished = this.#carryOut(run, context).finally(release)
      this.#going.add(finished)
      const over = () => this.#going.delete(finished)
      finished.then(over, over)
      return { run, finished }
    } catch (error) {
      await release()
      throw error
    }
  }

  async #carryOut(run: Run, context: WriteContext): Promise<Run> {
    const { runs, clock, log, write } = this.#parts
    for (const user of await runs.toWarn(clock())) await this.#tried(user, () => this.#warn(run, user, context))
    if (run.state === 'needs-approval') {
      log.info({ run: run.id, due: run.due }, 'an inactivity run would deactivate too many: it waits for approval')
      return this.get(run.id)
    }
    for (const user of await runs.waiting(run.id)) await this.#tried(user, () => this.#deactivate(run, user, context))
    if (this.#stopping) return this.get(run.id)
    const { value } = await write(context, async ({ inactivityRuns }) => inactivityRuns.end(run.id))
    const { id, state, due, deactivated, warned } = value
    log.info({ run: id, state, due, deactivated, warned }, 'an inactivity run has ended')
    return value
  }

  /** A user whom the database refuses to change holds up nobody else; the next run tries again. */
  async #tried(user: number, work: () => Promise<unknown>): Promise<void> {
    if (this.#stopping) return
    try {
      await work()
    } catch (error) {
      this.#parts.log.error({ err: error, user }, 'an inactivity run could not deal with a user')
    }
  }

  #deactivate(run: Run, user: number, context: WriteContext): Promise<unknown> {
    return this.#parts.write(context, async ({ inactivityRuns, mails, names }, audit) => {
      // The lock under which everybody else looks after the last superuser.
      const isSuperuser = await inactivityRuns.isSuperuser(user)
      if (isSuperuser) await names.lock()
      const done = await inactivityRuns.deactivate(run.id, user, this.#parts.clock(), isSuperuser)
      if (done === null) return
      await mails.enqueue(done.mail)
      audit({ action: 'user.deactivate', target: `user:${user}`, before: { isActive: true }, after: done.about })
    })
  }

  #warn(run: Run, user: number, context: WriteContext): Promise<unknown> {
    return this.#parts.write(context, async ({ inactivityRuns, mails }) => {
      const mail = await inactivityRuns.warn(run.id, user, this.#parts.clock())
      if (mail !== null) await mails.enqueue(mail)
    })
  }
}

const target = (id: number) => `inactivity-run:${id}`

function known(id: number, run: Run | null): Run {
  if (run === null) throw new DomainError('not-found', `there is no inactivity run ${id}`)
  return run
}

const wrongState = (detail: string) => new DomainError('inactivity-run-state', detail)

/** What a caller is told who wants to start, approve or undo a run while one goes on. */
export const goingOn = (): DomainError => wrongState('another inactivity run goes on: wait for its end')
