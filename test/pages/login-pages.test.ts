import t from 'tap'
import { administrationOf } from '../harness/administration.ts'
import { PageVisitor } from '../harness/page-visitor.ts'
import { testService } from '../harness/service.ts'
import { PASSWORD, signedIn } from '../harness/sign-in.ts'

const service = await testService(t)
const admin = administrationOf(t, service)
const { url } = service
const cookieLine = (headers: Headers, name: string) =>
  headers.getSetCookie().find((line) => line.startsWith(`${name}=`)) ?? ''

async function visitorOf(username: string): Promise<PageVisitor> {
  await signedIn(t, service, { username, email: `${username}@example.org` })
  await service.query('DELETE FROM throttles')
  const visitor = new PageVisitor(url)
  const { status } = await visitor.submit('/login', { login: username, password: PASSWORD })
  t.equal(status, 303, `${username} is logged in`)
  return visitor
}

t.test('a login leads to the account: who one is, and the profile', async (t) => {
  const { id } = await signedIn(t, service, { username: 'ada', email: 'ada@example.org' })
  await admin.expect(200, 'PATCH', `/v1/users/${id}`, { firstName: 'Ada', lastName: 'L.' })
  const { id: group } = await admin.expect(201, 'POST', '/v1/groups', { name: 'tracers' })
  await admin.expect(201, 'PUT', `/v1/groups/${group}/members/${id}`)
  const profile = { settings: { show_roi_tool: true }, color: { r: 1, g: 0.5, b: 0 }, primaryGroup: group }
  await admin.expect(200, 'PATCH', `/v1/users/${id}/profile`, profile)
  const visitor = new PageVisitor(url)
  t.match(await visitor.open('/account'), { status: 303 })
  const login = await visitor.submit('/login', { login: 'ada', password: PASSWORD })
  t.match(login, { status: 303 })
  t.equal(login.headers.get('location'), 'account')
  const account = await visitor.open('/account')
  t.match(account, { status: 200, title: 'Your account – Gatehouse' })
  for (const text of ['ada', 'Ada L.', 'ada@example.org (confirmed)', 'tracers', 'red 255, green 128, blue 0']) {
    t.match(account.text, text)
  }
  t.match(account.text, /regions of interest is there<\/dt><dd>on</)
  t.match(account.text, /The tracing tool is there<\/dt><dd>off</)
  t.match(await visitor.open('/login'), { status: 303 }, 'whoever is logged in need not log in')
  const { items } = await admin.expect(200, 'GET', `/v1/audit-events?action=session.login&target=user:${id}`)
  t.ok(items.length > 0)
})

t.test('the cookie is for pages alone, and for this browser alone', async (t) => {
  const visitor = await visitorOf('bruno')
  await service.query('DELETE FROM throttles')
  const again = await visitor.submit('/login', { login: 'bruno', password: PASSWORD })
  const line = cookieLine(again.headers, 'gatehouse')
  t.match(line, /; Max-Age=600; Path=\/; HttpOnly; SameSite=Strict$/)
  const cookie = [...visitor.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  for (const path of ['/v1/me/profile', '/v1/users', '/v1/projects']) {
    t.equal((await fetch(url + path, { headers: { cookie } })).status, 401, `${path} reads no cookies`)
  }
  const token = visitor.cookies.get('gatehouse') ?? ''
  const asBearer = await fetch(`${url}/v1/me/profile`, { headers: { authorization: `Bearer ${token}` } })
  t.equal(asBearer.status, 200, 'it is an access token')
})

t.test('behind TLS the browser is told to send the cookie by TLS to this host alone', async (t) => {
  const secure = await testService(t, { env: { PUBLIC_URL: 'https://gatehouse.example.org' } })
  await signedIn(t, secure, { username: 'carla' })
  const visitor = new PageVisitor(secure.url)
  const opened = await visitor.open('/login')
  t.match(cookieLine(opened.headers, '__Host-gatehouse-form'), /; Path=\/; HttpOnly; Secure; SameSite=Lax$/)
  const fields = { login: 'carla', password: PASSWORD }
  const headers = { origin: 'https://gatehouse.example.org' }
  const login = await visitor.submit('/login', fields, { headers })
  t.match(cookieLine(login.headers, '__Host-gatehouse'), /; Max-Age=600; Path=\/; HttpOnly; Secure; SameSite=Strict$/)
  t.equal((await visitor.open('/account')).status, 200)
  visitor.cookies.set('gatehouse', visitor.cookies.get('__Host-gatehouse') ?? '')
  visitor.cookies.delete('__Host-gatehouse')
  t.equal((await visitor.open('/account')).status, 303, 'a cookie that another host could have set counts for nothing')
})

t.test('nothing but the token of a session opens the account', async (t) => {
  const { id } = await signedIn(t, service, { username: 'dora' })
  const context = { caller: `user:${id}`, requestId: null, inPerson: id }
  const made = await service.parts.apiTokens.create(context, id, { name: 'x', scopes: ['check', 'account'] })
  for (const value of ['', 'x', made.value.token, service.keys.admin, 'a.b.c', 'x'.repeat(8000)]) {
    const visitor = new PageVisitor(url)
    visitor.cookies.set('gatehouse', value)
    const { status, headers } = await visitor.open('/account')
    t.equal(status, 303, value.slice(0, 20))
    t.equal(headers.get('location'), 'login')
  }
})

t.test('logging out ends the session; looking at the page does not', async (t) => {
  const visitor = await visitorOf('eva')
  const token = visitor.cookies.get('gatehouse') ?? ''
  const opened = await visitor.open('/logout')
  t.match(opened.text, '<button>Log out</button>')
  t.equal((await visitor.open('/account')).status, 200)
  const out = await visitor.submit('/logout', {})
  t.match(out, { status: 200, title: /logged out/ })
  t.notOk(visitor.cookies.has('gatehouse'))
  visitor.cookies.set('gatehouse', token)
  t.equal((await visitor.open('/account')).status, 303, 'the token opens nothing any more')
  const asBearer = await fetch(`${url}/v1/me/profile`, { headers: { authorization: `Bearer ${token}` } })
  t.equal(asBearer.status, 401)
  t.equal((await new PageVisitor(url).submit('/logout', {})).status, 200, 'nobody logs out')
})

t.test('a deactivated user is out at once, and is told why and by whom to go on', async (t) => {
  const visitor = await visitorOf('fred')
  const [{ id } = { id: 0 }] = await service.query<{ id: number }>(`SELECT id FROM users WHERE username = 'fred'`)
  await admin.expect(200, 'PUT', `/v1/users/${id}/deactivation`, { message: 'Write to <b>Mary</b>' })
  t.equal((await visitor.open('/account')).status, 303)
  const wrong = await visitor.submit('/login', { login: 'fred', password: 'not the password' })
  t.match(wrong, { status: 401, problem: 'invalid-credentials' })
  t.notMatch(wrong.text, 'Mary')
  const right = await visitor.submit('/login', { login: 'fred', password: PASSWORD })
  t.match(right, { status: 403, problem: 'account-inactive', title: /not in use/ })
  t.match(right.text, 'It was deactivated by the people who run this service.')
  t.match(right.text, 'Write to &#60;b&#62;Mary&#60;/b&#62;')
})

t.test('a wrong login is told at the form, which keeps the login and not the password', async (t) => {
  await service.query('DELETE FROM throttles')
  const visitor = new PageVisitor(url)
  const [known, unknown] = [
    await visitor.submit('/login', { login: 'ada', password: 'not the password' }),
    await visitor.submit('/login', { login: 'nobody', password: 'not the password' }),
  ]
  for (const page of [known, unknown]) {
    t.match(page, { status: 401, problem: 'invalid-credentials', title: 'Error: Log in – Gatehouse' })
    t.same(page.errors, ['Login and password do not belong together'])
    t.notMatch(page.text, 'not the password')
  }
  const alike = (text: string) => text.replaceAll('nobody', 'ada').replace(/name="formToken" value="[^"]*"/, '')
  t.equal(alike(unknown.text), alike(known.text), 'known and unknown look the same')
  const empty = await visitor.submit('/login', { login: '', password: '' })
  t.match(empty, { status: 400, errors: ['Login name or e-mail address: is empty', 'Password: is empty'] })
  t.match(empty.text, 'aria-describedby="login-error"')
  const long = await visitor.submit('/login', { login: 'x'.repeat(300), password: 'x'.repeat(300) })
  t.match(long, { status: 400, problem: 'invalid-request' })
  t.equal(long.errors.length, 2)
})

t.test('whoever tries too often is told how long to wait', async (t) => {
  const visitor = new PageVisitor(url)
  let page = await visitor.submit('/login', { login: 'guessed', password: 'not the password' })
  for (let tries = 0; tries < 40 && page.status !== 429; tries += 1) {
    page = await visitor.submit('/login', { login: 'guessed', password: 'not the password' })
  }
  t.match(page, { status: 429, problem: 'too-many-attempts' })
  t.match(page.errors[0], /^There were too many attempts; try again in \d+ (seconds?|minutes)$/)
  t.match(page.headers.get('retry-after'), /^\d+$/)
})
