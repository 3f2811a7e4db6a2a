import t from 'tap'
import { testService } from '../harness/service.ts'
import { callWithoutToken, callWithToken, PASSWORD, signedIn } from '../harness/sign-in.ts'

const service = await testService(t)
const { query } = service

t.test('users see their own open sessions, newest first, and which one they are in', async (t) => {
  const first = await signedIn(t, service)
  const second = await signedIn(t, service)
  await signedIn(t, service, { username: 'somebody else' })
  const { status, body, headers } = await first.call('GET', '/v1/me/sessions')
  t.equal(status, 200)
  t.equal(headers.get('cache-control'), 'no-store')
  t.match(body.items, [
    { id: second.sessionId, isCurrent: false, network: '127.0.0.1', deviceName: '' },
    { id: first.sessionId, isCurrent: true },
  ])
  t.equal(body.items.length, 2)
  t.notMatch(JSON.stringify(body), /secret/)
})

t.test('logging out ends this session at once, and no other', async (t) => {
  const [here, there] = [await signedIn(t, service), await signedIn(t, service)]
  t.equal((await here.call('DELETE', '/v1/me/sessions/current')).status, 200)
  t.equal((await here.call('GET', '/v1/me/sessions')).status, 401)
  t.equal((await there.call('GET', '/v1/me/sessions')).status, 200)
  const body = { refreshToken: here.refreshToken }
  t.match((await callWithoutToken(service, 'POST', '/v1/sessions/refresh', body)).body, {
    code: 'refresh-token-invalid',
  })
})

t.test('one session, or all others, can be ended from another', async (t) => {
  const user = { username: 'carol' }
  const [lost, phone, here] = [
    await signedIn(t, service, user),
    await signedIn(t, service, user),
    await signedIn(t, service, user),
  ]
  t.equal((await here.call('DELETE', `/v1/me/sessions/${lost.sessionId}`)).status, 200)
  t.equal((await lost.call('GET', '/v1/me/sessions')).status, 401)
  t.equal((await phone.call('GET', '/v1/me/sessions')).status, 200)
  t.equal((await here.call('DELETE', '/v1/me/sessions')).status, 400, 'what stays must be said')
  t.match((await here.call('DELETE', '/v1/me/sessions?except=current')).body, { endedSessions: 1 })
  t.equal((await phone.call('GET', '/v1/me/sessions')).status, 401)
  t.equal((await here.call('GET', '/v1/me/sessions')).status, 200)
})

t.test('a session of somebody else is not there, nor is one that has ended', async (t) => {
  const [alice, bob] = [await signedIn(t, service), await signedIn(t, service, { username: 'bob' })]
  for (const id of [bob.sessionId, 2_000_000_000]) {
    t.match((await alice.call('DELETE', `/v1/me/sessions/${id}`)).body, { status: 404, code: 'not-found' })
  }
  t.equal((await bob.call('GET', '/v1/me/sessions')).status, 200)
  const other = await signedIn(t, service)
  await other.call('DELETE', '/v1/me/sessions/current')
  t.equal((await alice.call('DELETE', `/v1/me/sessions/${other.sessionId}`)).status, 404)
})

t.test('who administers the site ends all sessions of a user, and nobody else does', async (t) => {
  const user = { username: 'dora' }
  const [one, two] = [await signedIn(t, service, user), await signedIn(t, service, user)]
  t.match((await one.call('DELETE', `/v1/users/${one.id}/sessions`)).body, { status: 403, code: 'not-permitted' })
  const root = await signedIn(t, service, { username: 'root', superuser: true })
  t.match((await root.call('DELETE', `/v1/users/${one.id}/sessions`)).body, { endedSessions: 2 })
  for (const session of [one, two]) t.equal((await session.call('GET', '/v1/me/sessions')).status, 401)
  t.equal((await root.call('DELETE', '/v1/users/2000000000/sessions')).status, 404)
  t.match((await root.call('DELETE', `/v1/users/${one.id}/sessions`)).body, { endedSessions: 0 })
  const [event] = await query(`SELECT * FROM audit_events WHERE target = 'user:${one.id}' ORDER BY id DESC LIMIT 1`)
  t.match(event, { action: 'session.end', after: { reason: 'administration', sessions: [Number, Number] } })
})

t.test('sessions are for sessions: neither API tokens nor service keys list or end them', async (t) => {
  const user = await signedIn(t, service)
  const made = await user.call('POST', '/v1/me/api-tokens', { name: 'script', scopes: ['account'] })
  t.equal(made.status, 201)
  for (const credential of [made.body.token, service.keys.admin]) {
    for (const [method, path] of [
      ['GET', '/v1/me/sessions'],
      ['DELETE', '/v1/me/sessions/current'],
      ['DELETE', '/v1/me/sessions?except=current'],
    ] as const) {
      t.match((await callWithToken(service, credential, method, path)).body, { status: 403, code: 'not-permitted' })
    }
  }
})

t.test('giving the password again makes a session fresh', async (t) => {
  const user = await signedIn(t, service, { username: 'erin' })
  await query(`UPDATE sessions SET authenticated_at = now() - interval '1 hour' WHERE id = $1`, [user.sessionId])
  const refreshed = await callWithoutToken(service, 'POST', '/v1/sessions/refresh', { refreshToken: user.refreshToken })
  const stale = refreshed.body.accessToken
  const token = { name: 'script', scopes: ['account'] }
  t.match((await callWithToken(service, stale, 'POST', '/v1/me/api-tokens', token)).body, {
    code: 'reauthentication-required',
  })
  const wrong = await callWithToken(service, stale, 'POST', '/v1/me/reauthentication', { password: 'not the password' })
  t.match(wrong.body, { status: 401, code: 'invalid-credentials' })
  const right = await callWithToken(service, stale, 'POST', '/v1/me/reauthentication', { password: PASSWORD })
  t.match(right.body, { tokenType: 'Bearer', expiresIn: 600, accessToken: String })
  t.equal((await callWithToken(service, right.body.accessToken, 'POST', '/v1/me/api-tokens', token)).status, 201)
  const events = await query<{ action: string }>(`SELECT action FROM audit_events ORDER BY id DESC LIMIT 3`)
  t.match(
    events.map(({ action }) => action),
    [/api-token/, 'session.reauthentication', 'session.reauthentication-failed'],
  )
})

t.test('wrong passwords of a re-authentication count like those of logins', async (t) => {
  const user = await signedIn(t, service, { username: 'frank' })
  const attempt = () => user.call('POST', '/v1/me/reauthentication', { password: 'not the password' })
  for (let count = 0; count < 5; count += 1) t.equal((await attempt()).status, 401)
  t.match((await attempt()).body, { status: 429, code: 'too-many-attempts' })
  const login = { login: 'frank', password: PASSWORD }
  t.match((await callWithoutToken(service, 'POST', '/v1/sessions', login)).body, { code: 'too-many-attempts' })
})

t.test('a service key asks what a token is worth', async (t) => {
  const user = await signedIn(t, service, { username: 'gina' })
  const ask = (token: string, key = service.keys.check) =>
    callWithToken(service, key, 'POST', '/v1/introspection', { token })
  const { body, headers } = await ask(user.accessToken)
  t.same(Object.keys(body).sort(), ['active', 'exp', 'scope', 'sub', 'token_type', 'username', 'via'])
  t.match(body, {
    active: true,
    sub: String(user.id),
    username: 'gina',
    scope: 'check account projects',
    token_type: 'Bearer',
    via: 'session',
  })
  t.equal(headers.get('cache-control'), 'no-store')
  const made = await user.call('POST', '/v1/me/api-tokens', { name: 'script', scopes: ['check'] })
  t.match((await ask(made.body.token)).body, { active: true, sub: String(user.id), scope: 'check', via: 'token' })
  for (const token of ['x', user.refreshToken, service.keys.admin, `${user.accessToken}x`]) {
    t.same((await ask(token)).body, { active: false }, token)
  }
  t.equal((await ask(user.accessToken, service.keys.admin)).status, 403)
  t.match((await ask(user.accessToken, user.accessToken)).body, { status: 403, code: 'not-permitted' })
  await user.call('DELETE', '/v1/me/sessions/current')
  t.same((await ask(user.accessToken)).body, { active: false }, 'once logged out')
  await query('UPDATE users SET is_active = false WHERE id = $1', [user.id])
  t.same((await ask(made.body.token)).body, { active: false }, 'once deactivated')
})
