import t from 'tap'
import { PageVisitor } from '../harness/page-visitor.ts'
import { testService } from '../harness/service.ts'
import { PASSWORD, signedIn } from '../harness/sign-in.ts'

const service = await testService(t)
await signedIn(t, service, { username: 'ada' })
const { url } = service
const credentials = { login: 'ada', password: PASSWORD }
const sessions = async () => (await service.query('SELECT id FROM sessions')).length

/** The same login, sent in some other way; whether it opened a session, the database tells. */
async function attempt(how: Parameters<PageVisitor['submit']>[2], visitor = new PageVisitor(url)) {
  await service.query('DELETE FROM throttles')
  const before = await sessions()
  const answer = await visitor.submit('/login', credentials, how)
  return { ...answer, opened: (await sessions()) > before }
}

t.test('a form of ours is taken', async (t) => {
  t.match(await attempt({}), { status: 303, opened: true })
  t.match(await attempt({ headers: { 'sec-fetch-site': 'same-origin' } }), { status: 303, opened: true })
  t.match(
    await attempt({ headers: { origin: null } }),
    { status: 303, opened: true },
    'of a browser that tells no origin',
  )
})

t.test('a form that another site sends is refused with a page, before its token is looked at', async (t) => {
  const foreign: Record<string, string | null>[] = [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: url.replace('http:', 'https:').replace(/\d+$/, '1') },
    { origin: `${url}.evil.example` },
    { origin: 'nonsense' },
    { origin: null, 'sec-fetch-site': 'cross-site' },
    { origin: null, 'sec-fetch-site': 'same-site' },
  ]
  for (const headers of foreign) {
    const refused = await attempt({ headers })
    t.match(refused, { status: 403, problem: 'form-expired', opened: false }, JSON.stringify(headers))
    t.match(refused.text, /<a href="login">Open the form again<\/a>/)
  }
})

t.test('where the service has a public address, forms come from there and from nowhere else', async (t) => {
  const known = await testService(t, { env: { PUBLIC_URL: 'https://gatehouse.example.org/base' } })
  const visitor = new PageVisitor(known.url)
  const sent = async (origin: string) =>
    visitor.submit('/login', { login: 'nobody', password: 'x' }, { headers: { origin } })
  t.equal((await sent('https://gatehouse.example.org')).status, 401)
  for (const origin of [known.url, 'http://gatehouse.example.org', 'https://gatehouse.example.org:8443']) {
    const refused = await sent(origin)
    t.match(refused, { status: 403, problem: 'form-expired' }, origin)
    t.match(refused.text, 'href="https://gatehouse.example.org/base/login"', 'the way on leads to the public address')
  }
})

t.test('a form without the token of this browser is refused with a way on', async (t) => {
  const other = new PageVisitor(url)
  await other.open('/login')
  const withoutCookie = new PageVisitor(url)
  await withoutCookie.open('/login')
  withoutCookie.cookies.clear()
  const form = (token: string) => ({ body: new URLSearchParams({ ...credentials, formToken: token }).toString() })
  const tries: [string, Awaited<ReturnType<typeof attempt>>][] = [
    ['none', await attempt({ body: new URLSearchParams(credentials).toString() })],
    ['empty', await attempt(form(''))],
    ['made up', await attempt(form('x'.repeat(40)))],
    ['that of somebody else', await attempt(form(other.formToken))],
    ['without the cookie', await attempt({}, withoutCookie)],
    ['no body at all', await attempt({ body: '' })],
  ]
  for (const [what, refused] of tries) {
    t.match(refused, { status: 403, problem: 'form-expired', opened: false }, what)
    t.match(refused.title, /expired/)
    t.match(refused.headers.get('content-type'), 'text/html')
    t.match(refused.text, 'href="login"')
  }
})

t.test('the way on from a form of a link keeps the token of the link', async (t) => {
  const visitor = new PageVisitor(url)
  visitor.formToken = 'old'
  const refused = await visitor.submit('/reset-password', { token: 'a"b&c', newPassword: 'x' })
  t.match(refused, { status: 403, problem: 'form-expired' })
  t.match(refused.text, 'href="reset-password?token&#61;a%22b%26c"')
})

t.test('pages take forms and nothing else, and tell so with a page', async (t) => {
  const types = ['application/json', 'text/plain', 'multipart/form-data; boundary=x', 'application/xml', '']
  for (const type of types) {
    const refused = await attempt({ headers: { 'content-type': type } })
    t.match(refused, { status: 415, opened: false, problem: 'unsupported-media-type' }, type)
    t.match(refused.headers.get('content-type'), /^text\/html/)
  }
})

t.test('a form that is no form of ours is refused with a page', async (t) => {
  const visitor = new PageVisitor(url)
  await visitor.open('/login')
  const { formToken } = visitor
  const form = (more: string) => `${new URLSearchParams({ ...credentials, formToken })}${more}`
  const wrong: [string, string | Buffer, number][] = [
    ['a field twice', form('&login=bruno'), 400],
    ['a field of no form', form('&isSuperuser=true'), 400],
    ['NUL', form('').replace('login=ada', 'login=a%00da'), 400],
    ['bytes that are no text', Buffer.concat([Buffer.from(form('&x=')), Buffer.from([0xff, 0xfe])]), 400],
    ['a hundred fields', form(Array.from({ length: 100 }, (_, n) => `&f${n}=`).join('')), 400],
    ['a name of Object', form('&__proto__=x'), 400],
    ['too much', form(`&x=${'x'.repeat(17_000)}`), 413],
  ]
  for (const [what, body, status] of wrong) {
    const refused = await attempt({ body }, visitor)
    t.match(refused, { status, opened: false }, what)
    t.match(refused.headers.get('content-type'), /^text\/html/, what)
  }
})

t.test('a form that is too large is told the bound of forms, not that of other bodies', async (t) => {
  const { status, text } = await attempt({ body: `x=${'x'.repeat(17_000)}` })
  t.equal(status, 413)
  t.match(text, 'a body here may have at most 16,384 bytes')
})

t.test('the rest of the service takes no forms, whatever they hold', async (t) => {
  const visitor = new PageVisitor(url)
  await visitor.open('/login')
  const routes = ['/v1/sessions', '/v1/users', '/v1/registrations', '/check', '/v1/password-resets']
  for (const path of routes) {
    const answer = await fetch(url + path, {
      method: 'POST',
      headers: {
        origin: url,
        authorization: `Bearer ${path === '/check' ? service.keys.check : service.keys.admin}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: new URLSearchParams({ ...credentials, formToken: visitor.formToken }),
    })
    // With registration off its routes refuse before they look at anything.
    const status = path === '/v1/registrations' ? 403 : 415
    t.equal(answer.status, status, path)
    t.match(answer.headers.get('content-type'), /^application\/problem\+json/)
  }
})
