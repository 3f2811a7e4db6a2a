import t from 'tap'
import { replicaOf, testService } from '../harness/service.ts'
import { callWithoutToken, callWithToken, PASSWORD, signedIn } from '../harness/sign-in.ts'

const service = await testService(t)
const { query } = service
const refresh = (refreshToken: unknown, at: { url: string } = service) =>
  callWithoutToken(at, 'POST', '/v1/sessions/refresh', { refreshToken })
const alive = async (accessToken: string, at: { url: string } = service) =>
  (await callWithToken(at, accessToken, 'GET', '/v1/me/sessions')).status === 200
/** As if the uses of refresh tokens so far had been so long ago. */
const age = (seconds: number) =>
  query(`UPDATE refresh_tokens SET used_at = used_at - make_interval(secs => $1)`, [seconds])

t.test('a refresh token gives the next pair', async (t) => {
  const user = await signedIn(t, service)
  const { status, body, headers } = await refresh(user.refreshToken)
  t.equal(status, 200)
  t.equal(headers.get('cache-control'), 'no-store')
  t.match(body, { tokenType: 'Bearer', expiresIn: 600, session: { id: user.sessionId } })
  t.not(body.refreshToken, user.refreshToken)
  t.ok(await alive(body.accessToken))
  t.equal((await refresh(body.refreshToken)).status, 200, 'and so on')
})

t.test('no refresh token is kept as it is', async (t) => {
  const user = await signedIn(t, service)
  const { body } = await refresh(user.refreshToken)
  const kept = JSON.stringify([
    await query('SELECT *, encode(token_hash, $1) AS text FROM refresh_tokens', ['escape']),
    await query('SELECT * FROM audit_events'),
  ])
  for (const token of [user.refreshToken, body.refreshToken]) t.notMatch(kept, token)
})

t.test('20 refreshes at once with one token give one pair', async (t) => {
  const user = await signedIn(t, service)
  const replica = await replicaOf(t, service)
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, place) => refresh(user.refreshToken, place % 2 === 0 ? service : replica)),
  )
  t.same([...new Set(answers.map(({ status }) => status))], [200])
  t.equal(new Set(answers.map(({ body }) => body.refreshToken)).size, 1)
  t.equal(new Set(answers.map(({ body }) => body.accessToken)).size, 1)
  const [{ count }] = (await query<{ count: number }>(
    'SELECT count(*) FROM refresh_tokens WHERE session_id = $1 AND used_at IS NULL',
    [user.sessionId],
  )) as [{ count: number }]
  t.equal(count, 1)
})

t.test('a client that lost the answer gets the same token again, for ten seconds', async (t) => {
  const user = await signedIn(t, service)
  const first = await refresh(user.refreshToken)
  await age(9)
  const again = await refresh(user.refreshToken)
  t.equal(again.body.refreshToken, first.body.refreshToken)
  await age(9)
  t.match((await refresh(user.refreshToken)).body, { status: 401, code: 'refresh-token-reused' })
  t.notOk(await alive(first.body.accessToken), 'the session has ended, its access tokens too')
  t.match((await refresh(first.body.refreshToken)).body, { status: 401, code: 'refresh-token-invalid' })
})

t.test('a token whose successor was used already is a stolen one, however soon it comes', async (t) => {
  const user = await signedIn(t, service)
  const child = await refresh(user.refreshToken)
  const grandchild = await refresh(child.body.refreshToken)
  t.match((await refresh(user.refreshToken)).body, { status: 401, code: 'refresh-token-reused' })
  t.match((await refresh(grandchild.body.refreshToken)).body, { status: 401, code: 'refresh-token-invalid' })
  t.notOk(await alive(grandchild.body.accessToken))
  const [event] = await query(`SELECT * FROM audit_events ORDER BY id DESC LIMIT 1`)
  t.match(event, { action: 'session.refresh-token-reused', target: `user:${user.id}` })
})

t.test('a session that is not refreshed for 14 days ends, and after 30 days in any case', async (t) => {
  const idle = await signedIn(t, service)
  const [{ days }] = (await query<{ days: number }>(
    `SELECT extract(epoch FROM expires_at - now()) / 86400 AS days FROM refresh_tokens WHERE session_id = $1`,
    [idle.sessionId],
  )) as [{ days: number }]
  t.ok(Math.abs(Number(days) - 14) < 0.01, String(days))
  await query(`UPDATE refresh_tokens SET expires_at = now() WHERE session_id = $1`, [idle.sessionId])
  t.match((await refresh(idle.refreshToken)).body, { status: 401, code: 'refresh-token-invalid' })

  const old = await signedIn(t, service)
  await query(`UPDATE sessions SET expires_at = now() + interval '1 minute' WHERE id = $1`, [old.sessionId])
  const last = await refresh(old.refreshToken)
  t.ok(last.body.expiresIn <= 60, 'no access token outlives its session')
  t.ok(Date.parse(last.body.refreshExpiresAt) <= Date.now() + 60_000, 'nor does a refresh token')
  await query(`UPDATE sessions SET expires_at = now() WHERE id = $1`, [old.sessionId])
  t.match((await refresh(last.body.refreshToken)).body, { status: 401, code: 'refresh-token-invalid' })
})

t.test('what is no refresh token of ours opens nothing', async (t) => {
  const user = await signedIn(t, service)
  const mistyped = user.refreshToken.replace(/.$/, (last) => (last === 'a' ? 'b' : 'a'))
  for (const token of [user.accessToken, mistyped, `${user.refreshToken}x`, 'x', service.keys.admin, "' OR 1=1 --"]) {
    t.match((await refresh(token)).body, { status: 401, code: 'refresh-token-invalid' }, token)
  }
  for (const token of [['a'], { $ne: 1 }, null, 7, '']) t.equal((await refresh(token)).status, 400, String(token))
  t.equal((await callWithToken(service, user.refreshToken, 'GET', '/v1/me/sessions')).status, 401, 'and is no bearer')
  t.equal((await refresh(user.refreshToken)).status, 200, 'none of that used it up')
})

t.test(
  'whoever is deactivated or deleted has no session any more, not even until the access token expires',
  async (t) => {
    const admin = await signedIn(t, service, { username: 'root', superuser: true })
    for (const [method, path, body] of [
      ['PATCH', '', { isActive: false }],
      ['DELETE', '', undefined],
    ] as const) {
      const user = await signedIn(t, service, { username: `gone by ${method}` })
      t.ok(await alive(user.accessToken))
      t.equal((await admin.call(method, `/v1/users/${user.id}${path}`, body)).status, 200)
      t.notOk(await alive(user.accessToken), method)
      t.match((await refresh(user.refreshToken)).body, { status: 401, code: 'refresh-token-invalid' }, method)
    }
    const back = await signedIn(t, service, { username: 'back' })
    await query('UPDATE users SET is_active = false WHERE id = $1', [back.id])
    await query('UPDATE users SET is_active = true WHERE id = $1', [back.id])
    t.match((await refresh(back.refreshToken)).body, { code: 'refresh-token-invalid' }, 'old sessions do not come back')
  },
)

t.test('a refresh counts as activity', async (t) => {
  const user = await signedIn(t, service, { username: 'busy' })
  await refresh(user.refreshToken)
  await service.parts.activity.flush()
  const [activity] = await query('SELECT refreshed_at FROM account_activity WHERE user_id = $1', [user.id])
  t.ok(activity?.refreshed_at)
})

t.test('the password is nowhere: not in the answer, the audit trail, or the tables', async (t) => {
  const everything = await query('SELECT a::text FROM audit_events a UNION ALL SELECT s::text FROM sessions s')
  t.notMatch(JSON.stringify(everything), PASSWORD)
})
