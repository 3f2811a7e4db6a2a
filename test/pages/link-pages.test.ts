import t from 'tap'
import { PageVisitor } from '../harness/page-visitor.ts'
import { addressOf, PASSWORD, registrationSite } from '../harness/registration.ts'

const site = await registrationSite(t)
const { service, box } = site
const headers = { origin: box.env.PUBLIC_URL }
const OTHER_PASSWORD = 'nine loud magpies argue'
const rows = async (table: string) => service.query(`SELECT row_to_json(r)::text FROM ${table} r ORDER BY 1`)
const state = async () => [
  await rows('users'),
  await rows('one_time_tokens'),
  await rows('sessions'),
  await rows('audit_events'),
]

t.test('looking at a page changes nothing', async (t) => {
  await site.register('looker')
  const { token } = await box.next(addressOf('looker'))
  const before = await state()
  for (const path of ['/confirm-email', '/reset-password', '/confirm-email-change']) {
    for (const method of ['GET', 'HEAD', 'GET']) {
      const answer = await fetch(`${service.url}${path}?token=${token}`, { method })
      t.equal(answer.status, 200, `${method} ${path}`)
    }
  }
  t.same(await state(), before)
  const visitor = new PageVisitor(service.url)
  await visitor.open(`/confirm-email?token=${token}`)
  const confirmed = await visitor.submit('/confirm-email', { token, password: PASSWORD }, { headers })
  t.match(confirmed, { status: 200, title: /open/ })
  t.notSame(await state(), before)
})

t.test('a token opens what it is for, once, and nothing else', async (t) => {
  await site.register('tessa')
  const { token } = await box.next(addressOf('tessa'))
  const visitor = new PageVisitor(service.url)
  await visitor.open('/login')
  const send = async (path: string, fields: Record<string, string>) => {
    await site.forgetLimits()
    return visitor.submit(path, fields, { headers })
  }
  const invalid = { status: 400, problem: 'token-invalid' }
  t.match(await send('/reset-password', { token, newPassword: OTHER_PASSWORD }), invalid, 'of a confirmation')
  t.match(await send('/confirm-email-change', { token }), invalid, 'of a confirmation')
  for (const made of ['', 'x', token.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')), token.toUpperCase()]) {
    const page = await send('/confirm-email', { token: made, password: PASSWORD })
    t.match(page, invalid, JSON.stringify(made))
    t.match(page.text, 'href="resend-confirmation"', 'with a way on')
  }
  t.match(await send('/confirm-email', { token, password: PASSWORD }), { status: 200 })
  t.match(await send('/confirm-email', { token, password: PASSWORD }), invalid, 'a second time')
  await box.next(addressOf('tessa'))
  await send('/forgot-password', { email: addressOf('tessa') })
  await site.workedOff()
  const reset = await box.next(addressOf('tessa'))
  t.match(await send('/confirm-email', { token: reset.token, password: PASSWORD }), invalid, 'of a reset')
  t.match(await send('/reset-password', { token: reset.token, newPassword: 'short' }), {
    status: 422,
    problem: 'password-too-short',
    errors: [/^New password: /],
  })
  const done = await send('/reset-password', {
    token: reset.token,
    newPassword: OTHER_PASSWORD,
    revokeApiTokens: 'yes',
  })
  t.match(done, { status: 200, title: /password is set/ })
  t.match(await send('/reset-password', { token: reset.token, newPassword: OTHER_PASSWORD }), invalid, 'a second time')
})

t.test('a new address is confirmed by a button', async (t) => {
  await site.member('mover')
  await site.forgetLimits()
  const session = await site.post('/v1/sessions', { login: 'mover', password: PASSWORD })
  const asked = await site.post(
    '/v1/me/email-change',
    { newEmail: 'moved@example.org', password: PASSWORD },
    { authorization: `Bearer ${session.body.accessToken}` },
  )
  t.equal(asked.status, 202, JSON.stringify(asked.body))
  const { token, links } = await box.next('moved@example.org')
  t.match(links.join(' '), /\/confirm-email-change\?token=/)
  const visitor = new PageVisitor(service.url)
  await visitor.open(`/confirm-email-change?token=${token}`)
  t.equal((await site.userNamed('mover')).email, addressOf('mover'))
  const changed = await visitor.submit('/confirm-email-change', { token }, { headers })
  t.match(changed, { status: 200, title: /changed/ })
  t.match(changed.text, 'It is moved@example.org now.')
  t.equal((await site.userNamed('mover')).email, 'moved@example.org')
})

t.test('what was asked for by address is answered alike, whoever has it', async (t) => {
  await site.member('present')
  const visitor = new PageVisitor(service.url)
  const alike = async (path: string, fields: (email: string) => Record<string, string>) => {
    const texts: string[] = []
    for (const email of [addressOf('present'), addressOf('missing')]) {
      await site.forgetLimits()
      const page = await visitor.submit(path, fields(email), { headers })
      t.equal(page.status, 202, path)
      texts.push(page.text.replaceAll(email, 'X'))
    }
    t.equal(texts[0], texts[1], path)
  }
  await alike('/forgot-password', (email) => ({ email }))
  await alike('/resend-confirmation', (email) => ({ email }))
  await alike('/register', (email) => ({
    username: email.replace('@', '.'),
    email,
    firstName: '',
    lastName: '',
    password: PASSWORD,
  }))
  await site.workedOff()
})

t.test('faults of a registration stand at their fields', async (t) => {
  const visitor = new PageVisitor(service.url)
  const fields = { username: 'with@sign', email: 'no address', firstName: 'a\u0007b', lastName: '', password: PASSWORD }
  const page = await visitor.submit('/register', fields, { headers })
  t.equal(page.status, 400)
  t.match(page.title, /^Error: Register/)
  t.ok(page.errors.length > 0)
  t.match(page.text, /<a href="#firstName">First name: holds /)
  t.match(page.text, /<input id="firstName" [^>]*aria-invalid="true" aria-describedby="firstName-error">/)
  const common = await visitor.submit(
    '/register',
    { ...fields, username: 'ok', email: 'ok@example.org', firstName: '', password: 'passwordpassword' },
    { headers },
  )
  t.match(common, { status: 422, problem: 'password-blocklisted', errors: [/^Password: /] })
  t.notMatch(common.text, 'passwordpassword')
})
