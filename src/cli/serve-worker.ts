import type { Worker } from 'node:cluster'
import closeWithGrace from 'close-with-grace'
import { pino } from 'pino'
import { type App, buildApp } from '../app.ts'
import { compose } from '../compose.ts'
import type { Config } from '../config.ts'
import type { Peers } from '../http/metrics-of-workers.ts'
import { faultText } from './fault-text.ts'
import { FIGURES_WITHIN_MS, type ToPrimary, type ToWorker } from './worker-messages.ts'

/** What ends the primary process reaches its workers too, from a terminal or a service manager. */
const FROM_OUTSIDE = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

/**
 * One of the processes of `gatehouse serve --workers`: a replica that shares its port with the others. It ends when the
 * primary process says so, or has ended itself. Never throws: what keeps it from starting is told to the primary.
 */
export async function serveAsWorker(config: Config, self: Worker, closeWithinMs: number): Promise<void> {
  const primary = new Primary(self)
  try {
    await serveFor(primary, config, self, closeWithinMs)
  } catch (error) {
    await primary.tell({ kind: 'failed', text: faultText(error) })
    process.exit(1)
  }
}

async function serveFor(primary: Primary, config: Config, self: Worker, closeWithinMs: number): Promise<void> {
  const log = pino({ level: config.logLevel }).child({ worker: self.id })
  const parts = await compose(config, log)
  let app: App | undefined
  const graceful = closeWithGrace({ delay: closeWithinMs, logger: log, skip: [...FROM_OUTSIDE] }, async ({ err }) => {
    if (err) log.fatal({ err }, 'ending after a fault that nobody caught')
    await app?.close()
    await parts.close()
  })
  let isEnding = false
  const end = () => {
    if (!isEnding) graceful.close()
    isEnding = true
  }
  for (const signal of FROM_OUTSIDE) process.on(signal, end)
  primary.on('end', end)
  await parts.start()
  app = await buildApp(parts, {}, primary.peers())
  primary.on('listen', () => {
    app?.listen({ host: config.host, port: config.port }).then(
      (address) => primary.tell({ kind: 'listening', address }),
      (error) => primary.tell({ kind: 'failed', text: faultText(error) }).finally(() => process.exit(1)),
    )
  })
  await primary.tell({ kind: 'ready' })
}

/** The primary process, seen from a worker. */
class Primary {
  readonly #self: Worker
  readonly #waiting = new Map<number, (texts: string[]) => void>()
  #asked = 0

  constructor(self: Worker) {
    this.#self = self
    this.on('all-figures', ({ question, texts }) => this.#waiting.get(question)?.(texts))
  }

  on<Kind extends ToWorker['kind']>(kind: Kind, hear: (message: Extract<ToWorker, { kind: Kind }>) => void): void {
    this.#self.on('message', (message: ToWorker) => {
      if (message.kind === kind) hear(message as Extract<ToWorker, { kind: Kind }>)
    })
  }

  /** Resolves once it is sent, or cannot be any more. */
  tell(message: ToPrimary): Promise<void> {
    return new Promise((resolve) => {
      if (this.#self.isConnected()) this.#self.send(message, () => resolve())
      else resolve()
    })
  }

  peers(): Peers {
    return {
      worker: this.#self.id,
      answer: (own) => {
        this.on('own-figures', ({ question }) => {
          void own().then((text) => this.tell({ kind: 'own-figures', question, text }))
        })
      },
      ask: () => this.#allFigures(),
    }
  }

  #allFigures(): Promise<string[]> {
    this.#asked += 1
    const question = this.#asked
    return new Promise((resolve) => {
      const done = (texts: string[]) => {
        clearTimeout(timer)
        this.#waiting.delete(question)
        resolve(texts)
      }
      const timer = setTimeout(done, 2 * FIGURES_WITHIN_MS, [])
      this.#waiting.set(question, done)
      void this.tell({ kind: 'all-figures', question })
    })
  }
}
