import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { openapiYaml } from '../../src/cli/openapi.ts'
import { PROBLEMS, type ProblemCode } from '../../src/errors.ts'
import { testService } from '../harness/service.ts'

const project = join(import.meta.dirname, '..', '..')
const written = await readFile(join(project, 'openapi.yaml'), 'utf8')

type Operation = {
  operationId?: string
  summary?: string
  tags?: string[]
  description?: string
  security?: Record<string, string[]>[]
  requestBody?: object
  responses: Record<string, { $ref?: string; content?: object }>
}
type Response = {
  content: Record<string, { schema: { allOf: [unknown, { properties: { code: { enum: string[] } } }] } }>
}
type Document = {
  openapi: string
  paths: Record<string, Record<string, Operation>>
  components: { responses: Record<string, Response>; securitySchemes: object }
}
const document = parse(written) as Document
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, operation })),
)

/** The codes that an operation says it can answer with. */
function codesOf({ responses }: Operation): string[] {
  return Object.values(responses).flatMap(({ $ref }) => {
    const shared = $ref && document.components.responses[$ref.slice($ref.lastIndexOf('/') + 1)]
    return shared ? (shared.content['application/problem+json']?.schema.allOf[1].properties.code.enum ?? []) : []
  })
}

t.test('openapi.yaml is what the routes say today: if not, run `npm run openapi`', async (t) => {
  t.equal(await openapiYaml(), written)
})

t.test('the running service serves the same document', async (t) => {
  const { url } = await testService(t)
  const served = await fetch(`${url}/openapi.json`)
  t.equal(served.status, 200)
  t.same(await served.json(), document)
  const pages = await fetch(`${url}/docs/`)
  t.equal(pages.status, 200)
  t.match(pages.headers.get('content-security-policy'), /script-src/)
})

/** What anybody may call without a credential. */
const OPEN = [
  'GET /healthz',
  'GET /readyz',
  'GET /.well-known/jwks.json',
  'GET /v1/password-policy',
  'POST /v1/sessions',
  'POST /v1/sessions/refresh',
  'POST /v1/api-token-revocations',
  'POST /v1/email-changes',
  'POST /v1/password-resets/confirm',
  'POST /v1/password-resets',
  'POST /v1/email-confirmations/resend',
  'POST /v1/email-confirmations',
  'POST /v1/registrations',
  'GET /v1/registration',
]
/** What is for users in person alone. */
const isOwn = (name: string) => / \/v1\/me(\/|$)/.test(name)

t.test('every operation has an id of its own, a summary, a tag and a security scheme with its scope', async (t) => {
  t.ok(operations.length > 30, `${operations.length} operations`)
  t.equal(new Set(operations.map(({ operation }) => operation.operationId)).size, operations.length)
  for (const { name, operation } of operations) {
    t.match(operation, { operationId: /^[a-z][A-Za-z]+$/, summary: /./, tags: [/./] }, name)
    if (OPEN.includes(name)) t.same(operation.security, [], name)
    else if (isOwn(name)) t.match(operation.security, [{ user: Array }], name)
    else t.match(operation.security, [{ serviceKey: [/^(check|admin|metrics)$/] }], name)
  }
  t.hasProp(document.components.securitySchemes, 'serviceKey')
})

t.test('every operation tells the problems that it can answer with', async (t) => {
  for (const { name, operation } of operations) {
    const codes = codesOf(operation)
    t.ok(codes.includes('internal') && codes.includes('invalid-request'), name)
    const secured = (operation.security ?? []).length > 0
    t.equal(codes.includes('unauthenticated') && codes.includes('insufficient-scope'), secured, name)
    t.equal(codes.includes('malformed-json'), operation.requestBody !== undefined, name)
    if (/^(GET|PATCH|DELETE|PUT) .*\{/.test(name)) t.ok(codes.includes('not-found'), name)
    for (const [status, { $ref }] of Object.entries(operation.responses)) {
      if ($ref === undefined) t.match(status, /^(200|201|202|503)$/, name)
    }
  }
})

t.test('every problem that there is belongs to an operation', async (t) => {
  const told = new Set(operations.flatMap(({ operation }) => codesOf(operation)))
  const untold = (Object.keys(PROBLEMS) as ProblemCode[]).filter((code) => !told.has(code))
  // Routes that take a new password come with what makes accounts.
  const awaited = ['password-too-short', 'password-too-long', 'password-blocklisted']
  t.same(
    untold.filter((code) => !awaited.includes(code)),
    ['method-not-allowed'],
    'what no operation answers',
  )
})
