import t from 'tap'
import { html } from '../../src/pages/html.ts'
import { mailbox } from '../harness/mailbox.ts'
import { PageVisitor } from '../harness/page-visitor.ts'
import { testService } from '../harness/service.ts'
import { PASSWORD, signedIn } from '../harness/sign-in.ts'

const HOSTILE = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onfocus='alert(1)' autofocus='",
  '</textarea></title></main><svg onload=alert(1)>',
  '<!--',
  '&lt;b&gt;',
  '{{7*7}} <%= 7*7 %>',
  'javascript:alert(1)',
  '😈 \u202e',
]
/** What would be markup in a page of ours, had it been taken over as it was typed. */
const MARKUP = /<(script|img|svg onload|b)\b|<!--|on(error|focus|load)=|&lt;b&gt;/i

const { env } = await mailbox(t)
const service = await testService(t, {
  env: {
    ...env,
    REGISTRATION_ALLOWED: 'true',
    REGISTRATION_TERMS_TEXT: HOSTILE.join('\n'),
    REGISTRATION_TERMS_VERSION: HOSTILE[1] ?? '',
  },
})
const headers = { origin: env.PUBLIC_URL }

t.test('templates escape every text and take markup only from templates', (t) => {
  for (const text of HOSTILE) {
    const markup = html`<p title="${text}">${text}${[text, html`<br>`]}</p>`.toString()
    t.notMatch(markup.replace('<br>', ''), MARKUP, text)
    t.match(markup, /<br>/)
  }
  const forged = { toString: () => '<script>' } as unknown as string
  t.throws(() => html`${forged}`, 'nothing but a text is a text')
  t.end()
})

t.test('what is typed into a form comes back as the text that it is', async (t) => {
  for (const text of HOSTILE) {
    const visitor = new PageVisitor(service.url)
    const pages = [
      await visitor.submit('/login', { login: text, password: text }, { headers }),
      await visitor.submit(
        '/register',
        { username: text, email: text, firstName: text, lastName: text, password: text, acceptTermsVersion: text },
        { headers },
      ),
      await visitor.submit('/forgot-password', { email: text }, { headers }),
      await visitor.submit('/resend-confirmation', { email: text }, { headers }),
      await visitor.submit('/login', { login: 'x', password: 'x', [text]: text }, { headers }),
    ]
    for (const page of pages) {
      t.ok([400, 401, 422, 429].includes(page.status), `${page.status} ${text}`)
      t.notMatch(page.text, MARKUP, text)
    }
    await service.query('DELETE FROM throttles')
  }
})

t.test('a token in a link is a text too', async (t) => {
  for (const path of ['/confirm-email', '/reset-password', '/confirm-email-change']) {
    for (const text of HOSTILE) {
      const visitor = new PageVisitor(service.url)
      const page = await visitor.open(`${path}?token=${encodeURIComponent(text)}`)
      t.equal(page.status, 200)
      t.notMatch(page.text, MARKUP, `${path} ${text}`)
      const expired = await visitor.submit(
        path,
        { token: text },
        { headers, body: new URLSearchParams({ token: text }).toString() },
      )
      t.equal(expired.problem, 'form-expired')
      t.notMatch(expired.text, MARKUP, `${path} ${text}`)
    }
    for (const query of ['?token=a&token=b', '?token[]=a', `?token=${'x'.repeat(201)}`, '?token=']) {
      t.match(await new PageVisitor(service.url).open(path + query), { status: 400, problem: 'token-invalid' }, query)
    }
  }
})

t.test('what is kept of a user is text in the page of the account', async (t) => {
  const { id } = await signedIn(t, service, { username: 'mallory', email: 'mallory@example.org' })
  const [first, second] = HOSTILE
  await service.query('UPDATE users SET username = $2, first_name = $3, last_name = $4 WHERE id = $1', [
    id,
    first,
    second,
    HOSTILE[3],
  ])
  await service.query('INSERT INTO groups (id, name) VALUES (900, $1)', [HOSTILE[2]])
  await service.query('INSERT INTO memberships (user_id, group_id) VALUES ($1, 900)', [id])
  const settings = { [HOSTILE[0] ?? '']: HOSTILE[1], nested: { '<script>': ['<b>'] } }
  await service.query('UPDATE profiles SET settings = $2, primary_group_id = 900 WHERE user_id = $1', [
    id,
    JSON.stringify(settings),
  ])
  const visitor = new PageVisitor(service.url)
  const login = await visitor.submit('/login', { login: first ?? '', password: PASSWORD }, { headers })
  t.equal(login.status, 303)
  const account = await visitor.open('/account')
  t.equal(account.status, 200)
  t.notMatch(account.text, MARKUP)
  t.match(account.text, '&#60;script&#62;alert(1)&#60;/script&#62;')
})

t.test('no parameter of a page sends anybody anywhere', async (t) => {
  await service.query('DELETE FROM throttles')
  await signedIn(t, service, { username: 'nora' })
  for (const target of [
    '//evil.example',
    'https://evil.example',
    '\\\\evil.example',
    'javascript:alert(1)',
    '/x@evil',
  ]) {
    for (const name of ['next', 'url', 'returnTo', 'redirect']) {
      const path = `/login?${name}=${encodeURIComponent(target)}`
      const visitor = new PageVisitor(service.url)
      t.notMatch((await visitor.open(path)).text, 'evil')
    }
    const visitor = new PageVisitor(service.url)
    const login = await visitor.submit('/login', { login: 'nora', password: PASSWORD }, { headers })
    t.equal(login.headers.get('location'), 'account')
    await service.query('DELETE FROM throttles')
  }
})
