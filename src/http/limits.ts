import type { FastifyInstance } from 'fastify'

const KIB = 1024
const MIB = 1024 * KIB

/** A batch of 10,000 checks, each with several objects, fits. */
export const CHECKS_BODY_LIMIT = 16 * MIB

/** 100,000 grants, each with two times, fit, indented too. */
export const GRANTS_BODY_LIMIT = 32 * MIB

/** What one request, one connection and all of them together may take. Times in milliseconds, sizes in bytes. */
export type Limits = {
  /** Bodies of routes that set no limit of their own. */
  body: number
  /** Request line and headers together. */
  headers: number
  /** One parameter in a path. */
  pathParameter: number
  /** From the first byte of a request to its last. */
  requestTime: number
  /** How often Node looks for requests past their time. */
  timeCheckInterval: number
  /** How long an idle connection is kept. */
  keepAliveTime: number
  /** Delay of the event loop above which, time and again, requests are refused; looked at every `loadCheckInterval`. */
  eventLoopDelay: number
  loadCheckInterval: number
}

/** The limits of the service; tests set lower ones. */
export const LIMITS: Limits = {
  body: MIB,
  headers: 16 * KIB,
  pathParameter: 200,
  requestTime: 60_000,
  timeCheckInterval: 30_000,
  keepAliveTime: 72_000,
  eventLoopDelay: 1000,
  loadCheckInterval: 500,
}

const IDLE_CHECK_INTERVAL_MS = 50

/**
 * Lets a closing server end: requests in flight are answered, and a connection is closed as soon as it idles, where a
 * client that keeps it alive would hold the server open.
 */
export function closeIdleConnections(app: FastifyInstance): void {
  let timer: NodeJS.Timeout | undefined
  app.addHook('preClose', (done) => {
    timer = setInterval(() => app.server.closeIdleConnections(), IDLE_CHECK_INTERVAL_MS)
    timer.unref()
    done()
  })
  app.addHook('onClose', (_app, done) => {
    clearInterval(timer)
    done()
  })
}
