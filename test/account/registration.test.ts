import { Writable } from 'node:stream'
import { pino } from 'pino'
import t from 'tap'
import { addressesIn, mailbox } from '../harness/mailbox.ts'
import { rawRequest } from '../harness/raw-request.ts'
import { addressOf, OTHER_PASSWORD, PASSWORD, registrationSite } from '../harness/registration.ts'
import { testService } from '../harness/service.ts'
import { signedIn } from '../harness/sign-in.ts'

const login = (username: string, password: string) => ({ login: username, password })
const person = (username: string, more: object = {}) => ({
  username,
  email: addressOf(username),
  firstName: 'First',
  lastName: 'Last',
  password: PASSWORD,
  ...more,
})

t.test('the whole path: register, confirm, be welcomed, log in', async (t) => {
  const site = await registrationSite(t, {
    REGISTRATION_REPLY_TO: 'lab@example.org',
    REGISTRATION_TERMS_TEXT: 'Be kind.',
    REGISTRATION_TERMS_VERSION: '2026-11',
    NEW_USER_GROUPS: 'newcomers, nowhere',
  })
  const { id: newcomers } = await site.admin.expect(201, 'POST', '/v1/groups', { name: 'newcomers' })

  t.test('what has to be known is shown', async (t) => {
    const answer = await fetch(`${site.service.url}/v1/registration`)
    t.equal(answer.headers.get('cache-control'), 'no-store')
    t.same(await answer.json(), {
      confirmationRequired: true,
      terms: { version: '2026-11', text: 'Be kind.' },
      password: { minLength: 15, maxLength: 256 },
    })
  })

  t.test('terms that were not accepted, or others, are refused', async (t) => {
    for (const more of [{}, { acceptTermsVersion: '2025-01' }, { acceptTermsVersion: '' }]) {
      const { status, body } = await site.post('/v1/registrations', person('nobody', more))
      t.match({ status, body }, { status: 422, body: { code: 'terms-not-accepted' } })
    }
  })

  await site.register('ada', { acceptTermsVersion: '2026-11' })
  const asked = await site.box.next('ada@example.org')

  t.test('a mail asks for confirmation, and nothing is open before', async (t) => {
    t.match(asked.text, /Hello First/)
    t.same(
      asked.links.filter((link) => link.includes('?')),
      [`https://gatehouse.example.org/confirm-email?token=${asked.token}`],
    )
    t.same(addressesIn(asked.replyTo), ['lab@example.org'])
    t.match(await site.userNamed('ada'), {
      isActive: false,
      deactivationReason: 'unconfirmed',
      emailConfirmedAt: null,
      email: 'ada@example.org',
    })
    const closed = await site.post('/v1/sessions', login('ada', PASSWORD))
    t.match(closed, { status: 403, body: { code: 'email-not-confirmed' } })
  })

  t.test('no GET and no HEAD of a link changes anything', async (t) => {
    for (const path of ['/v1/email-confirmations', '/confirm-email', '/v1/email-changes', '/v1/password-resets']) {
      for (const method of ['GET', 'HEAD']) {
        const url = `${site.service.url}${path}?token=${asked.token}`
        await fetch(url, { method })
      }
    }
    t.match(await site.userNamed('ada'), { isActive: false })
  })

  t.test('a wrong password leaves the account closed and the link good', async (t) => {
    const wrong = await site.post('/v1/email-confirmations', { token: asked.token, password: OTHER_PASSWORD })
    t.match(wrong, { status: 401, body: { code: 'invalid-credentials' } })
    t.match(await site.userNamed('ada'), { isActive: false })
  })

  t.test('confirming with the password opens the account', async (t) => {
    const done = await site.post('/v1/email-confirmations', { token: asked.token, password: PASSWORD })
    t.match(done, { status: 200, body: { passwordKept: true } })
    const user = await site.userNamed('ada')
    t.match(user, { isActive: true, deactivationReason: null, emailConfirmedAt: /Z$/ })
    const [row] = await site.service.query('SELECT terms_version, terms_accepted_at FROM users WHERE id = $1', [
      user.id,
    ])
    t.match(row, { terms_version: '2026-11', terms_accepted_at: Date })
    const [groups] = await site.service.query(
      `SELECT (SELECT count(*)::int FROM groups WHERE name = 'ada') AS own,
         (SELECT count(*)::int FROM memberships WHERE user_id = $1) AS all,
         (SELECT count(*)::int FROM memberships WHERE user_id = $1 AND group_id = $2) AS newcomers`,
      [user.id, newcomers],
    )
    t.same(groups, { own: 1, all: 1, newcomers: 1 }, 'of the group of the same name the user is no member')
    const welcome = await site.box.next('ada@example.org')
    t.match(welcome.subject, 'Welcome')
    t.same(addressesIn(welcome.replyTo), ['lab@example.org'])
    const events = await site.admin.expect(200, 'GET', `/v1/audit-events?target=user:${user.id}&sort=id`)
    const changes = events.items.filter(({ action }: { action: string }) => action.startsWith('user.'))
    t.match(changes, [
      { action: 'user.register', caller: 'public' },
      { action: 'user.confirm', caller: `user:${user.id}` },
    ])
    t.notMatch(JSON.stringify(events), /argon2|gatehouse_once/)
  })

  t.test('a link works once', async (t) => {
    for (const more of [{}, { password: PASSWORD }]) {
      const again = await site.post('/v1/email-confirmations', { token: asked.token, ...more })
      t.match(again, { status: 400, body: { code: 'token-invalid' } })
    }
  })

  t.test('now the user logs in', async (t) => {
    const opened = await site.post('/v1/sessions', login('ada', PASSWORD))
    t.equal(opened.status, 201, JSON.stringify(opened.body))
    const byAddress = await site.post('/v1/sessions', login('ADA@example.org', PASSWORD))
    t.equal(byAddress.status, 201, 'by the confirmed address too')
  })
})

t.test('each switch the other way', async (t) => {
  t.test('without welcome mail and without a group of the same name', async (t) => {
    const site = await registrationSite(t, { REGISTRATION_WELCOME_MAIL: 'false', NEW_USER_CREATE_GROUP: 'false' })
    await site.register('bea')
    const { token, replyTo } = await site.box.next('bea@example.org')
    t.equal(replyTo, undefined)
    t.equal((await site.post('/v1/email-confirmations', { token, password: PASSWORD })).status, 200)
    t.same((await site.admin.expect(200, 'GET', '/v1/groups?name=bea')).items, [])
    t.same(await site.service.query(`SELECT FROM mail_outbox WHERE kind = 'welcome'`), [])
    const withTerms = await site.post('/v1/registrations', person('cleo', { acceptTermsVersion: '1' }))
    t.match(withTerms, { status: 422, body: { code: 'terms-not-accepted' } }, 'where there are none, none are accepted')
  })

  t.test(
    'without confirmation the account is open at once, its address unconfirmed, and the welcome comes',
    async (t) => {
      const site = await registrationSite(t, { REGISTRATION_CONFIRMATION_REQUIRED: 'false' })
      await site.register('dan')
      t.match(await site.userNamed('dan'), { isActive: true, emailConfirmedAt: null, deactivationReason: null })
      t.match((await site.box.next('dan@example.org')).subject, 'Welcome')
      t.equal((await site.post('/v1/sessions', login('dan', PASSWORD))).status, 201)
      t.equal((await site.post('/v1/sessions', login('dan@example.org', PASSWORD))).status, 401, 'not by the address')
      const taken = await site.post('/v1/registrations', person('dan', { email: 'other@example.org' }))
      t.match(taken, { status: 409, body: { code: 'name-taken' } })
    },
  )

  t.test('texts of the operator, from the environment or a file, with their placeholders', async (t) => {
    const dir = t.testdir({ 'welcome.txt': 'Moin {{firstName}}, du bist {{username}} bei {{publicUrl}}.' })
    const site = await registrationSite(t, {
      REGISTRATION_CONFIRMATION_TEXT: 'Bitte: {{link}}',
      REGISTRATION_WELCOME_TEXT_FILE: `${dir}/welcome.txt`,
    })
    await site.register('eva', { firstName: 'Eva' })
    const asked = await site.box.next('eva@example.org')
    t.equal(asked.text?.trim(), `Bitte: https://gatehouse.example.org/confirm-email?token=${asked.token}`)
    await site.post('/v1/email-confirmations', { token: asked.token, password: PASSWORD })
    const welcome = await site.box.next('eva@example.org')
    t.equal(welcome.text?.trim(), 'Moin Eva, du bist eva bei https://gatehouse.example.org.')
  })
})

t.test('C18: with registration off every route of it refuses, before anything else is looked at', async (t) => {
  const service = await testService(t)
  const before = service.parts.passwords.work.hashes
  const user = await service.parts.users.create(
    { caller: 'command:test', requestId: null, inPerson: null },
    { username: 'waiting', email: 'waiting@example.org' },
  )
  await service.query(`UPDATE users SET is_active = false, deactivation_reason = 'unconfirmed'`)
  const { PgOneTimeTokenStore } = await import('../../src/account/one-time-token-store.ts')
  const tokens = new PgOneTimeTokenStore(service.parts.database.dataSource.manager)
  const bearing = { userId: user.value.id, address: 'waiting@example.org' }
  const token = await tokens.issue('email-confirmation', bearing, 60_000)
  const bodies = [
    '',
    '{',
    '[]',
    '{}',
    JSON.stringify(person('x')),
    JSON.stringify({ token }),
    '{"email":"a@example.org"}',
  ]
  const routes = ['/v1/registrations', '/v1/email-confirmations', '/v1/email-confirmations/resend']
  for (const path of routes) {
    for (const body of bodies) {
      for (const type of ['application/json', 'text/plain', 'application/x-www-form-urlencoded']) {
        const answer = await fetch(service.url + path, { method: 'POST', headers: { 'content-type': type }, body })
        t.match(await answer.json(), { status: 403, code: 'registration-disabled' }, `${path} ${body} ${type}`)
      }
    }
  }
  t.match(await (await fetch(`${service.url}/v1/registration`)).json(), { code: 'registration-disabled' })
  for (const table of ['account_requests', 'mail_outbox', 'throttles']) {
    t.same(await service.query(`SELECT FROM ${table}`), [], `nothing in ${table}`)
  }
  t.equal(service.parts.passwords.work.hashes, before, 'nothing was hashed')
  t.match(await tokens.find('email-confirmation', token), bearing, 'the link that was mailed before was not used')
})

t.test('names are guarded, and only the owner of the address is told', async (t) => {
  const site = await registrationSite(t, { NEW_USER_GROUPS: 'newcomers' })
  const { admin } = site
  const taken = await admin.expect(201, 'POST', '/v1/users', { username: 'Taken', email: 'taken@example.org' })
  const gone = await admin.expect(201, 'POST', '/v1/users', { username: 'gone' })
  await admin.expect(200, 'DELETE', `/v1/users/${gone.id}`)
  const { id: group } = await admin.expect(201, 'POST', '/v1/groups', { name: 'tracers' })
  await admin.expect(201, 'PUT', `/v1/groups/${group}/members/${taken.id}`)
  await admin.expect(201, 'POST', '/v1/groups', { name: 'empty' })
  await admin.expect(201, 'POST', '/v1/groups', { name: 'newcomers' })
  for (const username of ['Taken', 'taken', 'gone', 'tracers', 'anonymous', 'newcomers']) {
    await site.register(username, { email: `about-${username}@example.org` })
    const mail = await site.box.next(`about-${username}@example.org`)
    t.match(mail.subject, 'Please choose another login', username)
    t.match(mail.text, username)
    t.equal(mail.token, '')
  }
  t.equal((await site.service.query('SELECT FROM users')).length, 3, 'no account was made')
  await site.register('empty')
  await site.box.next('empty@example.org')
  t.match(await site.userNamed('empty'), { isActive: false }, 'a group without members guards nothing')
  const [empties] = await site.service.query(`SELECT count(*)::int AS groups FROM groups WHERE name = 'empty'`)
  t.same(empties, { groups: 1 })

  t.test(
    'an address that has an account changes nothing there; its owner is told, at the address as it is stored',
    async (t) => {
      await site.register('second', { email: 'TAKEN@EXAMPLE.org' })
      const mail = await site.box.next('taken@example.org')
      t.match(mail.subject, 'You have an account already')
      t.same(mail.envelope.to, ['taken@example.org'])
      t.equal(await site.userNamed('second'), undefined)
      const after = await admin.expect(200, 'GET', `/v1/users/${taken.id}`)
      const { revision: _revision, ...before } = taken
      t.same(after, before)
    },
  )

  t.test('registering again before confirming brings the link again, and no second account', async (t) => {
    await site.register('empty2', { email: 'empty@example.org', password: OTHER_PASSWORD })
    t.match((await site.box.next('empty@example.org')).token, /^gatehouse_once_/)
    t.equal(await site.userNamed('empty2'), undefined)
  })

  t.test('what can be no login or no address is refused at once', async (t) => {
    for (const more of [
      { username: 'ann@example.org' },
      { username: ' ann' },
      { username: 'a\nb' },
      { username: '' },
      { username: 'x'.repeat(151) },
      { username: 7 },
      { username: ['ann'] },
      { username: { $ne: '' } },
      { email: '' },
      { email: 'no address' },
      { email: 'a@b, c@d' },
      { email: '"a b"@example.org' },
      { email: 'u@a.org\r\nRCPT TO:<evil@x.org>' },
      { email: 'ann＠example.org' },
      { email: 'Ann <ann@example.org>' },
      { email: ['ann@example.org'] },
      { firstName: 'A\r\nBcc: evil@x.org' },
      { firstName: 'x'.repeat(151) },
      { isSuperuser: true },
      { isActive: true },
      { groups: ['tracers'] },
      { emailConfirmedAt: '2026-01-01T00:00:00Z' },
      { id: 1 },
      { createGroup: true },
      { confirmEditRights: true },
    ]) {
      const answer = await site.post('/v1/registrations', person('ann', more))
      t.match(answer, { status: 400, body: { code: 'invalid-request' } }, JSON.stringify(more))
    }
    for (const [password, code] of [
      ['x'.repeat(14), 'password-too-short'],
      ['x y '.repeat(70), 'password-too-long'],
      ['correct horse battery staple', 'password-blocklisted'],
      ['annannannannannann', 'password-blocklisted'],
    ] as const) {
      t.match(await site.post('/v1/registrations', person('ann', { password })), { status: 422, body: { code } })
    }
    t.equal(await site.userNamed('ann'), undefined)
  })
})

t.test('an account is not opened by somebody who only registered it', async (t) => {
  const site = await registrationSite(t)

  t.test('C6: who confirms without the password discards it, and gets a link to choose another one', async (t) => {
    await site.register('victim')
    const { token } = await site.box.next('victim@example.org')
    const done = await site.post('/v1/email-confirmations', { token })
    t.match(done, { status: 200, body: { passwordKept: false } })
    await site.box.next('victim@example.org')
    const reset = await site.box.next('victim@example.org')
    t.match((await site.post('/v1/sessions', login('victim', PASSWORD))).status, 401, 'the first password is dead')
    const chosen = await site.post('/v1/password-resets/confirm', { token: reset.token, newPassword: OTHER_PASSWORD })
    t.match(chosen, { status: 200, body: { revokedSessions: 0, revokedApiTokens: 0 } })
    t.equal((await site.post('/v1/sessions', login('victim', OTHER_PASSWORD))).status, 201)
  })

  t.test('C25: an account that an administrator deactivated meanwhile stays so', async (t) => {
    await site.register('stopped')
    const { token } = await site.box.next('stopped@example.org')
    const { id } = await site.userNamed('stopped')
    await site.admin.expect(200, 'PUT', `/v1/users/${id}/deactivation`, { message: 'no' })
    const refused = await site.post('/v1/email-confirmations', { token, password: PASSWORD })
    t.match(refused, { status: 400, body: { code: 'token-invalid' } })
    t.match(await site.userNamed('stopped'), { isActive: false, deactivationReason: 'admin' })
    await site.forgetLimits()
    await site.post('/v1/email-confirmations/resend', { email: 'stopped@example.org' })
    await site.workedOff()
    const mails = `SELECT FROM mail_outbox WHERE recipient = 'stopped@example.org'`
    t.equal((await site.service.query(mails)).length, 1, 'nor is another link mailed')
  })

  t.test('statement 54: one that was confirmed and deactivated stays so, with every old link', async (t) => {
    await site.register('former')
    const first = await site.box.next('former@example.org')
    await site.forgetLimits()
    await site.post('/v1/email-confirmations/resend', { email: 'former@example.org' })
    await site.workedOff()
    const second = await site.box.next('former@example.org')
    t.not(first.token, second.token)
    t.equal((await site.post('/v1/email-confirmations', { token: second.token, password: PASSWORD })).status, 200)
    const { id } = await site.userNamed('former')
    await site.admin.expect(200, 'PUT', `/v1/users/${id}/deactivation`, {})
    for (const { token } of [first, second]) {
      t.match(await site.post('/v1/email-confirmations', { token }), { status: 400, body: { code: 'token-invalid' } })
    }
    t.match(await site.userNamed('former'), { isActive: false })
  })

  t.test('C5: a link to an address that the account no longer has opens nothing', async (t) => {
    await site.register('mover')
    const { token } = await site.box.next('mover@example.org')
    const { id } = await site.userNamed('mover')
    await site.admin.expect(200, 'PATCH', `/v1/users/${id}`, { email: 'elsewhere@example.org' })
    await site.admin.expect(200, 'PATCH', `/v1/users/${id}`, { email: 'mover@example.org' })
    t.match(await site.post('/v1/email-confirmations', { token }), { status: 400, body: { code: 'token-invalid' } })
  })

  t.test('an expired link opens nothing', async (t) => {
    await site.register('late')
    const { token } = await site.box.next('late@example.org')
    const { id } = await site.userNamed('late')
    const [lifetime] = await site.service.query(
      `SELECT extract(epoch FROM expires_at - created_at)::int / 3600 AS hours FROM one_time_tokens WHERE user_id = $1`,
      [id],
    )
    t.same(lifetime, { hours: 24 })
    await site.service.query(`UPDATE one_time_tokens SET expires_at = now() WHERE user_id = $1`, [id])
    t.match(await site.post('/v1/email-confirmations', { token }), { status: 400, body: { code: 'token-invalid' } })
  })

  t.test('200 confirmations at once are one', async (t) => {
    await site.register('crowd')
    const { token } = await site.box.next('crowd@example.org')
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => site.post('/v1/email-confirmations', { token })),
    )
    const codes = answers.map(({ status, body }) => (status === 200 ? 'done' : body.code))
    t.equal(codes.filter((code) => code === 'done').length, 1)
    t.same([...new Set(codes)].sort(), ['done', 'token-invalid'])
    const [counted] = await site.service.query(
      `SELECT count(*)::int AS mails FROM mail_outbox WHERE recipient = 'crowd@example.org' AND kind = 'password-reset'`,
    )
    t.same(counted, { mails: 1 })
  })

  t.test('an account that nobody confirms for 7 days goes, with its empty group, and its login is free', async (t) => {
    for (const username of ['idle', 'kept', 'fresh']) await site.register(username)
    const idle = await site.userNamed('idle')
    const kept = await site.userNamed('kept')
    const [{ id: group }] = (await site.admin.expect(200, 'GET', '/v1/groups?name=kept')).items
    await site.admin.expect(201, 'PUT', `/v1/groups/${group}/maintainers/${kept.id}`)
    await site.service.query(
      `UPDATE users SET created_at = created_at - interval '7 days 1 second' WHERE username IN ('idle', 'kept', 'crowd');
       UPDATE groups SET created_at = created_at - interval '7 days 1 second' WHERE name IN ('idle', 'kept', 'crowd')`,
    )
    await site.service.parts.registration.sweep()
    t.equal(await site.userNamed('idle'), undefined)
    t.equal(await site.userNamed('kept'), undefined)
    t.match(await site.userNamed('fresh'), { isActive: false }, 'it has time left')
    t.match(await site.userNamed('crowd'), { isActive: true }, 'one that was confirmed stays')
    t.same((await site.admin.expect(200, 'GET', '/v1/groups?name=idle')).items, [])
    t.equal((await site.admin.expect(200, 'GET', '/v1/groups?name=kept')).items.length, 1, 'it has got a maintainer')
    t.match(await site.admin.events(2), [
      { action: 'user.expire' },
      { action: 'user.expire', before: { username: 'idle' } },
    ])
    t.same(await site.service.query('SELECT recipient FROM mail_outbox WHERE user_id = $1', [idle.id]), [])
    await site.register('idle')
    t.match(await site.userNamed('idle'), { isActive: false })
  })
})

t.test('C3, C21: what a request says of hosts, names and headers stays text', async (t) => {
  const site = await registrationSite(t)
  const hostile = { 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example', origin: 'https://evil.example' }
  const answer = await site.post('/v1/registrations', person('hal'), hostile)
  t.equal(answer.status, 202)
  await site.workedOff()
  const mail = await site.box.next('hal@example.org')
  const body = JSON.stringify(person('ivy'))
  const head = 'POST /v1/registrations HTTP/1.1\r\nHost: evil.example\r\nContent-Type: application/json'
  const text = `${head}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  t.equal((await rawRequest(site.service.url, text)).status, 202)
  t.notMatch((await site.box.next('ivy@example.org')).raw, /evil/, 'nor does the Host that was asked for')
  t.notMatch(mail.raw, /evil/)
  t.ok(mail.links.every((link) => link.startsWith('https://gatehouse.example.org')))
  for (const firstName of ['<b>Bob</b>', '{{link}}', '<%= process.env %>', '{{7*7}}', '=1+1', 'Ｂｏｂ\u0301']) {
    const username = `x${Buffer.from(firstName).toString('hex')}`
    await site.register(username, { firstName })
    const { text, subject, html } = await site.box.next(addressOf(username))
    t.equal(html, false)
    t.equal(subject, 'Please confirm your address')
    t.match(text?.split('\n')[0], `Hello ${firstName},`)
  }
})

t.test('nothing secret is logged, whatever happens', async (t) => {
  const lines: string[] = []
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk))
      done()
    },
  })
  const box = await mailbox(t)
  const env = { ...box.env, REGISTRATION_ALLOWED: 'true', NEW_USER_GROUPS: 'nowhere' }
  const service = await testService(t, { env, log: pino({ level: 'trace' }, sink) })
  const post = (path: string, body: unknown) =>
    fetch(service.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  await post('/v1/registrations', person('logged'))
  const { token } = await box.next('logged@example.org')
  await post('/v1/email-confirmations', { token, password: OTHER_PASSWORD })
  await post('/v1/email-confirmations', { token, password: PASSWORD })
  await box.next('logged@example.org')
  const text = lines.join('')
  t.match(text, /nowhere/, 'a group that is not there is worth a line')
  for (const secret of [token, PASSWORD, OTHER_PASSWORD, 'logged@example.org', 'argon2']) {
    t.notOk(text.includes(secret), secret)
  }
  const { accessToken } = await signedIn(t, service, { username: 'somebody' })
  t.notOk(lines.join('').includes(accessToken))
})
