import { fastify } from 'fastify'
import t from 'tap'
import { rememberingCallers, requireAccess } from '../../src/http/authenticate.ts'
import { rawRequest } from '../harness/raw-request.ts'
import { replicaOf, testService } from '../harness/service.ts'

const service = await testService(t)
const { url, keys } = service
const context = { caller: 'command:test', requestId: null, inPerson: null }

const get = (path: string, authorization?: string) =>
  fetch(url + path, { headers: authorization === undefined ? {} : { authorization } })

/** The first scope's key with one letter changed, so that its checksum is wrong. */
const mistyped = keys.admin.replace(/.$/, (last) => (last === 'a' ? 'b' : 'a'))

t.test('a route that does not say who may call it stops the start', async (t) => {
  const app = fastify()
  const callerOf = rememberingCallers({ current: () => () => undefined })
  requireAccess(app, callerOf, { mayAdminister: () => false }, () => undefined)
  t.throws(() => app.get('/open-by-mistake', () => 'secret'), /GET \/open-by-mistake does not declare its access/)
})

t.test('who sends no credential is asked for one, without being told of an error', async (t) => {
  for (const authorization of [undefined, '', 'Basic dXNlcjpwYXNz', keys.admin]) {
    const answer = await get('/v1/users', authorization)
    t.equal(answer.status, 401, String(authorization))
    t.equal(answer.headers.get('www-authenticate'), 'Bearer realm="gatehouse"', String(authorization))
    t.match(await answer.json(), { code: 'unauthenticated' })
  }
})

t.test('a credential that is malformed, mistyped or unknown is invalid', async (t) => {
  const { newServiceKey } = await import('../../src/session/service-key.ts')
  const credentials = ['', 'x', 'a b', mistyped, newServiceKey(), `${keys.admin}x`, keys.admin.toLowerCase(), 'ÿ']
  for (const credential of credentials) {
    const answer = await get('/v1/users', `Bearer ${credential}`)
    t.equal(answer.status, 401, credential)
    t.equal(answer.headers.get('www-authenticate'), 'Bearer realm="gatehouse", error="invalid_token"', credential)
    t.notMatch(await answer.text(), keys.admin.slice(0, 25), 'no answer repeats a credential')
  }
})

t.test('the scheme is read in any case', async (t) => {
  for (const scheme of ['Bearer', 'bearer', 'BEARER'])
    t.equal((await get('/v1/users', `${scheme} ${keys.admin}`)).status, 200)
})

t.test('a credential opens what its scopes name and nothing else', async (t) => {
  const check = (key: string) =>
    fetch(`${url}/check`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: '{"user":"a","project":1,"permission":"can_browse"}',
    })
  const opened = async (key: string) => [
    (await get('/v1/users', `Bearer ${key}`)).status,
    (await check(key)).status,
    (await get('/metrics', `Bearer ${key}`)).status,
  ]
  t.same(await opened(keys.admin), [200, 403, 403])
  t.same(await opened(keys.check), [403, 200, 403])
  t.same(await opened(keys.metrics), [403, 403, 200])
  const refused = await get('/metrics', `Bearer ${keys.admin}`)
  const challenge = 'Bearer realm="gatehouse", error="insufficient_scope", scope="metrics"'
  t.equal(refused.headers.get('www-authenticate'), challenge)
  t.match(await refused.json(), { code: 'insufficient-scope' })
})

t.test('two credentials are one too many', async (t) => {
  const joined = await get('/v1/users', `Bearer ${keys.admin}, Bearer ${keys.admin}`)
  t.equal(joined.status, 400)
  t.equal(joined.headers.get('www-authenticate'), 'Bearer realm="gatehouse", error="invalid_request"')
  const header = `Authorization: Bearer ${keys.admin}\r\n`
  const twice = await rawRequest(url, `GET /v1/users HTTP/1.1\r\nHost: x\r\n${header}${header}\r\n`)
  t.equal(twice.status, 400)
  t.match(JSON.parse(twice.body), { code: 'two-credentials' })
})

t.test('a credential in the address opens nothing', async (t) => {
  for (const name of ['access_token', 'token', 'key', 'authorization']) {
    t.equal((await get(`/v1/users?${name}=${keys.admin}`)).status, 401, name)
    t.equal(
      (await get(`/v1/users?${name}=${keys.admin}`, `Bearer ${keys.admin}`)).status,
      400,
      `${name} beside a header`,
    )
  }
})

t.test('a caller is known before the body is read', async (t) => {
  const answer = await rawRequest(
    url,
    'POST /v1/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{',
  )
  t.equal(answer.status, 401)
})

t.test('a key that is ended opens nothing any more, here at once and on a replica at the revision', async (t) => {
  const replica = await replicaOf(t, service)
  const { value } = await service.parts.serviceKeys.create(context, { name: 'short-lived', scopes: ['check'] })
  const ask = (at: string) =>
    fetch(`${at}/v1/projects/1/users?permission=can_browse`, { headers: { authorization: `Bearer ${value.key}` } })
  await replica.parts.keeper.atLeast((await service.parts.serviceKeys.list({}, FIRST)).length)
  t.equal((await ask(url)).status, 404, 'it opens, and there is no project')
  const { revision } = await service.parts.serviceKeys.delete(context, value.id)
  t.equal((await ask(url)).status, 401)
  await replica.parts.keeper.atLeast(revision)
  t.equal((await ask(replica.url)).status, 401)
})

const FIRST = { limit: 200, sort: 'id', descending: false, after: null } as const
