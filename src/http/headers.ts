import type { FastifyInstance, onRequestHookHandler, RouteOptions } from 'fastify'

/**
 * What every answer carries but those of checks: it is data for a program, never a page, and never kept by a cache. The
 * documentation pages replace the content policy with their own.
 */
export const STATIC_HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
} as const

/**
 * Sets the headers of every route that is registered from here on, and the request id.
 *
 * Decisions carry none of them but an id that the caller sent: no cache keeps the answer to a POST without being told
 * to (RFC 9111, 3), no browser can be made to send one with a credential, and each header costs as much as a decision.
 */
export function setHeaders(app: FastifyInstance): void {
  app.addHook('onRoute', (route: RouteOptions) => {
    route.onRequest = [isDecision(route) ? repeatId : setAll, ...[route.onRequest ?? []].flat()]
  })
}

const repeatId: onRequestHookHandler = (request, reply, done) => {
  if (request.headers['x-request-id'] !== undefined) reply.header('x-request-id', request.id)
  done()
}

const setAll: onRequestHookHandler = (request, reply, done) => {
  reply.headers(STATIC_HEADERS).header('x-request-id', request.id)
  done()
}

const isDecision = ({ method, url }: RouteOptions) => method === 'POST' && (url === '/check' || url === '/checks')
