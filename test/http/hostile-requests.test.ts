import t, { type Test } from 'tap'
import { rawRequest } from '../harness/raw-request.ts'
import { testService } from '../harness/service.ts'

const service = await testService(t)
const { url, keys } = service

type Problem = { status: number; code: string; detail?: string; instance: string; errors?: { pointer: string }[] }

/** Sends a check as it is written here. */
const check = (body: string | Uint8Array, headers: Record<string, string> = {}, query = '') =>
  fetch(`${url}/check${query}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${keys.check}`, 'content-type': 'application/json', ...headers },
    body,
  })
const admin = (method: string, path: string, body?: string) =>
  fetch(url + path, {
    method,
    headers: {
      authorization: `Bearer ${keys.admin}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body }),
  })

async function problem(test: Test, answer: Response, status: number, code: string): Promise<Problem> {
  const body = (await answer.json()) as Problem
  test.equal(answer.status, status)
  test.equal(answer.headers.get('content-type')?.split(';')[0], 'application/problem+json')
  test.match(body, {
    type: `urn:gatehouse:problem:${code}`,
    code,
    status,
    title: /./,
    instance: /^urn:gatehouse:request:/,
  })
  return body
}

const FINE = '{"user":"nobody","project":1,"permission":"can_browse"}'

t.test('a check is answered when its JSON has a parameter, odd case or white space in its type', async (t) => {
  for (const type of ['application/json', 'APPLICATION/JSON', 'application/json; charset=utf-8', ' application/json']) {
    const answer = await check(FINE, { 'content-type': type })
    t.equal(answer.status, 200, type)
    t.match(await answer.json(), { allowed: false })
  }
})

t.test('a body of another type is refused, whatever is in it', async (t) => {
  const types = [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/xml',
  ]
  for (const type of [...types, 'application/json garbage', 'application/json\tx', 'application/problem+json']) {
    await problem(t, await check(FINE, { 'content-type': type }), 415, 'unsupported-media-type')
  }
  const untyped = await rawRequest(
    url,
    `POST /check HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${keys.check}\r\nContent-Length: ${FINE.length}\r\n\r\n${FINE}`,
  )
  t.equal(untyped.status, 415)
})

t.test('what is not JSON is told so, and where it stops being JSON', async (t) => {
  const cut = await problem(t, await check('{"user":"al'), 400, 'malformed-json')
  t.notMatch(JSON.stringify(cut), /al"/, 'nothing of the body is repeated')
  for (const body of ['{', 'undefined', "{'user':1}", '{"user":NaN}', '{"user":1,}', '\uFEFF{}', '{}{}', '"\u0000"']) {
    await problem(t, await check(body), 400, 'malformed-json')
  }
})

t.test('JSON that is no object is refused at its root', async (t) => {
  for (const body of ['[]', 'null', 'true', '0', '"x"', '', '[[[[]]]]']) {
    const { errors } = await problem(t, await check(body), 400, 'invalid-request')
    t.match(errors, [{ pointer: '' }])
  }
})

t.test('bytes that are not UTF-8 never become another name', async (t) => {
  const body = Buffer.concat([Buffer.from('{"user":"'), Buffer.from([0xff]), Buffer.from('","project":1}')])
  await problem(t, await check(body), 400, 'malformed-json')
})

t.test('a member that stands twice is refused, however it is written', async (t) => {
  const twice = [
    '{"user":"a","user":"b","project":1,"permission":"can_browse"}',
    '{"user":"a","us\\u0065r":"b","project":1,"permission":"can_browse"}',
    '{"user" : "a","project":1,"permission":"can_browse",\n"user"\t:"b"}',
    '{"user":"a","project":1,"permission":"can_annotate","object":{"creator":"b","creator":"a"}}',
  ]
  for (const body of twice) await problem(t, await check(body), 400, 'malformed-json')
  for (const user of [':', '":', 'a\\', '","user":"b', '{}', '\\\\":x', '"user":1']) {
    const body = JSON.stringify({ user, project: 1, permission: 'can_browse' }, null, 1)
    t.equal((await check(body)).status, 200, `no member stands twice in ${body}`)
  }
})

t.test('the name of a prototype is a member that nobody knows', async (t) => {
  for (const name of ['__proto__', 'constructor', 'prototype', 'toString']) {
    const body = `{"${name}":{"via":"token"},"user":"a","project":1,"permission":"can_browse"}`
    const { errors } = await problem(t, await check(body), 400, 'invalid-request')
    t.match(errors, [{ pointer: `/${name}` }])
  }
  const batch = await fetch(`${url}/checks`, {
    method: 'POST',
    headers: { authorization: `Bearer ${keys.check}`, 'content-type': 'application/json' },
    body: '{"__proto__":{"user":"a"},"checks":[]}',
  })
  await problem(t, batch, 400, 'invalid-request')
})

t.test('every fault of a body is told with its place', async (t) => {
  const answer = await check('{"user":{},"project":"1","via":"Token","vie":1,"object":{"creator":[]},"a/b~":1}')
  const { errors = [] } = await problem(t, answer, 400, 'invalid-request')
  const pointers = errors.map(({ pointer }) => pointer).sort()
  t.same(pointers, ['/a~1b~0', '/object/creator', '/permission', '/project', '/user', '/via', '/vie'])
})

t.test('a body with more faults than anybody reads is answered with a hundred of them', async (t) => {
  const body = JSON.stringify(Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`x${n}`, n])))
  const { errors = [] } = await problem(t, await check(body), 400, 'invalid-request')
  t.equal(errors.length, 100)
})

t.test('types are not coerced in bodies, and read strictly in parameters', async (t) => {
  for (const project of ['"1"', 'true', '1.5', '[1]', 'null', '1e400']) {
    const body = `{"user":"a","project":${project},"permission":"can_browse"}`
    t.equal((await check(body)).status, 400, project)
  }
  for (const explain of ['1', 'TRUE', 'yes', '', 'true&explain=true']) {
    const { errors } = await problem(t, await check(FINE, {}, `?explain=${explain}`), 400, 'invalid-request')
    t.match(errors, [{ pointer: '?explain' }], explain)
  }
  for (const limit of ['0', '201', '-1', '1.0', '1e1', '0x10', '+5', ' 5', '05', '', '5&limit=6']) {
    const { errors } = await problem(t, await admin('GET', `/v1/users?limit=${limit}`), 400, 'invalid-request')
    t.match(errors, [{ pointer: '?limit' }], limit)
  }
  t.equal((await admin('GET', '/v1/users?limit=5')).status, 200)
  for (const id of ['x', '1.5', '99999999999', '1e3', '%31x', '1%00']) {
    t.equal((await admin('GET', `/v1/users/${id}`)).status, 400, id)
  }
})

t.test('a parameter that the route does not know is refused', async (t) => {
  await problem(t, await check(FINE, {}, '?expalin=true'), 400, 'invalid-request')
  await problem(t, await admin('GET', '/v1/groups?name[]=x'), 400, 'invalid-request')
  await problem(t, await admin('DELETE', '/v1/users/1?confirm=true'), 400, 'invalid-request')
})

t.test(
  'text that no database keeps to the letter is refused where it would be kept, and denied in a check',
  async (t) => {
    for (const name of ['a\\u0000b', 'a\\ud800', '\\udc00b']) {
      const { errors } = await problem(
        t,
        await admin('POST', '/v1/groups', `{"name":"${name}"}`),
        400,
        'invalid-request',
      )
      t.match(errors, [{ pointer: '/name' }])
    }
    await problem(t, await admin('GET', '/v1/groups?name=%00'), 400, 'invalid-request')
    await problem(t, await check('{"user":"\\ud800","project":1,"permission":"can_browse"}'), 400, 'invalid-request')
    const nul = await check('{"user":"a\\u0000","project":1,"permission":"can_browse"}', {}, '?explain=true')
    t.match(await nul.json(), { allowed: false, reason: { code: 'unknown_user' } })
  },
)

t.test('a body deeper than anything we know is refused before anything walks it', async (t) => {
  const deep = 200_000
  await problem(t, await check('['.repeat(deep) + ']'.repeat(deep)), 400, 'invalid-request')
  await problem(t, await check('['.repeat(deep)), 400, 'malformed-json')
  const batch = await fetch(`${url}/checks`, {
    method: 'POST',
    headers: { authorization: `Bearer ${keys.check}`, 'content-type': 'application/json' },
    body: `{"checks":${'['.repeat(deep)}"\\u0041"${']'.repeat(deep)}}`,
  })
  await problem(t, batch, 400, 'invalid-request')
})

t.test('a body is refused above its limit, by its announced length and by what arrives', async (t) => {
  const body = JSON.stringify({ user: 'x'.repeat(2 ** 20) })
  await problem(t, await check(body), 413, 'body-too-large')
  const head = `POST /check HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${keys.check}\r\nContent-Type: application/json\r\n`
  const announced = await rawRequest(url, `${head}Content-Length: 99999999\r\n\r\n`)
  t.match(announced, { status: 413, headers: { connection: 'close' } })
})

t.test('ten thousand checks fit into a batch', async (t) => {
  const one = { user: 'someone with a long name', project: 1_000_000, permission: 'can_queue_compute_task' }
  const checks = Array.from({ length: 10_000 }, () => one)
  const post = (body: object) =>
    fetch(`${url}/checks`, {
      method: 'POST',
      headers: { authorization: `Bearer ${keys.check}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  const answer = await post({ checks })
  t.equal(answer.status, 200)
  const { results } = (await answer.json()) as { results: object[] }
  t.equal(results.length, 10_000)
  await problem(t, await post({ checks: [...checks, one] }), 400, 'invalid-request')
})

t.test('an address that is none, or has a part that is too long, is a problem too', async (t) => {
  for (const path of [
    '/v1/users/%zz',
    '/v1/users/%',
    '/v1/users/%ff',
    `/v1/users/${'1'.repeat(201)}`,
    '/%c0%ae%c0%ae',
  ]) {
    const { instance } = await problem(t, await admin('GET', path), 400, 'invalid-request')
    t.match(instance, /:[\w-]{16}\.\d+$/)
  }
})

t.test('bytes that are no request get a problem as well, and the connection ends', async (t) => {
  const garbage = [
    'garbage\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    'GET /\u0001 HTTP/1.1\r\n\r\n',
    '\u0016\u0003\u0001\r\n\r\n',
  ]
  const smuggled = 'POST /check HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'
  for (const text of [...garbage, smuggled, 'GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n']) {
    const answer = await rawRequest(url, text)
    t.match(answer, { status: 400, headers: { 'content-type': 'application/problem+json', connection: 'close' } })
    t.match(JSON.parse(answer.body), { code: 'invalid-request', status: 400 })
  }
})

t.test('headers above sixteen kibibytes are too large', async (t) => {
  const answer = await rawRequest(url, `GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(17_000)}\r\n\r\n`)
  t.match(answer, { status: 431, headers: { 'content-type': 'application/problem+json' } })
  t.match(JSON.parse(answer.body), { code: 'header-too-large' })
})

t.test('what Node would answer in its own words is answered in ours, or served', async (t) => {
  const withoutHost = await rawRequest(url, 'GET /healthz HTTP/1.1\r\n\r\n')
  t.equal(withoutHost.status, 200)
  const expecting = await rawRequest(url, 'GET /healthz HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\n\r\n')
  t.equal(expecting.status, 200)
})

t.test('a method that an address does not take is told, with those that it takes', async (t) => {
  const taken: [string, string, string][] = [
    ['GET', '/check', 'POST'],
    ['DELETE', '/v1/users', 'GET, HEAD, POST'],
    ['PUT', '/v1/users/5', 'DELETE, GET, HEAD, PATCH'],
    ['OPTIONS', '/healthz', 'GET, HEAD'],
    ['PROPFIND', '/healthz', 'GET, HEAD'],
    ['TRACE', '/healthz', 'GET, HEAD'],
  ]
  for (const [method, path, allow] of taken) {
    const answer = await rawRequest(url, `${method} ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
    t.match(answer, { status: 405, headers: { allow } }, `${method} ${path}`)
    t.match(JSON.parse(answer.body), { code: 'method-not-allowed' })
  }
  await problem(t, await admin('GET', '/v1/nothing'), 404, 'not-found')
  await problem(t, await admin('GET', '/V1/users'), 404, 'not-found')
})

t.test('a request id is repeated when it can be, and made when not', async (t) => {
  const answer = await check(FINE, { 'x-request-id': 'a-1:b/c' })
  t.equal(answer.headers.get('x-request-id'), 'a-1:b/c')
  const failed = await check('{', { 'x-request-id': 'a-2' })
  t.equal((await problem(t, failed, 400, 'malformed-json')).instance, 'urn:gatehouse:request:a-2')
  for (const id of ['x'.repeat(129), 'with space', 'tab\tbed', 'ümlaut', '']) {
    const made = (await check(FINE, { 'x-request-id': id })).headers.get('x-request-id')
    t.match(made, /^[\w-]{16}\.\d+$/, JSON.stringify(id))
  }
})

t.test('every kind of answer carries the headers that keep browsers and caches out', async (t) => {
  const users = await admin('GET', '/v1/users')
  const answers = [users, await check('{'), await fetch(`${url}/nothing`), await fetch(`${url}/healthz`)]
  for (const { headers } of answers) {
    t.equal(headers.get('x-content-type-options'), 'nosniff')
    t.equal(headers.get('cache-control'), 'no-store')
    t.match(headers.get('content-security-policy'), "default-src 'none'")
    t.match(headers.get('strict-transport-security'), 'max-age=31536000')
    t.equal(headers.get('referrer-policy'), 'no-referrer')
    t.equal(headers.get('server'), null)
    t.equal(headers.get('access-control-allow-origin'), null)
  }
})

t.test('a decision carries no header that nobody needs of it', async (t) => {
  const { headers } = await check(FINE)
  t.same([...headers.keys()].sort(), ['connection', 'content-length', 'content-type', 'date', 'keep-alive'])
})
