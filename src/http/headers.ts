import type { FastifyInstance, RouteOptions } from 'fastify'

/** What an answer to a program carries, should a browser or a cache get hold of it. */
const PROGRAM_HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const

/**
 * What every answer carries but those of checks: it is data for a program, never a page, and never kept by a cache. The
 * documentation pages replace the content policy with their own.
 */
export const STATIC_HEADERS = {
  ...PROGRAM_HEADERS,
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
} as const

/**
 * Sets the headers of every route that is registered from here on, and the request id. Each header costs a check about
 * as much as its decision, so the answers to checks, which no browser can ask for, carry the two that could matter.
 */
export function setHeaders(app: FastifyInstance): void {
  app.addHook('onRoute', (route: RouteOptions) => {
    const headers = isQuestion(route) ? PROGRAM_HEADERS : STATIC_HEADERS
    const set: RouteOptions['onRequest'] = (request, reply, done) => {
      reply.headers(headers).header('x-request-id', request.id)
      done()
    }
    route.onRequest = [set, ...[route.onRequest ?? []].flat()]
  })
}

const isQuestion = ({ method, config }: RouteOptions) =>
  method === 'POST' && typeof config?.access === 'object' && 'scope' in config.access && config.access.scope === 'check'
