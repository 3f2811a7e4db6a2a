import t from 'tap'
import type { NewApiToken } from '../../src/account/api-token-schemas.ts'
import { administrationOf } from '../harness/administration.ts'
import { testService } from '../harness/service.ts'
import { type SignedIn, signedIn } from '../harness/sign-in.ts'

const service = await testService(t)
const admin = administrationOf(t, service)
const ada = await signedIn(t, service, { username: 'ada' })
const root = await signedIn(t, service, { username: 'root', superuser: true })
const TOKENS = '/v1/me/api-tokens'
const NEW: NewApiToken = { name: 'script', scopes: ['check', 'account'] }
const problem = async ({ call }: SignedIn, method: string, path: string, body?: unknown) => {
  const answer = await call(method, path, body)
  return [answer.status, answer.body.code, answer.body.errors?.[0]?.pointer]
}
const DAY_MS = 86_400_000
const inDays = (days: number) => new Date(Date.now() + days * DAY_MS).toISOString()

t.test('a user makes, lists, rotates and ends tokens in a session', async (t) => {
  const made = await ada.call('POST', TOKENS, NEW)
  t.match([made.status, made.headers.get('cache-control')], [201, 'no-store'])
  t.match(made.body, { userId: ada.id, token: /^gatehouse_pat_/, revision: Number })
  const rotated = await ada.call('POST', `${TOKENS}/${made.body.id}/rotation`, { graceSeconds: 60 })
  t.equal(rotated.status, 201)
  t.match((await ada.call('GET', TOKENS)).body.items, [{ id: made.body.id }, { id: rotated.body.id }])
  t.notMatch(JSON.stringify((await ada.call('GET', TOKENS)).body), made.body.token.slice(20, 46))
  t.equal((await ada.call('DELETE', `${TOKENS}/${made.body.id}`)).status, 200)
  t.same(await problem(ada, 'DELETE', `${TOKENS}/${made.body.id}`), [404, 'not-found', undefined])
})

t.test('nobody mints tokens for others, or ends theirs (C12)', async (t) => {
  const { body } = await root.call('POST', TOKENS, NEW)
  for (const more of [{ userId: root.id }, { user: 'root' }, { id: 1 }, { token: 'mine' }, { isSuperuser: true }]) {
    t.match(await problem(ada, 'POST', TOKENS, { ...NEW, ...more }), [400, 'invalid-request'], JSON.stringify(more))
  }
  t.match(await problem(ada, 'POST', `${TOKENS}?userId=${root.id}`, NEW), [400, 'invalid-request'])
  t.match(await problem(ada, 'POST', `/v1/users/${root.id}/api-tokens`, NEW), [405, 'method-not-allowed'])
  t.match(await problem(ada, 'POST', `${TOKENS}/${body.id}/rotation`, {}), [404, 'not-found'])
  t.match(await problem(ada, 'DELETE', `${TOKENS}/${body.id}`), [404, 'not-found'])
  t.match(await problem(ada, 'DELETE', `/v1/users/${root.id}/api-tokens/${body.id}`), [403, 'not-permitted'])
  const bare = await fetch(service.url + TOKENS, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(NEW),
  })
  t.equal(bare.status, 401)
})

t.test('what a token cannot be is refused', async (t) => {
  t.same(await problem(ada, 'POST', TOKENS, { ...NEW, scopes: ['admin'] }), [403, 'scope-not-grantable', '/scopes'])
  t.equal((await root.call('POST', TOKENS, { ...NEW, scopes: ['admin'] })).status, 201)
  t.same(await problem(ada, 'POST', TOKENS, { ...NEW, expiresAt: inDays(366) }), [422, 'expiry-too-long', '/expiresAt'])
  const bad: object[] = [
    { ...NEW, expiresAt: inDays(-1) },
    { ...NEW, expiresAt: null },
    { ...NEW, expiresAt: 'tomorrow' },
    { ...NEW, name: '' },
    { ...NEW, name: 'x'.repeat(101) },
    { ...NEW, name: 'a\nb' },
    { ...NEW, name: ['a'] },
    { ...NEW, scopes: [] },
    { ...NEW, scopes: ['check', 'check'] },
    { ...NEW, scopes: ['metrics'] },
    { ...NEW, scopes: 'check' },
    { scopes: ['check'] },
  ]
  for (const body of bad) {
    t.match(await problem(ada, 'POST', TOKENS, body), [400, 'invalid-request'], JSON.stringify(body))
  }
  const { body } = await ada.call('POST', TOKENS, { ...NEW, name: 'Скрипт 🔬 "x", #*' })
  for (const graceSeconds of [-1, 604_801, 1.5, '5', null]) {
    const path = `${TOKENS}/${body.id}/rotation`
    t.match(await problem(ada, 'POST', path, { graceSeconds }), [400, 'invalid-request'], String(graceSeconds))
  }
})

t.test('the 51st is refused', async (t) => {
  const eve = await signedIn(t, service, { username: 'eve' })
  await service.query(
    `INSERT INTO api_tokens (user_id, name, token_hash, scopes, expires_at)
     SELECT $1, 'n', sha256(n::text::bytea), '{check}', now() + interval '1 day' FROM generate_series(1, 50) AS n`,
    [eve.id],
  )
  t.match(await problem(eve, 'POST', TOKENS, NEW), [409, 'token-limit-reached'])
})

t.test('making one takes the password of the last minutes, ending one does not', async (t) => {
  const late = await signedIn(t, service, { username: 'late' })
  const { body } = await late.call('POST', TOKENS, NEW)
  await service.query(`UPDATE sessions SET authenticated_at = now() - interval '11 minutes' WHERE id = $1`, [
    late.sessionId,
  ])
  const refreshed = await fetch(`${service.url}/v1/sessions/refresh`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ refreshToken: late.refreshToken }),
  })
  const { accessToken } = (await refreshed.json()) as { accessToken: string }
  const stale = {
    ...late,
    call: (method: string, path: string, sent?: unknown) =>
      late.call(method, path, sent, { authorization: `Bearer ${accessToken}` }),
  }
  t.match(await problem(stale, 'POST', TOKENS, NEW), [403, 'reauthentication-required'])
  t.match(await problem(stale, 'POST', `${TOKENS}/${body.id}/rotation`, {}), [403, 'reauthentication-required'])
  t.equal((await stale.call('DELETE', `${TOKENS}/${body.id}`)).status, 200)
})

t.test('in a session a user’s questions are by session, and administration needs no token grant', async (t) => {
  const { id: project } = await admin.expect(201, 'POST', '/v1/projects', { title: 'place' })
  const principal = { type: 'user', id: ada.id }
  await admin.expect(201, 'POST', `/v1/projects/${project}/grants`, { principal, permission: 'can_administer' })
  const question = { user: 'ada', project, permission: 'can_annotate' }
  t.equal((await ada.call('POST', '/check', question)).body.allowed, true)
  t.same(await problem(ada, 'POST', '/check', { ...question, via: 'token' }), [400, 'via-mismatch', '/via'])
  t.equal((await ada.call('PATCH', `/v1/projects/${project}`, { title: 'renamed' })).status, 200)
  const [grant] = (await ada.call('GET', `/v1/projects/${project}/grants`)).body.items
  t.match(await problem(ada, 'DELETE', `/v1/projects/${project}/grants/${grant.id}`), [409, 'last-administrator'])
  t.equal((await root.call('DELETE', `/v1/projects/${project}/grants/${grant.id}`)).status, 200)
  const deny = { principal: { type: 'user', id: root.id }, permission: 'can_administer', effect: 'deny' }
  await admin.expect(201, 'POST', `/v1/projects/${project}/grants`, deny)
  t.equal(
    (await root.call('PATCH', `/v1/projects/${project}`, { title: 'again' })).status,
    200,
    'superusers always may',
  )
  t.equal((await root.call('GET', '/v1/users')).status, 200)
})
