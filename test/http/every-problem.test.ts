import { Writable } from 'node:stream'
import { pino } from 'pino'
import t from 'tap'
import { PROBLEMS, type ProblemCode } from '../../src/errors.ts'
import { rawRequest } from '../harness/raw-request.ts'
import { type TestService, testService } from '../harness/service.ts'

/** Faults that PostgreSQL reports: a group of one of these names is one too many. */
const FAULTS = `
  CREATE FUNCTION planted_fault() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF NEW.name = 'meets another write' THEN RAISE EXCEPTION 'planted' USING ERRCODE = '40001'; END IF;
    IF NEW.name = 'loses the database' THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
    IF NEW.name = 'breaks' THEN RAISE EXCEPTION 'secret of the database' USING ERRCODE = 'XX000'; END IF;
    RETURN NEW;
  END $$;
  CREATE TRIGGER planted_fault BEFORE INSERT ON groups FOR EACH ROW EXECUTE FUNCTION planted_fault();`

const logged: string[] = []
const log = pino(
  { level: 'info' },
  new Writable({
    write(chunk, _encoding, done) {
      logged.push(String(chunk))
      done()
    },
  }),
)

const service = await testService(t, {
  log,
  limits: { requestTime: 300, timeCheckInterval: 50 },
  prepare: async (query) => {
    await query(FAULTS)
  },
})
const stale = await testService(t, { env: { MAX_STALENESS: 'PT0.05S' } })
const busy = await testService(t, { limits: { eventLoopDelay: 5, loadCheckInterval: 5 } })

type Answer = { status: number; contentType: string | null; body: string; headers: Headers }

async function send(
  { url, keys }: TestService,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const scope = path.startsWith('/check') || /\/(permissions|projects)(\?|$)/.test(path.slice(4)) ? 'check' : 'admin'
  const answer = await fetch(url + path, {
    method,
    headers: {
      authorization: `Bearer ${keys[scope]}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  return {
    status: answer.status,
    contentType: answer.headers.get('content-type'),
    body: await answer.text(),
    headers: answer.headers,
  }
}

const admin = (method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
  send(service, method, path, body, headers)
const made = async (path: string, body: object): Promise<number> => {
  const answer = await admin('POST', path, body)
  t.equal(answer.status, 201, `${path} ${answer.body}`)
  return JSON.parse(answer.body).id
}
const raw = async (text: string): Promise<Answer> => {
  const { status, headers, body } = await rawRequest(service.url, text)
  return { status, body, headers: new Headers(headers), contentType: headers['content-type'] ?? null }
}
const question = { user: 'x', project: 1, permission: 'can_browse' }

/** Keeps the event loop late until `work` is done, as too many requests would. */
async function whileLate<T>(work: () => Promise<T>): Promise<T> {
  const pause = new Int32Array(new SharedArrayBuffer(4))
  const spinning = setInterval(() => Atomics.wait(pause, 0, 0, 25), 1)
  try {
    return await work()
  } finally {
    clearInterval(spinning)
  }
}

async function untilStatus(status: number, ask: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    const answer = await ask()
    if (answer.status === status) return answer
  }
}

/** Met by users in person only; provoked in test/session, test/account and test/http/in-person.test.ts. */
type InPerson =
  | 'not-permitted'
  | 'reauthentication-required'
  | 'via-mismatch'
  | 'scope-not-grantable'
  | 'last-administrator'
  | 'expiry-too-long'
  | 'token-limit-reached'
  | 'invalid-credentials'
  | 'refresh-token-invalid'
  | 'refresh-token-reused'
  | 'account-inactive'
  | 'email-not-confirmed'
  | 'too-many-attempts'
  | 'password-too-short'
  | 'password-too-long'
  | 'password-blocklisted'
  | 'terms-not-accepted'

/** One way to each of the others. */
const WAYS: Record<Exclude<ProblemCode, InPerson>, () => Promise<Answer>> = {
  'invalid-request': () => admin('POST', '/v1/groups', {}),
  'malformed-json': () => admin('POST', '/v1/groups', '{'),
  'invalid-cursor': () => admin('GET', '/v1/groups?cursor=made-up'),
  'token-invalid': () => admin('POST', '/v1/email-changes', { token: 'made up' }),
  'registration-disabled': () => admin('POST', '/v1/registrations', {}),
  'two-credentials': () => admin('GET', '/v1/groups', undefined, { authorization: 'Bearer a, Bearer b' }),
  unauthenticated: () => admin('GET', '/v1/groups', undefined, { authorization: 'Bearer a' }),
  'insufficient-scope': () => admin('GET', '/v1/groups', undefined, { authorization: `Bearer ${service.keys.check}` }),
  'not-found': () => admin('GET', '/v1/groups/2000000000'),
  'method-not-allowed': () => admin('PUT', '/v1/groups'),
  'name-taken': () => admin('POST', '/v1/users', { username: 'anonymous' }),
  'id-taken': async () => {
    const id = await made('/v1/projects', { title: 'first' })
    return admin('POST', '/v1/projects', { id, title: 'second' })
  },
  'name-carries-edit-rights': async () => {
    const user = await made('/v1/users', { username: 'member' })
    const group = await made('/v1/groups', { name: 'creator' })
    await admin('PUT', `/v1/groups/${group}/members/${user}`)
    return admin('POST', '/v1/users', { username: 'creator' })
  },
  'inactivity-run-state': async () => {
    const run = await admin('POST', '/v1/inactivity-runs')
    return admin('POST', `/v1/inactivity-runs/${JSON.parse(run.body).id}/approval`)
  },
  'mail-not-retryable': async () => {
    await service.query(`INSERT INTO mail_outbox (id, message_id, kind, recipient, subject, state)
      OVERRIDING SYSTEM VALUE VALUES (7, 'x@example.org', 'welcome', 'a@example.org', 'Welcome', 'sent')`)
    return admin('POST', '/v1/mail/outbox/7/retry')
  },
  'grant-exists': async () => {
    const id = await made('/v1/users', { username: 'holder' })
    const project = await made('/v1/projects', { title: 'granted' })
    const grant = { principal: { type: 'user', id }, permission: 'can_browse' }
    await made(`/v1/projects/${project}/grants`, grant)
    return admin('POST', `/v1/projects/${project}/grants`, grant)
  },
  'ids-exhausted': async () => {
    await service.query(`SELECT setval(pg_get_serial_sequence('groups', 'id'), 2147483647)`)
    const answer = await admin('POST', '/v1/groups', { name: 'one too many' })
    await service.query(`SELECT setval(pg_get_serial_sequence('groups', 'id'), 1000)`)
    return answer
  },
  'cannot-be-mailed': async () => {
    const id = await made('/v1/users', { username: 'without address' })
    return admin('POST', `/v1/users/${id}/password-reset`)
  },
  'last-superuser': async () => {
    const id = await made('/v1/users', { username: 'root', isSuperuser: true })
    return admin('DELETE', `/v1/users/${id}`)
  },
  conflict: () => admin('POST', '/v1/groups', { name: 'meets another write' }),
  'anonymous-user': async () => {
    const { items } = JSON.parse((await admin('GET', '/v1/users?isAnonymous=true')).body)
    return admin('DELETE', `/v1/users/${items[0].id}`)
  },
  'profile-invalid': () => admin('PATCH', '/v1/profile-defaults', { settings: { nonsense: true } }),
  'request-timeout': () => raw('POST /check HTTP/1.1\r\nHost: x\r\nContent-Le'),
  'body-too-large': () => admin('POST', '/v1/groups', JSON.stringify({ name: 'x'.repeat(2 ** 20) })),
  'unsupported-media-type': () => admin('POST', '/v1/groups', 'x', { 'content-type': 'text/plain' }),
  'header-too-large': () => raw(`GET / HTTP/1.1\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`),
  internal: () => admin('POST', '/v1/groups', { name: 'breaks' }, { 'x-request-id': 'the-broken-one' }),
  'database-unavailable': () => admin('POST', '/v1/groups', { name: 'loses the database' }),
  overloaded: () => whileLate(() => untilStatus(503, () => send(busy, 'GET', '/v1/groups'))),
  'snapshot-unavailable': async () => {
    await stale.parts.keeper.stop()
    return untilStatus(503, () => send(stale, 'POST', '/check', question))
  },
  'revision-not-reached': () => admin('POST', '/check', { ...question, atLeastRevision: 1_000_000 }),
}

for (const [code, provoke] of Object.entries(WAYS) as [ProblemCode, () => Promise<Answer>][]) {
  t.test(`${code} is answered where the catalogue says so`, async (t) => {
    const { status, contentType, body, headers } = await provoke()
    const told = JSON.parse(body)
    t.equal(status, PROBLEMS[code].status)
    t.match(contentType, /^application\/problem\+json/)
    t.match(told, { code, status, title: PROBLEMS[code].title, type: `urn:gatehouse:problem:${code}` })
    t.match(told.instance, /^urn:gatehouse:request:./)
    if (status < 500) t.match(told.detail, /./)
    else t.same(Object.keys(told).sort(), ['code', 'instance', 'status', 'title', 'type'], 'nothing but the request id')
    if (status === 503) t.equal(headers.get('retry-after'), '1')
  })
}

t.test('a fault of the service is logged once, with the id that the caller was shown, and not told', (t) => {
  const lines = logged.map((line) => JSON.parse(line)).filter(({ level }) => level >= 50)
  t.match(lines, [{ requestId: 'the-broken-one', method: 'POST', path: '/v1/groups', err: { message: /secret/ } }])
  t.end()
})

t.test('nothing that is logged holds a credential', (t) => {
  const text = logged.join('')
  for (const key of Object.values(service.keys)) t.notMatch(text, key.slice(14, 30))
  t.end()
})

t.test('health is answered however busy the service is, and overload passes', async (t) => {
  const { status } = await whileLate(async () => {
    await untilStatus(503, () => send(busy, 'GET', '/v1/groups'))
    return send(busy, 'GET', '/healthz')
  })
  t.equal(status, 200)
  t.equal((await untilStatus(200, () => send(busy, 'GET', '/v1/groups'))).status, 200)
})

t.test('readiness is red while policy is too old, and says of which age it is', async (t) => {
  const answer = await send(stale, 'GET', '/readyz')
  t.equal(answer.status, 503)
  t.match(JSON.parse(answer.body), { ready: false, reason: /MAX_STALENESS/, revision: Number, ageSeconds: Number })
  t.equal((await send(stale, 'GET', '/healthz')).status, 200)
  t.match(JSON.parse((await send(service, 'GET', '/readyz')).body), { ready: true, revision: Number })
})
