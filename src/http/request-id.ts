import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** Visible ASCII, and short enough for a log line: what else a caller sends is no id that we repeat. */
const SANE = /^[\x21-\x7e]{1,128}$/

/**
 * What no other process, earlier or elsewhere, begins its ids with; a number follows.
 *
 * WHY not a UUID a request: making one costs a check half as much as deciding it.
 */
const OURS = `${randomBytes(12).toString('base64url')}.`
let made = 0

/** An id that no other request has, of any process. */
export function newRequestId(): string {
  made += 1
  return OURS + made
}

/** The caller's own `X-Request-ID` where it can be repeated safely, else one of ours. */
export function requestIdOf(raw: IncomingMessage): string {
  const sent = raw.headers['x-request-id']
  return typeof sent === 'string' && SANE.test(sent) ? sent : newRequestId()
}
