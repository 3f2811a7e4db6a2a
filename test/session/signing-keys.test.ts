import { calculateJwkThumbprint, createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import t from 'tap'
import { administrationOf } from '../harness/administration.ts'
import { replicaOf, testService } from '../harness/service.ts'
import { callWithoutToken, callWithToken, signedIn } from '../harness/sign-in.ts'

type Key = { kid: string; activeFrom: string; publishedUntil: string | null }

/** A service with its keys, and time that a test can let pass. */
async function keysOf(t: Parameters<typeof testService>[0]) {
  const service = await testService(t)
  const admin = administrationOf(t, service)
  const published = async () => {
    const answer = await fetch(`${service.url}/.well-known/jwks.json`)
    return ((await answer.json()) as { keys: Record<string, string>[] }).keys
  }
  return {
    service,
    admin,
    published,
    list: async (): Promise<Key[]> => (await admin.expect(200, 'GET', '/v1/signing-keys')).items,
    rotate: (body = {}) => admin.expect(201, 'POST', '/v1/signing-keys/rotation', body),
    /** As if everything about the keys had been so many hours earlier; every replica learns of it. */
    pass: async (hours: number) => {
      await service.query(
        `UPDATE signing_keys SET created_at = created_at - make_interval(hours => $1),
           active_from = active_from - make_interval(hours => $1),
           published_until = published_until - make_interval(hours => $1)`,
        [hours],
      )
    },
    /** What a service does that verifies access tokens itself, with a library of its own. */
    verify: (token: string) =>
      jwtVerify(token, createRemoteJWKSet(new URL(`${service.url}/.well-known/jwks.json`)), {
        algorithms: ['EdDSA'],
        typ: 'at+jwt',
        issuer: 'urn:gatehouse',
        audience: 'gatehouse',
        requiredClaims: ['sub', 'exp', 'iat', 'jti', 'client_id'],
      }),
    isOpen: async (token: string) => (await callWithToken(service, token, 'GET', '/v1/me/sessions')).status === 200,
  }
}

t.test('there is a key from the start, one for all replicas', async (t) => {
  const { service, list, published } = await keysOf(t)
  await replicaOf(t, service)
  t.match(await list(), [{ kid: /^[\w-]{43}$/, publishedUntil: null }])
  t.equal((await list()).length, 1)
  t.equal((await published()).length, 1)
})

t.test('the key set holds what verifies, and nothing that signs; everybody may keep it for five minutes', async (t) => {
  const { service, admin, published } = await keysOf(t)
  const answer = await fetch(`${service.url}/.well-known/jwks.json`)
  t.equal(answer.headers.get('cache-control'), 'public, max-age=300')
  const [key] = await published()
  t.same(Object.keys(key ?? {}).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x'])
  t.match(key, { kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', use: 'sig' })
  t.equal(key?.kid, await calculateJwkThumbprint(key ?? {}))
  const [{ private_key }] = (await service.query('SELECT private_key FROM signing_keys')) as [{ private_key: string }]
  const secret = private_key.split('\n')[1] ?? ''
  const shown = [await published(), await admin.expect(200, 'GET', '/v1/signing-keys'), await admin.events()]
  const fed = await service.query('SELECT * FROM policy_changes')
  t.ok(secret.length > 20)
  t.notOk(JSON.stringify([shown, fed]).includes(secret))
})

t.test('a JWT library verifies our tokens from the key set before, during and after a rotation', async (t) => {
  const { service, published, rotate, pass, verify, isOpen } = await keysOf(t)
  const user = await signedIn(t, service)
  t.match(await verify(user.accessToken), { payload: { sub: String(user.id), client_id: 'gatehouse' } })

  await rotate()
  t.equal((await published()).length, 2, 'the next key is published before it signs')
  const during = await signedIn(t, service)
  t.equal(decodeProtectedHeader(during.accessToken).kid, decodeProtectedHeader(user.accessToken).kid)
  await t.resolves(verify(during.accessToken))

  await pass(24)
  const after = await signedIn(t, service)
  t.not(decodeProtectedHeader(after.accessToken).kid, decodeProtectedHeader(during.accessToken).kid)
  await t.resolves(verify(after.accessToken))
  await t.resolves(verify(during.accessToken), 'what the old key signed is still in force')
  t.ok(await isOpen(during.accessToken))

  await pass(2)
  t.same((await published()).length, 1)
  await t.rejects(verify(during.accessToken), { code: 'ERR_JWKS_NO_MATCHING_KEY' })
  t.notOk(await isOpen(during.accessToken), 'a retired key verifies nothing here either')
  await t.resolves(verify(after.accessToken))
})

t.test('a key that others may know is gone at once, with everything that it signed', async (t) => {
  const { service, published, rotate, verify, isOpen } = await keysOf(t)
  const user = await signedIn(t, service)
  await rotate()
  await rotate({ immediately: true })
  t.equal((await published()).length, 1)
  t.notOk(await isOpen(user.accessToken))
  await t.rejects(verify(user.accessToken))
  const { refreshToken } = user
  const refreshed = await callWithoutToken(service, 'POST', '/v1/sessions/refresh', { refreshToken })
  t.ok(await isOpen(refreshed.body.accessToken), 'sessions go on: their refresh tokens were not signed')
})

t.test('keys follow each other by the clock: the next is there a day before 90 are over', async (t) => {
  const { service, list, pass, published } = await keysOf(t)
  const { signingKeys } = service.parts
  const [first] = await list()
  await pass(88 * 24)
  await signingKeys.maintain()
  t.equal((await list()).length, 1)
  await pass(25)
  await Promise.all([signingKeys.maintain(), signingKeys.maintain(), signingKeys.maintain()])
  const [old, next] = await list()
  t.equal((await list()).length, 2, 'whoever comes first')
  t.equal(old?.kid, first?.kid)
  t.ok(Date.parse(next?.activeFrom ?? '') - Date.now() > 23.9 * 3_600_000, 'a day for others to learn of it')
  t.equal(Date.parse(old?.publishedUntil ?? '') - Date.parse(next?.activeFrom ?? ''), 3_600_000)
  await pass(26)
  await signingKeys.maintain()
  t.same(
    (await list()).map(({ kid }) => kid),
    [next?.kid],
  )
  t.equal((await published()).length, 1)
  const events = await service.query(
    `SELECT action, caller FROM audit_events WHERE action LIKE 'signing-key%' ORDER BY id`,
  )
  t.same(events, [
    { action: 'signing-key.create', caller: 'command:serve' },
    { action: 'signing-key.create', caller: 'command:serve' },
    { action: 'signing-key.retire', caller: 'command:serve' },
  ])
})

t.test('asking twice for a rotation makes one key, whose time comes no earlier than others can know it', async (t) => {
  const { list, rotate, pass } = await keysOf(t)
  await rotate()
  await rotate()
  t.equal((await list()).length, 2)
  await pass(23)
  await rotate()
  const [, next] = await list()
  t.ok(Date.parse(next?.activeFrom ?? '') > Date.now())
})

t.test('who does not administer the site does not rotate', async (t) => {
  const { service, admin, list } = await keysOf(t)
  const user = await signedIn(t, service)
  t.equal((await user.call('POST', '/v1/signing-keys/rotation', { immediately: true })).status, 403)
  t.equal((await callWithToken(service, service.keys.check, 'POST', '/v1/signing-keys/rotation', {})).status, 403)
  t.equal((await admin.call('POST', '/v1/signing-keys/rotation', { kid: 'mine' })).status, 400)
  t.equal((await list()).length, 1)
})
