import { performance } from 'node:perf_hooks'
import type { FastifyInstance } from 'fastify'
import { DomainError } from '../errors.ts'
import type { Limits } from './limits.ts'

/** One late round is a pause, of the garbage collector or of a busy machine; several in a row are a queue that grows. */
const LATE_ROUNDS = 2

/** Tells, for as long as the app runs, whether its event loop was late several times in a row; never at a limit of 0. */
export function watchEventLoop(app: FastifyInstance, { eventLoopDelay, loadCheckInterval }: Limits): () => boolean {
  if (eventLoopDelay === 0) return () => false
  let lateRounds = 0
  let due = performance.now() + loadCheckInterval
  const timer = setInterval(() => {
    const now = performance.now()
    lateRounds = now - due > eventLoopDelay ? lateRounds + 1 : 0
    due = now + loadCheckInterval
  }, loadCheckInterval)
  timer.unref()
  app.addHook('onClose', (_app, done) => {
    clearInterval(timer)
    done()
  })
  return () => lateRounds >= LATE_ROUNDS
}

/**
 * Refuses the requests of this part of the app while the event loop is late: what waits is answered late already, and
 * more would only be answered later.
 */
export function refuseOverload(app: FastifyInstance, isLate: () => boolean): void {
  app.addHook('onRequest', (_request, _reply, done) => {
    done(isLate() ? new DomainError('overloaded', 'the event loop is late') : undefined)
  })
}
