import type { FastifyInstance } from 'fastify'
import { DomainError } from '../errors.ts'

/** Answers what no route answers: 405 with `Allow` where the path answers to other methods, else 404. */
export function refuseUnknownRoutes(app: FastifyInstance): void {
  const methods = new Map<string, { pattern: RegExp; allowed: Set<string> }>()
  app.addHook('onRoute', ({ method, url }) => {
    const known = methods.get(url) ?? { pattern: patternOf(url), allowed: new Set() }
    methods.set(url, known)
    for (const name of [method].flat()) known.allowed.add(name)
  })
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0] ?? ''
    const allowed = [...methods.values()].flatMap((known) => (known.pattern.test(path) ? [...known.allowed] : []))
    if (allowed.length === 0) throw new DomainError('not-found', 'there is nothing at this address')
    const allow = [...new Set(allowed)].sort().join(', ')
    reply.header('allow', allow)
    throw new DomainError('method-not-allowed', `this address answers to ${allow}`)
  })
}

/** Matches the paths of a route as the router does: a parameter is one non-empty segment. */
function patternOf(url: string): RegExp {
  const segments = url.split('/').map((segment) => {
    if (segment.startsWith(':')) return '[^/]+'
    return segment === '*' ? '.*' : segment.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  })
  return new RegExp(`^${segments.join('/')}$`)
}
