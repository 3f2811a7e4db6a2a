import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** Visible ASCII, and short enough for a log line: what else a caller sends is no id that we repeat. */
const SANE = /^[\x21-\x7e]{1,128}$/

/** The caller's own `X-Request-ID` where it can be repeated safely, else one of ours. */
export function requestIdOf(raw: IncomingMessage): string {
  const sent = raw.headers['x-request-id']
  return typeof sent === 'string' && SANE.test(sent) ? sent : randomUUID()
}
