import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import type { Logger } from 'pino'
import { FIGURES_WITHIN_MS, type ToPrimary, type ToWorker } from './worker-messages.ts'

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 30_000
/** So many in a row that end before they are ready, while none is left that answers, and nobody starts any more. */
const FAILURES = 5

/** The workers cannot serve; the message was written for whoever runs the command. */
export class WorkerError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'WorkerError'
  }
}

type Stage = 'starting' | 'ready' | 'listening'
type Question = { asker: Worker; question: number; waiting: Set<Worker>; texts: string[]; answer: () => void }

/**
 * The processes that answer requests, seen from the primary one, which hands them the connections. None listens before
 * all are ready. One that ends is replaced, after a pause that grows with each replacement that does not get ready.
 */
export class WorkerGroup {
  readonly #size: number
  readonly #log: Logger
  readonly #onGivenUp: (error: WorkerError) => void
  readonly #stages = new Map<Worker, Stage>()
  readonly #questions = new Map<number, Question>()
  #asked = 0
  #failures = 0
  #ending = false
  #starting: { resolve(address: string): void; reject(error: WorkerError): void } | undefined

  /** `onGivenUp` is called at most once, when workers have answered and none is left that does or would. */
  constructor(size: number, log: Logger, onGivenUp: (error: WorkerError) => void) {
    this.#size = size
    this.#log = log
    this.#onGivenUp = onGivenUp
  }

  /** Starts all; gives the address once all listen on it. @throws WorkerError when one of them ends before */
  start(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#starting = { resolve, reject }
      for (let count = 0; count < this.#size; count += 1) this.#fork()
    })
  }

  /** Lets all finish the requests in flight; resolves once they have ended. */
  async end(): Promise<void> {
    this.#ending = true
    const ended = [...this.#stages.keys()].map((worker) => once(worker, 'exit'))
    for (const [worker, stage] of this.#stages) {
      // One that is starting may not hear yet, and has no request in flight.
      if (stage === 'starting') worker.process.kill('SIGTERM')
      else tell(worker, { kind: 'end' })
    }
    await Promise.all(ended)
  }

  #fork(): void {
    const worker = cluster.fork()
    this.#stages.set(worker, 'starting')
    let reason: string | undefined
    worker.on('message', (message: ToPrimary) => {
      if (message.kind === 'failed') reason = message.text
      else this.#hear(worker, message)
    })
    worker.on('error', (err) => this.#log.warn({ err, worker: worker.id }, 'a worker cannot be spoken to'))
    worker.on('exit', (code: number | null, signal: string | null) => {
      const stage = this.#stages.get(worker)
      this.#stages.delete(worker)
      for (const question of this.#questions.values()) answered(question, worker)
      if (!this.#ending) this.#replace(worker, stage, reason ?? `a worker ended with ${signal ?? code}`)
    })
  }

  #replace(worker: Worker, stage: Stage | undefined, reason: string): void {
    if (this.#starting !== undefined) {
      this.#ending = true
      this.#starting.reject(new WorkerError(reason))
      return
    }
    this.#failures = stage === 'starting' ? this.#failures + 1 : 0
    const isServing = [...this.#stages.values()].includes('listening')
    if (this.#failures >= FAILURES && !isServing) {
      this.#ending = true
      this.#onGivenUp(new WorkerError(`no worker is left, and ${FAILURES} in a row did not start: ${reason}`))
      return
    }
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** this.#failures, LONGEST_PAUSE_MS)
    this.#log.error({ worker: worker.id, reason, pauseMs }, 'a worker ended; another is started')
    setTimeout(() => this.#ending || this.#fork(), pauseMs)
  }

  #hear(worker: Worker, message: Exclude<ToPrimary, { kind: 'failed' }>): void {
    if (message.kind === 'ready') this.#ready(worker)
    else if (message.kind === 'listening') this.#listening(worker, message.address)
    else if (message.kind === 'all-figures') this.#askForFigures(worker, message.question)
    else {
      const question = this.#questions.get(message.question)
      if (question !== undefined) answered(question, worker, message.text)
    }
  }

  #ready(worker: Worker): void {
    this.#stages.set(worker, 'ready')
    this.#failures = 0
    if (this.#starting === undefined) tell(worker, { kind: 'listen' })
    else if (this.#all('ready')) for (const each of this.#stages.keys()) tell(each, { kind: 'listen' })
  }

  #listening(worker: Worker, address: string): void {
    this.#stages.set(worker, 'listening')
    if (this.#starting === undefined || !this.#all('listening')) return
    this.#starting.resolve(address)
    this.#starting = undefined
  }

  #all(stage: Stage): boolean {
    return [...this.#stages.values()].every((each) => each === stage)
  }

  #askForFigures(asker: Worker, question: number): void {
    this.#asked += 1
    const id = this.#asked
    const waiting = new Set([...this.#stages.keys()].filter((each) => this.#stages.get(each) === 'listening'))
    const answer = () => {
      clearTimeout(timer)
      if (this.#questions.delete(id)) tell(asker, { kind: 'all-figures', question, texts: open.texts })
    }
    const open: Question = { asker, question, waiting, texts: [], answer }
    const timer = setTimeout(answer, FIGURES_WITHIN_MS)
    this.#questions.set(id, open)
    for (const each of waiting) tell(each, { kind: 'own-figures', question: id })
  }
}

function answered(question: Question, worker: Worker, text?: string): void {
  if (!question.waiting.delete(worker)) return
  if (text !== undefined) question.texts.push(text)
  if (question.waiting.size === 0) question.answer()
}

/** Whoever cannot be told has ended, or is about to. */
function tell(worker: Worker, message: ToWorker): void {
  if (worker.isConnected()) worker.send(message, () => undefined)
}
