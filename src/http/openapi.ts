import { readFileSync } from 'node:fs'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance, RouteOptions } from 'fastify'
import { PROBLEMS, type ProblemCode } from '../errors.ts'
import { accessInWords, problemsOfAccess, securityOf } from './access-in-words.ts'
import { Problem } from './problem-schemas.ts'

/** What any operation can answer, whatever it does. */
const OF_ALL: ProblemCode[] = ['invalid-request', 'request-timeout', 'header-too-large', 'internal']
const OF_BODIES: ProblemCode[] = ['malformed-json', 'body-too-large', 'unsupported-media-type']

const TAGS = [
  { name: 'check', description: 'May this user do this, here, to this object?' },
  { name: 'users', description: 'Accounts' },
  { name: 'groups', description: 'Named sets of users, their members and maintainers' },
  { name: 'profiles', description: 'What users have switched on, and what new users begin with' },
  { name: 'projects', description: 'What permissions are given on' },
  { name: 'grants', description: 'Who is allowed or refused a permission on a project' },
  { name: 'accounts', description: 'Registration, the own account, forgotten passwords' },
  { name: 'sessions', description: 'Login, access tokens and the sessions behind them' },
  { name: 'signing-keys', description: 'What access tokens are signed with' },
  { name: 'service-keys', description: 'Credentials of the programs that call this service' },
  { name: 'api-tokens', description: 'Credentials by which users let programs act for them' },
  { name: 'audit-events', description: 'Who changed what, when' },
  { name: 'operation', description: 'Health, metrics, this document' },
]

type Operation = {
  operationId?: string
  description?: string
  security?: Record<string, string[]>[]
  responses: Record<string, unknown>
}
type Paths = Record<string, Record<string, Operation>>

/**
 * Describes every route that is registered from here on, at `/openapi.json` and, to read and try, at `/docs`: public
 * both, for whoever writes a client.
 *
 * @param publicUrl where callers reach the service; without it the document names the address it was fetched from
 */
export async function describeRoutes(app: FastifyInstance, publicUrl: string | undefined): Promise<void> {
  const routes = new Map<string, RouteOptions>()
  app.addHook('onRoute', (route) => {
    if (route.method === 'HEAD' || route.schema?.hide === true) return
    requireDescription(route)
    routes.set(`${String(route.method).toLowerCase()} ${route.url.replace(/:(\w+)/g, '{$1}')}`, route)
  })
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Gatehouse',
        version: packageVersion(),
        description: 'Answers one question for other programs: may this user do this, in this project, to this object?',
        license: { name: 'MIT', identifier: 'MIT' } as { name: string },
      },
      servers: [{ url: publicUrl ?? '/' }],
      tags: TAGS,
      components: {
        securitySchemes: {
          serviceKey: {
            type: 'http',
            scheme: 'bearer',
            description: 'A service key: `gatehouse_key_` and 36 letters and digits, made with `service-key create`',
          },
          user: {
            type: 'http',
            scheme: 'bearer',
            description: 'A user in person: an access token (POST /v1/sessions) or an API token (`gatehouse_pat_…`)',
          },
        },
      },
    },
    transformObject: (document) => {
      if (!('openapiObject' in document)) return {}
      const { openapi, info, servers, tags, paths = {}, components } = document.openapiObject
      const responses = completeOperations(paths as Paths, routes)
      const { $id: _id, ...problem } = Problem as typeof Problem & { $id?: string }
      const schemas = { Problem: problem as object }
      return { openapi, info, servers, tags, paths, components: { ...components, schemas, responses } } as object
    },
  })
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: true, uiConfig: { validatorUrl: null } })
  app.get('/openapi.json', { config: { access: 'public' }, schema: { hide: true } }, () => app.swagger())
}

/** The version that package.json states. */
export function packageVersion(): string {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version
}

function requireDescription({ method, url, schema }: RouteOptions): void {
  for (const field of ['operationId', 'summary', 'tags'] as const) {
    if (schema?.[field] === undefined) throw new Error(`${String(method)} ${url} does not state its ${field}`)
  }
}

/** Fills in what every operation has, and gives the problem responses that the operations refer to. */
function completeOperations(paths: Paths, routes: Map<string, RouteOptions>): Record<string, object> {
  const shared: Record<string, object> = {}
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const route = routes.get(`${method} ${path}`)
      if (route !== undefined) completeOperation(operation, route, shared)
    }
  }
  return Object.fromEntries(Object.entries(shared).sort(([a], [b]) => (a < b ? -1 : 1)))
}

function completeOperation(operation: Operation, route: RouteOptions, shared: Record<string, object>): void {
  const { access = 'public', problems = [] } = route.config ?? {}
  operation.security = securityOf(access)
  const description = [operation.description, accessInWords(access)].filter(Boolean).join('\n\n')
  if (description !== '') operation.description = description
  const codes = [...OF_ALL, ...(route.schema?.body ? OF_BODIES : []), ...problemsOfAccess(access), ...problems]
  for (const [status, sharing] of byStatus(codes)) {
    if (operation.responses[status] !== undefined) continue
    const name = sharing.map(pascalCase).join('Or')
    shared[name] ??= problemResponse(status, sharing)
    operation.responses[status] = { $ref: `#/components/responses/${name}` }
  }
}

const pascalCase = (code: string) => code.replace(/(?:^|-)(\w)/g, (_match, letter: string) => letter.toUpperCase())

function byStatus(codes: ProblemCode[]): Map<number, ProblemCode[]> {
  const grouped = new Map<number, ProblemCode[]>()
  for (const code of [...new Set(codes)]) {
    const { status } = PROBLEMS[code]
    grouped.set(status, [...(grouped.get(status) ?? []), code])
  }
  return grouped
}

function problemResponse(status: number, codes: ProblemCode[]): object {
  const headers = HEADERS[status]
  return {
    description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code].title}`).join('\n\n'),
    ...(headers && { headers }),
    content: {
      'application/problem+json': {
        schema: {
          allOf: [
            { $ref: '#/components/schemas/Problem' },
            { type: 'object', properties: { code: { type: 'string', enum: codes } } },
          ],
        },
      },
    },
  }
}

const text = (description: string) => ({ description, schema: { type: 'string' } })
const HEADERS: Record<number, object> = {
  401: { 'WWW-Authenticate': text('What to send (RFC 6750)') },
  403: { 'WWW-Authenticate': text('The scope that is missing (RFC 6750)') },
  429: { 'Retry-After': text('Seconds after which to try again') },
  503: { 'Retry-After': text('Seconds after which to try again') },
}
