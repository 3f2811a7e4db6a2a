import { createHash } from 'node:crypto'
import t from 'tap'
import { newApiToken } from '../../src/api-token.ts'
import { callWith, usersOf } from '../harness/in-person.ts'
import { replicaOf, testService } from '../harness/service.ts'

const service = await testService(t)
const { url, query, parts } = service
const { admin, user, tokenOf } = usersOf(t, service)
const inPerson = (id: number) => ({ caller: `user:${id}`, requestId: null, inPerson: id })
const DAY_MS = 86_400_000
const opens = async (token: string, at = url) => (await callWith(at, token, 'GET', '/v1/me/api-tokens')).status
const refusal = async (work: Promise<unknown>) =>
  (
    await work.then(
      () => undefined,
      (error) => error,
    )
  )?.code

t.test('a token is made, opens, is listed without itself, and ends', async (t) => {
  const ada = await user('ada')
  const { value: made, revision } = await parts.apiTokens.create(inPerson(ada.id), ada.id, {
    name: 'script',
    scopes: ['check', 'account'],
  })
  t.match(made.token, /^gatehouse_pat_[0-9A-Za-z]{36}$/)
  t.match(made, { userId: ada.id, name: 'script', scopes: ['check', 'account'], source: 'api', lastUsedAt: null })
  t.same([made.tokenStart, made.tokenEnd], [made.token.slice(0, 20), made.token.slice(-4)])
  t.equal(await opens(made.token), 200, 'right after it was made')
  const { body: list, headers } = await callWith(url, made.token, 'GET', '/v1/me/api-tokens?sort=-id')
  const { token: _shownOnce, ...shown } = made
  t.same(list.items[0], shown)
  t.match(headers.get('cache-control'), 'no-store')
  t.same((await admin.expect(200, 'GET', `/v1/users/${ada.id}/api-tokens?sort=-id`)).items[0], shown)
  const [row] = await query<{ hash: string }>(
    `SELECT encode(token_hash, 'hex') AS hash FROM api_tokens WHERE id = $1`,
    [made.id],
  )
  t.equal(row?.hash, createHash('sha256').update(made.token).digest('hex'))

  await admin.expect(200, 'DELETE', `/v1/users/${ada.id}/api-tokens/${made.id}`)
  t.equal(await opens(made.token), 401)
  await admin.expect(404, 'DELETE', `/v1/users/${ada.id}/api-tokens/${made.id}`)
  const events = await admin.events(2)
  t.match(events, [
    { action: 'api-token.delete', target: `api-token:${made.id}`, before: { name: 'script', userId: ada.id } },
    { action: 'api-token.create', target: `api-token:${made.id}`, caller: `user:${ada.id}`, revision },
  ])
  t.notMatch(JSON.stringify([list, events, await admin.events(200)]), made.token.slice(14, 46), 'shown once')
})

t.test('a token expires, after 90 days unless the maker says when, at most after 365', async (t) => {
  const { id } = await user('expiring')
  const make = (expiresAt?: string) =>
    parts.apiTokens.create(inPerson(id), id, { name: 'x', scopes: ['account'], ...(expiresAt && { expiresAt }) })
  const days = async (work: ReturnType<typeof make>) =>
    Math.round((Date.parse((await work).value.expiresAt ?? '') - Date.now()) / DAY_MS)
  t.equal(await days(make()), 90)
  t.equal(await days(make(new Date(Date.now() + 364.9 * DAY_MS).toISOString())), 365)
  t.equal(await refusal(make(new Date(Date.now() + 365.1 * DAY_MS).toISOString())), 'expiry-too-long')
  t.equal(await refusal(make(new Date(Date.now() - 1).toISOString())), 'invalid-request')
  t.equal(await refusal(make('2026-02-30T00:00:00Z')), 'invalid-request')
  const { value } = await make()
  t.equal(await opens(value.token), 200)
  await query(`UPDATE api_tokens SET expires_at = now() - interval '1 second' WHERE id = $1`, [value.id])
  await parts.keeper.noticed((await admin.expect(201, 'POST', '/v1/groups', { name: 'after expiry' })).revision)
  t.equal(await opens(value.token), 401)
})

t.test('a token that expires opens nothing from that instant on, without any change of policy', async (t) => {
  const { id } = await user('soon')
  const expiresAt = new Date(Date.now() + 1500).toISOString()
  const { value } = await parts.apiTokens.create(inPerson(id), id, { name: 'x', scopes: ['account'], expiresAt })
  t.equal(await opens(value.token), 200)
  while (Date.now() < Date.parse(expiresAt)) await new Promise((resolve) => setTimeout(resolve, 20))
  t.equal(await opens(value.token), 401, 'though its header was remembered')
})

t.test('a rotated token has a successor with its name and scopes, and goes on for the grace', async (t) => {
  const { id } = await user('rotating')
  const old = await tokenOf(id, ['check', 'account'])
  const { value: next } = await parts.apiTokens.rotate(inPerson(id), id, old.id, 3600)
  t.match(next, { name: 'test', scopes: ['check', 'account'], userId: id })
  t.not(next.token, old.token)
  t.ok(Math.abs(Date.parse(next.expiresAt ?? '') - Date.now() - 90 * DAY_MS) < DAY_MS)
  t.same([await opens(old.token), await opens(next.token)], [200, 200])
  const [row] = await query<{ seconds: number }>(
    'SELECT extract(epoch FROM expires_at - now())::integer AS seconds FROM api_tokens WHERE id = $1',
    [old.id],
  )
  t.ok(row && row.seconds <= 3600 && row.seconds > 3500)
  const { value: last } = await parts.apiTokens.rotate(inPerson(id), id, next.id, 0)
  t.same([await opens(next.token), await opens(last.token)], [401, 200], 'without grace at once')
  t.equal(await refusal(parts.apiTokens.rotate(inPerson(id), id, next.id, 0)), 'not-found')
  t.match(await admin.events(1), [{ action: 'api-token.rotate', target: `api-token:${next.id}` }])
})

t.test('nobody has, rotates or deletes tokens for others', async (t) => {
  const [mine, other] = [await user('mine'), await user('other')]
  for (const work of [
    () => parts.apiTokens.rotate(inPerson(mine.id), mine.id, other.tokenId, 0),
    () => parts.apiTokens.delete(inPerson(mine.id), mine.id, other.tokenId),
  ]) {
    t.equal(await refusal(work()), 'not-found')
  }
  const { items } = (await mine.call('GET', '/v1/me/api-tokens')).body
  t.same(
    items.map((token: { id: number }) => token.id),
    [mine.tokenId],
  )
  t.equal(await opens(other.token), 200)
})

t.test('a token makes, rotates and deletes no tokens', async (t) => {
  const { problem, tokenId } = await user('minting')
  const body = { name: 'more', scopes: ['account'] }
  t.same(await problem('POST', '/v1/me/api-tokens', body), [403, 'not-permitted'])
  t.same(await problem('POST', `/v1/me/api-tokens/${tokenId}/rotation`, {}), [403, 'not-permitted'])
  t.same(await problem('DELETE', `/v1/me/api-tokens/${tokenId}`), [403, 'not-permitted'])
  const key = await admin.call('POST', '/v1/me/api-tokens', body)
  t.same([key.status, key.body.code], [403, 'not-permitted'], 'nor does a service key')
})

t.test('only superusers may give the scope admin, and lose it with being one', async (t) => {
  const plain = await user('plain')
  t.equal(await refusal(tokenOf(plain.id, ['admin'])), 'scope-not-grantable')
  await user('another superuser', { superuser: true })
  const root = await user('root', { superuser: true })
  t.equal(await root.status('GET', '/v1/users'), 200)
  await admin.expect(200, 'PATCH', `/v1/users/${root.id}`, { isSuperuser: false })
  t.same(await root.problem('GET', '/v1/users'), [403, 'not-permitted'])
  t.equal(await opens(root.token), 200, 'the rest of the token stays')
  t.equal(await refusal(parts.apiTokens.rotate(inPerson(root.id), root.id, root.tokenId, 0)), 'scope-not-grantable')
})

t.test('a user has at most 50 tokens, however many are made at once', async (t) => {
  const { id } = await user('collector')
  const made = await Promise.allSettled(Array.from({ length: 60 }, () => tokenOf(id)))
  t.equal(made.filter(({ status }) => status === 'fulfilled').length, 49, 'beside the one there was')
  t.equal(await refusal(tokenOf(id)), 'token-limit-reached')
  await query('UPDATE api_tokens SET expires_at = now() WHERE user_id = $1', [id])
  await tokenOf(id)
  const [row] = await query<{ count: number }>('SELECT count(*)::integer AS count FROM api_tokens WHERE user_id = $1', [
    id,
  ])
  t.equal(row?.count, 21, 'expired ones do not count, and only the last 20 stay')
})

t.test('deactivation and deletion end every token at once, here and on a replica', async (t) => {
  const replica = await replicaOf(t, service)
  const [asleep, gone] = [await user('asleep'), await user('gone')]
  for (const { token } of [asleep, gone]) t.equal(await opens(token), 200)
  await admin.expect(200, 'PATCH', `/v1/users/${asleep.id}`, { isActive: false })
  t.equal(await opens(asleep.token), 401)
  const { revision } = await admin.expect(200, 'DELETE', `/v1/users/${gone.id}`)
  t.equal(await opens(gone.token), 401)
  await replica.parts.keeper.atLeast(revision)
  for (const { token } of [asleep, gone]) t.equal(await opens(token, replica.url), 401)
  t.equal(await refusal(tokenOf(asleep.id)), 'not-permitted', 'and it gets no new ones')
})

t.test('all tokens of a user can be ended', async (t) => {
  const many = await user('many')
  const second = await tokenOf(many.id)
  t.match(await admin.expect(200, 'DELETE', `/v1/users/${many.id}/api-tokens`), { revoked: 2 })
  t.same([await opens(many.token), await opens(second.token)], [401, 401])
  t.match(await admin.expect(200, 'DELETE', `/v1/users/${many.id}/api-tokens`), { revoked: 0 })
  await admin.expect(404, 'DELETE', '/v1/users/2000000000/api-tokens')
  await admin.expect(404, 'GET', '/v1/users/2000000000/api-tokens')
})

t.test('who holds a leaked token can end it, and nobody is told whether there was one', async (t) => {
  const leaking = await user('leaking')
  const revoke = (token: unknown) =>
    fetch(`${url}/v1/api-token-revocations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token }),
    })
  const answers = [
    await revoke(leaking.token),
    await revoke(leaking.token),
    await revoke(newApiToken()),
    await revoke('x'),
  ]
  for (const answer of answers) {
    t.equal(answer.status, 202)
    t.equal(await answer.text(), '{"status":"accepted"}')
  }
  t.equal(await opens(leaking.token), 401)
  t.match(await admin.events(1), [
    { action: 'api-token.revoke', target: `api-token:${leaking.tokenId}`, before: { userId: leaking.id } },
  ])
  for (const bad of [null, 5, ['x'], '', 'x'.repeat(201)]) t.equal((await revoke(bad)).status, 400, JSON.stringify(bad))
})

t.test('a token with one character changed is refused without a look at any table or map', async (t) => {
  const { token } = await user('mistyping')
  const changed = (at: number) => token.slice(0, at) + (token[at] === 'x' ? 'y' : 'x') + token.slice(at + 1)
  const statements: string[] = []
  const { dataSource } = parts.database
  const asked = dataSource.query
  const spy = (sql: string, ...rest: unknown[]) => {
    // The keeper asks for news once a second, whoever calls.
    if (!sql.includes('policy_')) statements.push(sql)
    return asked.call(dataSource, sql, ...(rest as []))
  }
  dataSource.query = spy as typeof asked
  const { apiTokens } = parts.keeper.snapshot().credentials
  const lookUp = apiTokens.get
  let lookUps = 0
  ;(apiTokens as { get: unknown }).get = (hash: string) => {
    lookUps += 1
    return lookUp.call(apiTokens, hash)
  }
  for (const at of [0, 13, 14, 30, 44, 45, token.length - 1]) t.equal(await opens(changed(at)), 401, `${at}`)
  t.same([statements, lookUps], [[], 0])
  t.equal(await opens(newApiToken()), 401)
  t.equal(lookUps, 1, 'one that fits is looked up')
  dataSource.query = asked
  delete (apiTokens as { get?: unknown }).get
})

t.test('the anonymous user has no tokens, whatever a table says', async (t) => {
  const [anonymous] = (await admin.expect(200, 'GET', '/v1/users?isAnonymous=true')).items
  t.equal(await refusal(tokenOf(anonymous.id)), 'not-permitted')
  const token = newApiToken()
  const hash = createHash('sha256').update(token).digest('hex')
  await query(
    `INSERT INTO api_tokens (user_id, name, token_hash, scopes) VALUES ($1, 'by hand', decode($2, 'hex'), '{account}')`,
    [anonymous.id, hash],
  )
  await admin.expect(201, 'POST', '/v1/groups', { name: 'after the anonymous token' })
  t.equal(await opens(token), 401)
})
