import type { Logger } from 'pino'

const EVERY_MS = 3_600_000

/** Something that a server does once an hour, on every replica; it must bear being done by two at once. */
export type HourlyTask = {
  /** As it stands in the log. */
  what: string
  /** Gives what is worth a line in the log. */
  run(): Promise<unknown>
}

/** Does its tasks one after another once an hour, the first time an hour from the start, which has enough to do. */
export class Hourly {
  readonly #tasks: readonly HourlyTask[]
  readonly #log: Pick<Logger, 'info' | 'warn'>
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> = Promise.resolve()

  constructor(tasks: readonly HourlyTask[], log: Pick<Logger, 'info' | 'warn'>) {
    this.#tasks = tasks
    this.#log = log
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#running = this.#running.then(() => this.runAll())
    }, EVERY_MS)
    this.#timer.unref()
  }

  /** Waits for what is being done. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#running
  }

  /** Does all tasks now; one that fails does not keep the others from being done. */
  async runAll(): Promise<void> {
    for (const { what, run } of this.#tasks) {
      try {
        this.#log.info({ did: await run() }, what)
      } catch (cause) {
        this.#log.warn({ err: cause }, `${what}: failed, and is done again in an hour`)
      }
    }
  }
}
