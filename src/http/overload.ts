import { performance } from 'node:perf_hooks'
import type { FastifyInstance } from 'fastify'
import { DomainError } from '../errors.ts'
import type { Limits } from './limits.ts'

/** One late round is a pause, of the garbage collector or of a busy machine; several in a row are a queue that grows. */
const LATE_ROUNDS = 2

/**
 * Refuses the requests of this part of the app while the event loop is late several times in a row: what waits is
 * answered late already, and more would only be answered later. `eventLoopDelay` 0 refuses nothing.
 */
export function refuseOverload(app: FastifyInstance, { eventLoopDelay, loadCheckInterval }: Limits): void {
  if (eventLoopDelay === 0) return
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
  app.addHook('onRequest', (_request, _reply, done) => {
    done(lateRounds < LATE_ROUNDS ? undefined : new DomainError('overloaded', 'the event loop is late'))
  })
}
