import type { Page } from 'playwright-core'
import type { Test } from 'tap'
import t from 'tap'
import { administrationOf } from '../harness/administration.ts'
import { browserAt, noBrowser } from '../harness/browser.ts'
import { addressesIn, type Mailbox, mailbox } from '../harness/mailbox.ts'
import { testService } from '../harness/service.ts'

/** As people write it; the browser is told where it is. */
const PUBLIC_URL = 'http://gatehouse.test'
const PASSWORD = 'seven quiet herons wade'
const OTHER_PASSWORD = 'nine loud magpies argue'
const ALICE = { 'Login name': 'alice', 'E-mail address': 'alice@example.org', 'First name': 'Alice', 'Last name': 'Ng' }

/** The service with a mail server, and a browser whose pages run no scripts. */
async function site(t: Test, env: Record<string, string>) {
  const box = await mailbox(t)
  const service = await testService(t, { env: { ...box.env, PUBLIC_URL, REGISTRATION_ALLOWED: 'true', ...env } })
  const browser = await browserAt(t, PUBLIC_URL, service.url)
  const page = await browser.page({ javaScriptEnabled: false })
  const calm = () => service.query('DELETE FROM throttles')
  return { box, service, page, browser, calm, admin: administrationOf(t, service) }
}

async function fill(page: Page, fields: Record<string, string>): Promise<void> {
  for (const [label, text] of Object.entries(fields)) await page.getByLabel(label, { exact: true }).fill(text)
}

const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click()
const heading = (page: Page) => page.locator('h1').textContent()
const linkIn = async ({ next }: Mailbox, recipient: string) => {
  const mail = await next(recipient)
  return { mail, link: mail.links.find((link) => link.includes('token=')) ?? '' }
}

async function register(page: Page, fields: Record<string, string>): Promise<void> {
  await page.goto('/login')
  await page.getByRole('link', { name: 'Register' }).click()
  await fill(page, fields)
  await press(page, 'Register')
}

async function logIn(page: Page, login: string, password: string): Promise<void> {
  await page.goto('/login')
  await fill(page, { 'Login name or e-mail address': login, Password: password })
  await press(page, 'Log in')
}

t.test(
  'with confirmation: register, confirm, log in, reset the password, log in again',
  { skip: noBrowser },
  async (t) => {
    const { box, page, service, calm, admin } = await site(t, {
      REGISTRATION_REPLY_TO: 'laboratory@example.org',
      REGISTRATION_CONFIRMATION_TEXT: 'Dear {{firstName}}, press the button at {{link}}',
      REGISTRATION_WELCOME_TEXT: 'Welcome {{username}} to {{publicUrl}}',
      REGISTRATION_TERMS_TEXT: 'Be <b>kind</b>.',
      REGISTRATION_TERMS_VERSION: '2026-11',
      NEW_USER_GROUPS: 'tracers',
    })
    await admin.expect(201, 'POST', '/v1/groups', { name: 'tracers' })

    await register(page, { ...ALICE, Password: 'short' })
    t.equal(await page.title(), 'Error: Register – Gatehouse')
    t.match(await page.getByRole('alert').textContent(), /I accept the terms: has to be ticked/)
    t.equal(await page.getByLabel('Login name').inputValue(), 'alice', 'what was typed stays')
    t.equal(await page.getByLabel('Password').inputValue(), '', 'but for passwords')
    t.match(await page.getByRole('region', { name: /Terms/ }).textContent(), 'Be <b>kind</b>.')
    await page.getByLabel('I accept the terms').check()
    await fill(page, { Password: 'short' })
    await press(page, 'Register')
    t.match(await page.getByRole('alert').textContent(), /^\s*There is a problem\s+Password: /)
    await page.getByLabel('I accept the terms').check()
    await fill(page, { Password: PASSWORD })
    await press(page, 'Register')
    t.equal(await heading(page), 'Look into your mail')

    const { mail, link } = await linkIn(box, 'alice@example.org')
    t.match(mail.text?.trim(), /^Dear Alice, press the button at http:\/\/gatehouse\.test\/confirm-email\?token=\S+$/)
    t.same(addressesIn(mail.replyTo), ['laboratory@example.org'])
    t.equal(mail.headers.get('auto-submitted'), 'auto-generated')
    t.match(mail.messageId, /@gatehouse\.test>$/)

    await logIn(page, 'alice', PASSWORD)
    t.equal(await heading(page), 'Confirm your address first')
    await page.goto(link)
    await page.goto(link)
    const state = () =>
      service.query(`SELECT is_active AS active, terms_version AS terms FROM users WHERE username = 'alice'`)
    t.same(await state(), [{ active: false, terms: '2026-11' }], 'looking at the page changes nothing')
    await fill(page, { 'Password of the registration': 'not that one at all' })
    await press(page, 'Confirm')
    t.match(await page.getByRole('alert').textContent(), /not the password/)
    await fill(page, { 'Password of the registration': PASSWORD })
    await press(page, 'Confirm')
    t.equal(await heading(page), 'Your account is open')
    const welcome = await box.next('alice@example.org')
    t.equal(welcome.text?.trim(), 'Welcome alice to http://gatehouse.test')
    t.same(addressesIn(welcome.replyTo), ['laboratory@example.org'])

    await page.getByRole('link', { name: 'Log in' }).click()
    await fill(page, { 'Login name or e-mail address': 'alice@example.org', Password: PASSWORD })
    await press(page, 'Log in')
    t.equal(await heading(page), 'Your account')
    const shown = await page.locator('main').textContent()
    for (const text of ['alice', 'Alice Ng', 'alice@example.org (confirmed)', 'tracers', 'The tracing tool is there']) {
      t.match(shown, text)
    }
    t.equal(new URL(page.url()).pathname, '/account')

    await calm()
    await page.getByRole('link', { name: 'Set another password' }).click()
    await fill(page, { 'E-mail address': 'alice@example.org' })
    await press(page, 'Send the link')
    t.equal(await heading(page), 'Look into your mail')
    const reset = await linkIn(box, 'alice@example.org')
    t.match(reset.link, /^http:\/\/gatehouse\.test\/reset-password\?token=/)
    await page.goto(reset.link)
    await fill(page, { 'New password': 'short' })
    await press(page, 'Set the password')
    t.match(await page.getByRole('alert').textContent(), 'New password: ')
    await fill(page, { 'New password': OTHER_PASSWORD })
    await press(page, 'Set the password')
    t.equal(await heading(page), 'Your password is set')
    t.match((await box.next('alice@example.org')).subject, /password/i)
    await page.goto('/account')
    t.equal(await heading(page), 'Log in', 'everywhere else one is logged out')

    await logIn(page, 'alice', PASSWORD)
    t.match(await page.getByRole('alert').textContent(), /Login and password do not belong together/)
    await calm()
    await logIn(page, 'alice', OTHER_PASSWORD)
    t.equal(await heading(page), 'Your account')
    await press(page, 'Log out')
    t.equal(await heading(page), 'You are logged out')
    await page.goto(reset.link)
    await fill(page, { 'New password': OTHER_PASSWORD })
    await press(page, 'Set the password')
    t.equal(await heading(page), 'This link does not work', 'a link works once')
  },
)

t.test(
  'with every switch the other way: the account is open at once, and no mail says so',
  { skip: noBrowser },
  async (t) => {
    const { box, page, service, admin } = await site(t, {
      REGISTRATION_CONFIRMATION_REQUIRED: 'false',
      REGISTRATION_WELCOME_MAIL: 'false',
      NEW_USER_CREATE_GROUP: 'false',
    })
    await page.goto('/register')
    t.equal(await page.getByLabel('I accept the terms').count(), 0, 'there are no terms')
    await fill(page, { ...ALICE, Password: PASSWORD })
    await press(page, 'Register')
    t.equal(await heading(page), 'You are registered')
    await untilThere(service, 'alice')
    await page.getByRole('link', { name: 'Log in' }).click()
    await fill(page, { 'Login name or e-mail address': 'alice', Password: PASSWORD })
    await press(page, 'Log in')
    t.match(await page.locator('main').textContent(), 'alice@example.org (not confirmed)')
    t.same((await admin.expect(200, 'GET', '/v1/groups?name=alice')).items, [])
    t.same((await admin.expect(200, 'GET', '/v1/mail/outbox')).items, [])
    t.equal(box.mails.length, 0)
  },
)

t.test('without confirmation the welcome mail comes right after the registration', { skip: noBrowser }, async (t) => {
  const { box, page, admin } = await site(t, { REGISTRATION_CONFIRMATION_REQUIRED: 'false' })
  await page.goto('/register')
  await fill(page, { ...ALICE, Password: PASSWORD })
  await press(page, 'Register')
  const welcome = await box.next('alice@example.org')
  t.match(welcome.text, /welcome! Your account alice at http:\/\/gatehouse\.test is ready/)
  t.same(addressesIn(welcome.replyTo), [], 'answers go to the sender')
  t.equal((await admin.expect(200, 'GET', '/v1/groups?name=alice')).items.length, 1)
})

t.test('whoever reads the mail and did not register confirms without the password', { skip: noBrowser }, async (t) => {
  const { box, page, calm } = await site(t, { REGISTRATION_WELCOME_MAIL: 'false' })
  await register(page, { ...ALICE, Password: PASSWORD })
  await page.getByRole('link', { name: 'ask for another link' }).click()
  await calm()
  await fill(page, { 'E-mail address': 'alice@example.org' })
  await press(page, 'Send the link')
  await box.next('alice@example.org')
  const { link } = await linkIn(box, 'alice@example.org')
  await page.goto(link)
  await press(page, 'Confirm')
  t.match(await page.getByRole('alert').textContent(), /use the other button/)
  await press(page, 'Confirm without the password')
  t.match(await page.locator('main').textContent(), /A mail with a link to set your password/)
  await logIn(page, 'alice', PASSWORD)
  t.match(
    await page.getByRole('alert').textContent(),
    /do not belong together/,
    'the password of the registration is gone',
  )
  const reset = await linkIn(box, 'alice@example.org')
  await calm()
  await page.goto(reset.link)
  await fill(page, { 'New password': OTHER_PASSWORD })
  await press(page, 'Set the password')
  await logIn(page, 'alice', OTHER_PASSWORD)
  t.equal(await heading(page), 'Your account')
})

t.test('where registration is off, there is no way in', { skip: noBrowser }, async (t) => {
  const { page } = await site(t, { REGISTRATION_ALLOWED: 'false' })
  await page.goto('/login')
  t.equal(await page.getByRole('link', { name: 'Register' }).count(), 0)
  const closed = await page.goto('/register')
  t.equal(closed?.status(), 403)
  t.equal(await heading(page), 'Registration is closed')
})

t.test('a form of another site opens nothing in a browser that is logged in', { skip: noBrowser }, async (t) => {
  const { page, service, box, calm } = await site(t, { REGISTRATION_CONFIRMATION_REQUIRED: 'false' })
  await page.goto('/register')
  await fill(page, { ...ALICE, Password: PASSWORD })
  await press(page, 'Register')
  await box.next('alice@example.org')
  await calm()
  await logIn(page, 'alice', PASSWORD)
  await page.route('http://evil.test/', (route) =>
    route.fulfill({
      contentType: 'text/html',
      body: `<form method="post" action="${PUBLIC_URL}/logout"><input name="formToken" value="x"><button>Win</button></form>`,
    }),
  )
  await page.goto('http://evil.test/')
  await press(page, 'Win')
  t.match(await page.locator('main').getAttribute('data-problem'), 'form-expired')
  t.same(await service.query('SELECT FROM ended_sessions'), [])
  await page.goto('/account')
  t.equal(await heading(page), 'Your account')
})

/** What was asked for is done after the answer. */
async function untilThere(service: { query(sql: string, values: unknown[]): Promise<unknown[]> }, username: string) {
  while ((await service.query('SELECT FROM users WHERE username = $1', [username])).length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
