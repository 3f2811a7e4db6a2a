import fc from 'fast-check'
import t from 'tap'
import { testService } from '../harness/service.ts'

/** Kept small by default: the suite runs often. FUZZ_RUNS asks for more. */
const RUNS = Number(process.env.FUZZ_RUNS ?? 40)

const service = await testService(t)
const { url, keys } = service

type Schema = {
  type?: string | string[]
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
  enum?: unknown[]
  anyOf?: Schema[]
}
type Operation = {
  security: { serviceKey?: ('check' | 'admin' | 'metrics')[] }[]
  parameters?: { name: string; in: string; schema: Schema }[]
  requestBody?: { content: Record<string, { schema: Schema }> }
}
type Route = { method: string; path: string; operation: Operation }

const context = { caller: 'command:test', requestId: null, inPerson: null }
for (const name of ['ada', 'bruno', 'carla']) {
  const user = await service.parts.users.create(context, { username: name, isSuperuser: true })
  const project = await service.parts.projects.create(context, { title: name })
  const principal = { type: 'user', id: user.value.id } as const
  await service.parts.grants.create(context, project.value.id, { principal, permission: 'can_annotate' })
}

const document = (await (await fetch(`${url}/openapi.json`)).json()) as {
  paths: Record<string, Record<string, Operation>>
}
const routes: Route[] = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
)
// What deletes comes last, and the keys that all this is done with last of all.
routes.sort((a, b) => rank(a) - rank(b))
function rank({ method, path }: Route): number {
  if (method !== 'DELETE') return 0
  return path.includes('service-keys') ? 2 : 1
}

const HOSTILE = [
  '',
  ' ',
  '\0',
  '\ud800',
  "'; DROP TABLE users; --",
  '*',
  '#',
  'a,b',
  'a\nb',
  '__proto__',
  'constructor',
  '🔑',
  '\u202e',
  'x'.repeat(300),
  '%00',
  '../..',
  'null',
  '1',
  'true',
  'infinity',
  '-infinity',
  '0001-01-01T00:00:00Z',
  '2026-02-30T00:00:00Z',
  '9999-12-31T23:59:59.999999999Z',
  '2026-01-01T00:00:00+99:99',
  '2026-01-01T23:59:60Z',
  '+275760-09-13T00:00:00Z',
  'anonymous',
  'fuzz',
]
const NUMBERS = [0, -0, 1, -1, 2, 1.5, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1, 2 ** 53, 1e308, -1e308]
const anything = fc.oneof(
  fc.constantFrom<unknown>(...HOSTILE, ...NUMBERS, null, true, false, [], {}),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.jsonValue({ maxDepth: 3 }),
)

/** Values that fit a schema mostly, and hostile ones in between, so that faults behind the schemas are reached too. */
function valueFor(schema: Schema): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 15, arbitrary: fitting(schema) }, { weight: 1, arbitrary: anything })
}

function fitting(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.enum) return fc.constantFrom(...schema.enum)
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map(valueFor))
  const type = [schema.type].flat()[0]
  if (type === 'object') {
    const properties = Object.entries(schema.properties ?? {}).map(([name, of]) => [name, valueFor(of)] as const)
    const whole = fc.record(Object.fromEntries(properties), { requiredKeys: schema.required ?? [] })
    const holed = fc.record(Object.fromEntries(properties), { requiredKeys: [] })
    return fc.oneof({ weight: 8, arbitrary: whole }, { weight: 1, arbitrary: holed })
  }
  if (type === 'array') return fc.array(valueFor(schema.items ?? {}), { maxLength: 4 })
  if (type === 'integer' || type === 'number')
    return fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 1, max: 4 }) }, fc.constantFrom(...NUMBERS))
  if (type === 'boolean') return fc.boolean()
  if (type === 'null') return fc.constant(null)
  return fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom('ada@example.org', '2026-01-01T00:00:00Z', 'ada', 'user:1') },
    { weight: 2, arbitrary: fc.constantFrom(...HOSTILE) },
    fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }),
  )
}

const textual = (value: unknown) => (typeof value === 'string' ? value : (JSON.stringify(value) ?? 'undefined'))
const encoded = (value: unknown) => encodeURIComponent(textual(value).replace(/\p{Surrogate}/gu, '?'))

function requestTo({ path, operation }: Route) {
  const parameters = operation.parameters ?? []
  const inPath = parameters.filter((parameter) => parameter.in === 'path')
  const inQuery = parameters.filter((parameter) => parameter.in === 'query')
  const body = operation.requestBody?.content['application/json']?.schema
  const of = (some: typeof parameters) =>
    fc.record(Object.fromEntries(some.map(({ name, schema }) => [name, valueFor(schema)])), { requiredKeys: [] })
  return fc
    .record({ path: of(inPath), query: of(inQuery), body: body ? valueFor(body) : fc.constant(undefined) })
    .map((given) => ({
      address:
        path.replace(/\{(\w+)\}/g, (_match, name) => encoded(given.path[name] ?? 1) || '%20') +
        (inQuery.length === 0
          ? ''
          : `?${Object.entries(given.query)
              .map(([name, value]) => `${name}=${encoded(value)}`)
              .join('&')}`),
      body: given.body === undefined ? undefined : JSON.stringify(given.body),
    }))
}

t.test('no request makes a 500, whatever is in it', async (t) => {
  t.ok(routes.length > 30)
  for (const route of routes) {
    const scope = route.operation.security[0]?.serviceKey?.[0] ?? 'admin'
    const statuses = new Set<number>()
    await fc.assert(
      fc.asyncProperty(requestTo(route), async ({ address, body }) => {
        const answer = await fetch(url + address, {
          method: route.method,
          headers: {
            authorization: `Bearer ${keys[scope]}`,
            ...(body !== undefined && { 'content-type': 'application/json' }),
          },
          ...(body !== undefined && { body }),
        })
        const text = await answer.text()
        statuses.add(answer.status)
        const type = answer.headers.get('content-type') ?? ''
        if (answer.status >= 400 && !type.startsWith('application/problem+json')) throw new Error(`${type}: ${text}`)
        if (answer.status >= 500 && !/revision-not-reached/.test(text)) throw new Error(`${answer.status}: ${text}`)
      }),
      { numRuns: RUNS },
    )
    t.pass(`${route.method} ${route.path}: ${[...statuses].sort().join(', ')}`)
  }
  t.equal((await fetch(`${url}/readyz`)).status, 200)
})
