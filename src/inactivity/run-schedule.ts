import { Cron } from 'croner'
import type { WriteContext } from '../policy/policy-write.ts'
import type { StartedRun } from './run-service.ts'

/** How often the clock is looked at: a clock that was set is noticed as soon. */
const LOOK_MS = 10_000
const CONTEXT: WriteContext = { caller: 'schedule:inactivity', requestId: null, inPerson: null }

type Runs = { start(context: WriteContext, scheduledFor: string): Promise<StartedRun | null> }
type Log = { error(about: object, message: string): void }
type Plan = { pattern: string | undefined; timeZone: string }

/**
 * Starts runs by a cron pattern. Every instant of the pattern has one run on all replicas, whatever the clock does: one
 * that jumps ahead makes the run late, not left out; one that jumps back does not make it twice.
 */
export class RunSchedule {
  readonly #runs: Runs
  readonly #cron: Cron | null
  readonly #log: Log
  readonly #now: () => number
  #next: Date | null = null
  #timer: NodeJS.Timeout | undefined

  constructor(runs: Runs, { pattern, timeZone }: Plan, log: Log, now: () => number = Date.now) {
    this.#runs = runs
    this.#log = log
    this.#now = now
    this.#cron = pattern === undefined ? null : new Cron(pattern, { paused: true, mode: '5-part', timezone: timeZone })
  }

  /** Waits for the next instant of the pattern; without a pattern it does nothing. */
  start(): void {
    if (this.#cron === null || this.#timer !== undefined) return
    this.#next = this.#cron.nextRun(new Date(this.#now()))
    this.#timer = setInterval(() => void this.look(), LOOK_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Starts the run whose instant has come, if one has. */
  async look(): Promise<void> {
    const due = this.#next
    const now = this.#now()
    if (this.#cron === null || due === null || now < due.getTime()) return
    // Of several instants that a clock jumped over, one run is enough: it finds whoever is due.
    this.#next = this.#cron.nextRun(new Date(now))
    try {
      await this.#runs.start(CONTEXT, due.toISOString())
    } catch (error) {
      this.#log.error({ err: error }, 'a scheduled inactivity run could not start; trying again')
      this.#next = due
    }
  }
}
