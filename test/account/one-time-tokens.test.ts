import t, { type Test } from 'tap'
import {
  addressOf,
  OTHER_PASSWORD,
  PASSWORD,
  type RegistrationSite,
  registrationSite,
} from '../harness/registration.ts'
import { signedIn } from '../harness/sign-in.ts'

const NEW_PASSWORD = 'two patient tortoises nap'

/** Every address that takes a one-time token, with the body it wants. */
const CONSUMERS: Record<string, { path: string; body: (token: unknown) => object }> = {
  'email-confirmation': { path: '/v1/email-confirmations', body: (token) => ({ token }) },
  'password-reset': {
    path: '/v1/password-resets/confirm',
    body: (token) => ({ token, newPassword: NEW_PASSWORD }),
  },
  'email-change': { path: '/v1/email-changes', body: (token) => ({ token }) },
}

/** One token of each kind that there is, made the way people come by them. */
async function tokensOfEachKind(t: Test, site: RegistrationSite): Promise<Record<string, string>> {
  await site.register('unconfirmed')
  const confirmation = await site.box.next('unconfirmed@example.org')
  await site.member('member')
  const user = await signedIn(t, site.service, { username: 'changer', email: 'changer@example.org' })
  await site.forgetLimits()
  t.equal((await site.post('/v1/password-resets', { email: addressOf('member') })).status, 202)
  await site.workedOff()
  const reset = await site.box.next(addressOf('member'))
  const asked = await user.call('POST', '/v1/me/email-change', {
    newEmail: 'changed@example.org',
    password: 'seven purple donkeys read the paper',
  })
  t.equal(asked.status, 202, JSON.stringify(asked.body))
  const change = await site.box.next('changed@example.org')
  const { value: apiToken } = await site.service.parts.apiTokens.create(
    { caller: `user:${user.id}`, requestId: null, inPerson: user.id },
    user.id,
    { name: 'x', scopes: ['account'] },
  )
  return {
    'email-confirmation': confirmation.token,
    'password-reset': reset.token,
    'email-change': change.token,
    'access token': user.accessToken,
    'refresh token': user.refreshToken,
    'API token': apiToken.token,
    'service key': site.service.keys.admin,
  }
}

t.test('C4: a token for one purpose opens nothing else', async (t) => {
  const site = await registrationSite(t)
  const tokens = await tokensOfEachKind(t, site)
  const rows = () =>
    site.service.query(
      'SELECT id, username, email, is_active, password_hash, email_confirmed_at FROM users ORDER BY id',
    )
  const before = await rows()
  for (const [kind, token] of Object.entries(tokens)) {
    for (const [purpose, { path, body }] of Object.entries(CONSUMERS)) {
      if (kind === purpose) continue
      const answer = await site.post(path, body(token))
      const refused = { status: 400, body: { code: token.length > 200 ? 'invalid-request' : 'token-invalid' } }
      t.match(answer, refused, `${kind} at ${path}`)
    }
  }
  for (const kind of Object.keys(CONSUMERS)) {
    const token = String(tokens[kind])
    const bearer = await fetch(`${site.service.url}/v1/me`, { headers: { authorization: `Bearer ${token}` } })
    t.equal(bearer.status, 401, `${kind} as bearer`)
    const inQuery = await fetch(`${site.service.url}/v1/me?access_token=${token}&token=${token}`)
    t.equal(inQuery.status, 401)
    const refresh = await site.post('/v1/sessions/refresh', { refreshToken: token })
    t.equal(refresh.status, 401, `${kind} as refresh token`)
    const login = await site.post('/v1/sessions', { login: 'changer', password: token })
    t.equal(login.status, 401, `${kind} as password`)
    await site.forgetLimits()
  }
  t.same(await rows(), before, 'nothing has changed')
  for (const [purpose, { path, body }] of Object.entries(CONSUMERS)) {
    t.equal((await site.post(path, body(tokens[purpose]))).status, 200, `${purpose} works where it belongs`)
    t.match(await site.post(path, body(tokens[purpose])), { status: 400, body: { code: 'token-invalid' } }, 'once')
  }
})

t.test('C2: without a token nothing is reset, whatever is sent for one', async (t) => {
  const site = await registrationSite(t)
  const id = await site.member('owner')
  const hash = () => site.service.query('SELECT password_hash, email FROM users WHERE id = $1', [id])
  const before = await hash()
  const { PgOneTimeTokenStore } = await import('../../src/account/one-time-token-store.ts')
  const tokens = new PgOneTimeTokenStore(site.service.parts.database.dataSource.manager)
  const bearing = { userId: id, address: addressOf('owner') }
  const real = await tokens.issue('password-reset', bearing, 60_000)
  const flipped = real.slice(0, -10) + (real.at(-10) === 'A' ? 'B' : 'A') + real.slice(-9)
  const expired = await tokens.issue('password-reset', bearing, -1)
  const elsewhere = await tokens.issue('password-reset', { userId: id, address: 'else@example.org' }, 60_000)
  const wrong = [
    '',
    ' ',
    flipped,
    `${real} `,
    real.toUpperCase(),
    expired,
    elsewhere,
    '%',
    "' OR '1'='1",
    'x'.repeat(200),
  ]
  for (const token of wrong) {
    for (const { path, body } of Object.values(CONSUMERS)) {
      t.match(
        await site.post(path, body(token)),
        { status: 400, body: { code: 'token-invalid' } },
        JSON.stringify(token),
      )
    }
  }
  for (const token of [null, [], [real], { $ne: '' }, 0, true, undefined, 'x'.repeat(201), { token: real }]) {
    for (const { path, body } of Object.values(CONSUMERS)) {
      t.match(
        await site.post(path, body(token)),
        { status: 400, body: { code: 'invalid-request' } },
        JSON.stringify(token),
      )
    }
  }
  const more = { token: real, newPassword: NEW_PASSWORD, userId: id }
  t.match(await site.post('/v1/password-resets/confirm', more), { status: 400, body: { code: 'invalid-request' } })
  t.same(await hash(), before)
  await site.forgetLimits()
  const asked = await site.post('/v1/password-resets', { email: addressOf('owner') })
  t.same(asked.body, { status: 'accepted' })
  t.notMatch(JSON.stringify([...asked.headers]), /gatehouse_once/, 'no token in the answer that asks for it')
  t.equal((await site.post('/v1/password-resets/confirm', { token: real, newPassword: NEW_PASSWORD })).status, 200)
})

t.test('C23: a link goes to the address as it is stored, whatever spelling is asked for', async (t) => {
  const site = await registrationSite(t)
  await site.member('mike')
  for (const email of ['MIKE@EXAMPLE.ORG', 'mike@example.org', 'mi\u212Ae@example.org', 'Mike@Example.Org']) {
    await site.forgetLimits()
    t.equal((await site.post('/v1/password-resets', { email })).status, 202)
    await site.workedOff()
  }
  for (const email of ['mıke@example.org', 'mike@exampIe.org', 'mike+x@example.org']) {
    await site.forgetLimits()
    t.equal((await site.post('/v1/password-resets', { email })).status, 202)
    await site.workedOff()
  }
  const mails = await site.service.query(`SELECT DISTINCT recipient FROM mail_outbox WHERE kind = 'password-reset'`)
  t.same(mails, [{ recipient: 'mike@example.org' }])
  for (const email of ['mike＠example.org', 'mike@example。org', 'mike@example.org\n', '<mike@example.org>']) {
    t.match(await site.post('/v1/password-resets', { email }), { status: 400, body: { code: 'invalid-request' } })
  }
  await site.admin.expect(201, 'POST', '/v1/users', { username: 'umlaut', email: 'u@müller.example' })
  await site.forgetLimits()
  await site.post('/v1/password-resets', { email: 'U@xn--mller-kva.example' })
  await site.workedOff()
  t.equal((await site.service.query(`SELECT FROM mail_outbox WHERE recipient = 'u@müller.example'`)).length, 1)
})

t.test('an account that is closed gets no link, and old ones open nothing', async (t) => {
  const site = await registrationSite(t)
  const ids: Record<string, number> = {}
  const links: Record<string, string> = {}
  for (const username of ['deactivated', 'idle', 'deleted']) {
    ids[username] = await site.member(username)
    await site.forgetLimits()
    await site.post('/v1/password-resets', { email: addressOf(username) })
    await site.workedOff()
    links[username] = (await site.box.next(addressOf(username))).token
  }
  await site.register('unconfirmed')
  await site.admin.expect(200, 'PUT', `/v1/users/${ids.deactivated}/deactivation`, {})
  await site.service.query(`UPDATE users SET is_active = false, deactivation_reason = 'inactivity' WHERE id = $1`, [
    ids.idle,
  ])
  await site.admin.expect(200, 'DELETE', `/v1/users/${ids.deleted}`)
  const count = async () => (await site.service.query(`SELECT FROM mail_outbox WHERE kind = 'password-reset'`)).length
  const before = await count()
  for (const username of ['deactivated', 'idle', 'deleted', 'unconfirmed', 'nobody']) {
    await site.forgetLimits()
    const answer = await site.post('/v1/password-resets', { email: addressOf(username) })
    t.match(answer, { status: 202, body: { status: 'accepted' } })
    await site.workedOff()
  }
  t.equal(await count(), before)
  for (const [username, token] of Object.entries(links)) {
    const answer = await site.post('/v1/password-resets/confirm', { token, newPassword: OTHER_PASSWORD })
    t.match(answer, { status: 400, body: { code: 'token-invalid' } }, username)
  }
  t.match(await site.userNamed('deactivated'), { isActive: false })
  for (const id of [ids.deactivated, ids.idle]) {
    t.match(await site.admin.expect(409, 'POST', `/v1/users/${id}/password-reset`), { code: 'cannot-be-mailed' })
  }
  t.match(await site.admin.expect(404, 'POST', `/v1/users/${ids.deleted}/password-reset`), { code: 'not-found' })
})

t.test('a reset ends all sessions, clears the throttle, and tells the owner', async (t) => {
  const site = await registrationSite(t)
  const id = await site.member('resetter')
  const sessions = await Promise.all(
    [1, 2].map(() => site.post('/v1/sessions', { login: 'resetter', password: PASSWORD })),
  )
  const me = (token: string) => fetch(`${site.service.url}/v1/me`, { headers: { authorization: `Bearer ${token}` } })
  for (const { body } of sessions) t.equal((await me(body.accessToken)).status, 200)
  const context = { caller: `user:${id}`, requestId: null, inPerson: id }
  await site.service.parts.apiTokens.create(context, id, { name: 'one', scopes: ['account'] })
  for (let tries = 0; tries < 7; tries += 1) await site.post('/v1/sessions', { login: 'resetter', password: 'wrong' })
  await site.admin.expect(202, 'POST', `/v1/users/${id}/password-reset`)
  const { token } = await site.box.next('resetter@example.org')
  const weak = await site.post('/v1/password-resets/confirm', { token, newPassword: 'resetter resetter' })
  t.match(
    weak,
    { status: 422, body: { code: 'password-blocklisted' } },
    'a password that is no good leaves the link good',
  )
  const done = await site.post('/v1/password-resets/confirm', {
    token,
    newPassword: NEW_PASSWORD,
    revokeApiTokens: true,
  })
  t.match(done, { status: 200, body: { revokedSessions: 2, revokedApiTokens: 1 } })
  t.equal(done.headers.get('cache-control'), 'no-store')
  for (const { body } of sessions) {
    t.equal((await me(body.accessToken)).status, 401)
    t.equal((await site.post('/v1/sessions/refresh', { refreshToken: body.refreshToken })).status, 401)
  }
  const notice = await site.box.next('resetter@example.org')
  t.match(notice.subject, 'Your password was changed')
  t.equal(notice.token, '')
  t.equal((await site.post('/v1/sessions', { login: 'resetter', password: PASSWORD })).status, 401)
  t.equal((await site.post('/v1/sessions', { login: 'resetter', password: NEW_PASSWORD })).status, 201)
})

t.test('accounts that share an address get one mail with a link each, and each link is for its own', async (t) => {
  const site = await registrationSite(t)
  for (const username of ['one', 'two']) {
    await site.admin.expect(201, 'POST', '/v1/users', { username, email: 'shared@example.org' })
  }
  await site.post('/v1/password-resets', { email: 'Shared@example.org' })
  await site.workedOff()
  const mail = await site.box.next('shared@example.org')
  const tokens = [...(mail.text ?? '').matchAll(/gatehouse_once_\w+/g)].map(([token]) => token)
  t.equal(new Set(tokens).size, 2)
  t.match(mail.text, /Account one:[\s\S]*Account two:/)
  await site.post('/v1/password-resets/confirm', { token: tokens[1], newPassword: NEW_PASSWORD })
  t.equal((await site.post('/v1/sessions', { login: 'two', password: NEW_PASSWORD })).status, 201)
  t.equal((await site.post('/v1/sessions', { login: 'one', password: NEW_PASSWORD })).status, 401)
  t.match(await site.userNamed('two'), { emailConfirmedAt: /Z$/ })
  t.match(await site.userNamed('one'), { emailConfirmedAt: null })
})

t.test('parallel resets with one link are one', async (t) => {
  const site = await registrationSite(t)
  const id = await site.member('rusher')
  await site.admin.expect(202, 'POST', `/v1/users/${id}/password-reset`)
  const { token } = await site.box.next('rusher@example.org')
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, at) =>
      site.post('/v1/password-resets/confirm', { token, newPassword: `${NEW_PASSWORD} ${at}` }),
    ),
  )
  const codes = answers.map(({ status, body }) => (status === 200 ? 'done' : body.code))
  t.equal(codes.filter((code) => code === 'done').length, 1)
  t.same(
    codes.filter((code) => !['done', 'token-invalid', 'overloaded'].includes(code)),
    [],
  )
  const chosen = codes.indexOf('done')
  t.equal((await site.post('/v1/sessions', { login: 'rusher', password: `${NEW_PASSWORD} ${chosen}` })).status, 201)
  const notices = `SELECT FROM mail_outbox WHERE user_id = $1 AND kind = 'password-changed'`
  t.equal((await site.service.query(notices, [id])).length, 1)
})
