import t from 'tap'
import { addressOf, OTHER_PASSWORD, PASSWORD, registrationSite } from '../harness/registration.ts'
import { callWithoutToken, callWithToken, PASSWORD as SIGN_IN_PASSWORD, signedIn } from '../harness/sign-in.ts'

const NEW_PASSWORD = 'two patient tortoises nap'

t.test('the own account', async (t) => {
  const site = await registrationSite(t)
  const { service, admin } = site
  const user = await signedIn(t, service, { username: 'ada', email: 'ada@example.org' })
  const other = await signedIn(t, service, { username: 'bruno', email: 'bruno@example.org' })
  const tokenWith = async (scopes: ('account' | 'check')[]) => {
    const context = { caller: `user:${user.id}`, requestId: null, inPerson: user.id }
    return (await service.parts.apiTokens.create(context, user.id, { name: scopes.join(), scopes })).value.token
  }

  t.test('it shows the account, its groups and no more', async (t) => {
    const { id: group } = await admin.expect(201, 'POST', '/v1/groups', { name: 'tracers' })
    const { id: project } = await admin.expect(201, 'POST', '/v1/projects', { title: 'Brain' })
    await admin.expect(201, 'PUT', `/v1/groups/${group}/members/${user.id}`)
    await admin.expect(201, 'PUT', `/v1/groups/${group}/members/${user.id}?project=${project}`)
    const { status, headers, body } = await user.call('GET', '/v1/me')
    t.equal(status, 200)
    t.equal(headers.get('cache-control'), 'no-store')
    const { createdAt, lastLoginAt, emailConfirmedAt, ...rest } = body
    t.match([createdAt, lastLoginAt, emailConfirmedAt], [/Z$/, /Z$/, /Z$/])
    t.same(rest, {
      id: user.id,
      username: 'ada',
      email: 'ada@example.org',
      firstName: '',
      lastName: '',
      isSuperuser: false,
      groups: [
        { id: group, name: 'tracers', projectId: null },
        { id: group, name: 'tracers', projectId: project },
      ],
    })
    await admin.expect(200, 'DELETE', `/v1/groups/${group}/members/${user.id}`)
    t.match((await user.call('GET', '/v1/me')).body.groups, [{ projectId: project }], 'on the next request (67)')
  })

  t.test('who may ask', async (t) => {
    const status = async (credential: string, method = 'GET', body?: object) =>
      (await callWithToken(service, credential, method, '/v1/me', body)).body.code ?? 200
    t.equal(await status(await tokenWith(['account'])), 200)
    t.equal(await status(await tokenWith(['check'])), 'insufficient-scope')
    t.equal(await status(service.keys.admin), 'not-permitted')
    t.equal(await status(await tokenWith(['account']), 'PATCH', { firstName: 'A' }), 'not-permitted')
    t.equal((await callWithoutToken(service, 'GET', '/v1/me')).status, 401)
  })

  t.test('only the name is changed, and nothing that an owner has no say in (66)', async (t) => {
    const named = await user.call('PATCH', '/v1/me', { firstName: 'Ada', lastName: 'L. <b>' })
    t.match(named, { status: 200, body: { firstName: 'Ada', lastName: 'L. <b>', revision: Number } })
    for (const body of [
      { isSuperuser: true },
      { isActive: false },
      { username: 'root' },
      { email: 'x@example.org' },
      { emailConfirmedAt: null },
      { id: other.id },
      { groups: [] },
      { password: NEW_PASSWORD },
      { passwordHash: 'x' },
      { confirmEditRights: true },
      { generalPermissions: ['can_browse'] },
      { deactivationReason: null },
      { firstName: ['Ada'] },
      { firstName: { $ne: '' } },
      { firstName: 'A\r\nB' },
    ]) {
      const refused = await user.call('PATCH', '/v1/me', body)
      t.match(refused, { status: 400, body: { code: 'invalid-request' } }, JSON.stringify(body))
    }
    t.match(await admin.expect(200, 'GET', `/v1/users/${user.id}`), {
      username: 'ada',
      isSuperuser: false,
      firstName: 'Ada',
    })
  })

  t.test('65: of another account nothing can be reached, whether it is there or not', async (t) => {
    for (const id of [other.id, 2_000_000_000]) {
      for (const [method, path, body] of [
        ['GET', '', undefined],
        ['PATCH', '', { firstName: 'x' }],
        ['DELETE', '', undefined],
        ['PUT', '/deactivation', {}],
        ['DELETE', '/deactivation', undefined],
        ['POST', '/password-reset', undefined],
      ] as const) {
        const refused = await user.call(method, `/v1/users/${id}${path}`, body)
        t.match(refused, { status: 403, body: { code: 'not-permitted' } }, `${method} ${path} of ${id}`)
      }
    }
    t.same(await service.query(`SELECT FROM mail_outbox WHERE user_id = $1`, [other.id]), [])
  })

  t.test('security events: the own ones, newest first, without what administrators noted', async (t) => {
    await admin.expect(200, 'PATCH', `/v1/users/${user.id}`, { lastName: 'Lovelace' })
    await callWithoutToken(service, 'POST', '/v1/sessions', { login: 'ada', password: 'wrong' })
    const seen: object[] = []
    let cursor: string | null = null
    do {
      const from: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
      const { status, body } = await user.call('GET', `/v1/me/security-events?limit=2${from}`)
      t.equal(status, 200)
      seen.push(...body.items)
      cursor = body.nextCursor
    } while (cursor !== null)
    const events = seen as { id: number; action: string; byMyself: boolean }[]
    t.same(
      events.map(({ id }) => id),
      events.map(({ id }) => id).sort((a, b) => b - a),
    )
    t.match(events.slice(0, 2), [
      { action: 'session.login-failed', byMyself: false },
      { action: 'user.update', byMyself: false },
    ])
    t.ok(events.some(({ action, byMyself }) => action === 'session.login' && byMyself))
    t.same(Object.keys(events[0] ?? {}).sort(), ['action', 'byMyself', 'id', 'occurredAt', 'requestId'])
    const mine = await service.query<{ id: string }>(
      `SELECT id FROM audit_events WHERE target = $1 OR caller = $1 AND action ~ '^(session|api-token|user)[.]'`,
      [`user:${user.id}`],
    )
    t.equal(events.length, mine.length)
    const { body } = await user.call('GET', '/v1/me/security-events?cursor=made-up')
    t.match(body, { code: 'invalid-cursor' })
  })
})

t.test('change of password', async (t) => {
  const site = await registrationSite(t)
  const { service } = site
  const user = await signedIn(t, service, { username: 'ada', email: 'ada@example.org' })
  const change = (body: object, who = user) =>
    who.call('PUT', '/v1/me/password', { currentPassword: SIGN_IN_PASSWORD, newPassword: NEW_PASSWORD, ...body })

  t.test('the present one must be given, and the new one must be good', async (t) => {
    t.match(await change({ currentPassword: OTHER_PASSWORD }), { status: 401, body: { code: 'invalid-credentials' } })
    t.match(await change({ newPassword: 'too short' }), { status: 422, body: { code: 'password-too-short' } })
    t.match(await change({ newPassword: 'x y '.repeat(70) }), { status: 422, body: { code: 'password-too-long' } })
    t.match(await change({ newPassword: 'gatehouse ada ada' }), { status: 422, body: { code: 'password-blocklisted' } })
    for (const more of [{ userId: 1 }, { currentPassword: undefined }, { newPassword: [NEW_PASSWORD] }]) {
      t.match(await change(more), { status: 400, body: { code: 'invalid-request' } })
    }
    const context = { caller: `user:${user.id}`, requestId: null, inPerson: user.id }
    const { value } = await service.parts.apiTokens.create(context, user.id, { name: 'x', scopes: ['account'] })
    const byToken = await callWithToken(service, value.token, 'PUT', '/v1/me/password', {})
    t.match(byToken, { status: 403, body: { code: 'not-permitted' } })
  })

  t.test('the other sessions end, this one goes on, and the owner is told', async (t) => {
    const other = await signedIn(t, service, { username: 'ada' })
    t.match(await change({ revokeApiTokens: true }), { status: 200, body: { revokedSessions: 1, revokedApiTokens: 1 } })
    t.equal((await other.call('GET', '/v1/me')).status, 401)
    t.equal((await user.call('GET', '/v1/me')).status, 200)
    const notice = await site.box.next('ada@example.org')
    t.match(notice.subject, 'Your password was changed')
    t.same([notice.token, notice.links], ['', ['https://gatehouse.example.org']])
    await site.forgetLimits()
    const login = (password: string) => site.post('/v1/sessions', { login: 'ada', password })
    t.equal((await login(SIGN_IN_PASSWORD)).status, 401)
    t.equal((await login(NEW_PASSWORD)).status, 201)
    const kept = await change({
      currentPassword: NEW_PASSWORD,
      newPassword: OTHER_PASSWORD,
      revokeOtherSessions: false,
    })
    t.match(kept, { status: 200, body: { revokedSessions: 0, revokedApiTokens: 0 } })
  })

  t.test('wrong ones count like those of a login', async (t) => {
    await site.forgetLimits()
    const answers: number[] = []
    for (let times = 0; times < 8; times += 1) answers.push((await change({ currentPassword: 'wrong' })).status)
    t.same(answers.slice(0, 5), Array(5).fill(401))
    t.ok(answers.includes(429))
    t.equal((await site.post('/v1/sessions', { login: 'ada', password: OTHER_PASSWORD })).status, 429)
  })

  t.test('of two changes at once with the same password, one is made', async (t) => {
    const hasty = await signedIn(t, service, { username: 'hasty' })
    const answers = await Promise.all(
      ['one', 'two', 'three'].map((word) => change({ newPassword: `${NEW_PASSWORD} ${word}` }, hasty)),
    )
    const done = answers.map(({ status }) => status)
    t.equal(done.filter((status) => status === 200).length, 1)
    t.same(
      done.filter((status) => ![200, 401, 409, 429].includes(status)),
      [],
    )
  })
})

t.test('change of address', async (t) => {
  const site = await registrationSite(t)
  const { service } = site
  const user = await signedIn(t, service, { username: 'ada', email: 'old@example.org' })
  const ask = (newEmail: string, more: object = {}) =>
    user.call('POST', '/v1/me/email-change', { newEmail, password: SIGN_IN_PASSWORD, ...more })
  const address = async () => (await user.call('GET', '/v1/me')).body.email

  t.test('C19: it takes the password, a session, and one that is fresh', async (t) => {
    t.match(await ask('new@example.org', { password: 'wrong' }), { status: 401, body: { code: 'invalid-credentials' } })
    const context = { caller: `user:${user.id}`, requestId: null, inPerson: user.id }
    const { value } = await service.parts.apiTokens.create(context, user.id, { name: 'x', scopes: ['account'] })
    const body = { newEmail: 'new@example.org', password: SIGN_IN_PASSWORD }
    const byToken = await callWithToken(service, value.token, 'POST', '/v1/me/email-change', body)
    t.match(byToken, { status: 403, body: { code: 'not-permitted' } })
    const old = await signedIn(t, service, { username: 'ada' })
    await service.query(`UPDATE sessions SET authenticated_at = now() - interval '1 hour' WHERE id = $1`, [
      old.sessionId,
    ])
    const { body: pair } = await site.post('/v1/sessions/refresh', { refreshToken: old.refreshToken })
    const stale = await callWithToken(service, pair.accessToken, 'POST', '/v1/me/email-change', body)
    t.match(stale, { status: 403, body: { code: 'reauthentication-required' } })
    for (const newEmail of [
      '',
      'none',
      'a@b, c@d',
      'A <a@example.org>',
      'a@example.org\r\nBcc: x@example.org',
      ['a@b.c'],
    ]) {
      t.match(await ask(newEmail as string), { status: 400, body: { code: 'invalid-request' } })
    }
    t.same(await service.query('SELECT FROM mail_outbox'), [])
  })

  t.test('the new address gets the link, the old one a notice; nothing changes before the link is used', async (t) => {
    t.match(await ask('new@example.org'), { status: 202, body: { status: 'accepted' } })
    const link = await site.box.next('new@example.org')
    t.ok(link.links.includes(`https://gatehouse.example.org/confirm-email-change?token=${link.token}`))
    const notice = await site.box.next('old@example.org')
    t.match(notice.subject, 'about to be changed')
    t.equal(notice.token, '')
    t.equal(await address(), 'old@example.org')
    await site.admin.expect(202, 'POST', `/v1/users/${user.id}/password-reset`)
    const reset = await site.box.next('old@example.org')
    t.match(await site.post('/v1/email-changes', { token: link.token }), {
      status: 200,
      body: { email: 'new@example.org' },
    })
    t.equal(await address(), 'new@example.org')
    t.match(await site.userNamed('ada'), { emailConfirmedAt: /Z$/ })
    t.match((await site.box.next('old@example.org')).subject, 'was changed')
    const late = await site.post('/v1/password-resets/confirm', { token: reset.token, newPassword: NEW_PASSWORD })
    t.match(late, { status: 400, body: { code: 'token-invalid' } }, '53: links to the old address end')
    t.equal((await site.post('/v1/sessions', { login: 'new@example.org', password: SIGN_IN_PASSWORD })).status, 201)
  })

  t.test('C5: a link is for the address that was asked for last, from the address that there was', async (t) => {
    await ask('first@example.org')
    const first = await site.box.next('first@example.org')
    await ask('second@example.org')
    const second = await site.box.next('second@example.org')
    t.match(await site.post('/v1/email-changes', { token: first.token }), { status: 400 })
    await site.admin.expect(200, 'PATCH', `/v1/users/${user.id}`, { email: 'given@example.org' })
    t.match(await site.post('/v1/email-changes', { token: second.token }), { status: 400 })
    t.equal(await address(), 'given@example.org')
  })

  t.test('C1: a link of an account that is closed meanwhile changes nothing', async (t) => {
    await ask('third@example.org')
    const { token } = await site.box.next('third@example.org')
    await site.admin.expect(200, 'PUT', `/v1/users/${user.id}/deactivation`, {})
    t.match(await site.post('/v1/email-changes', { token }), { status: 400, body: { code: 'token-invalid' } })
    await site.admin.expect(200, 'DELETE', `/v1/users/${user.id}/deactivation`)
    t.match(await site.post('/v1/email-changes', { token }), { status: 400, body: { code: 'token-invalid' } })
    t.match(await site.userNamed('ada'), { email: 'given@example.org', isActive: true })
  })

  t.test('200 uses of one link at once are one', async (t) => {
    const again = await signedIn(t, service, { username: 'ada' })
    await again.call('POST', '/v1/me/email-change', { newEmail: 'last@example.org', password: SIGN_IN_PASSWORD })
    const { token } = await site.box.next('last@example.org')
    const answers = await Promise.all(Array.from({ length: 200 }, () => site.post('/v1/email-changes', { token })))
    t.equal(answers.filter(({ status }) => status === 200).length, 1)
    t.equal(answers.filter(({ body }) => body.code === 'token-invalid').length, 199)
  })
})

t.test('13: nobody sets or reads the password of somebody else', async (t) => {
  const site = await registrationSite(t)
  const id = await site.member('owner')
  const root = await signedIn(t, site.service, { username: 'root', superuser: true })
  for (const call of [site.admin.call, root.call]) {
    for (const body of [{ password: NEW_PASSWORD }, { passwordHash: 'x' }, { newPassword: NEW_PASSWORD }]) {
      t.equal((await call('PATCH', `/v1/users/${id}`, body)).status, 400)
      t.equal((await call('POST', '/v1/users', { username: 'x', ...body })).status, 400)
    }
    for (const path of [`/v1/users/${id}`, '/v1/users', '/v1/audit-events', '/v1/mail/outbox']) {
      const { status, body } = await call('GET', path)
      t.equal(status, 200, path)
      t.notMatch(JSON.stringify(body), /argon2|gatehouse_once_/, path)
    }
  }
  await site.admin.expect(202, 'POST', `/v1/users/${id}/password-reset`)
  t.match((await site.box.next(addressOf('owner'))).token, /^gatehouse_once_/)
  t.equal((await site.post('/v1/sessions', { login: 'owner', password: PASSWORD })).status, 201, 'the password stays')
})
