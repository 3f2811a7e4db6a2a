import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AxeResults } from 'axe-core'
import type { Page } from 'playwright-core'
import t from 'tap'
import { browserAt, noBrowser } from '../harness/browser.ts'
import { mailbox } from '../harness/mailbox.ts'
import { testService } from '../harness/service.ts'
import { PASSWORD, signedIn } from '../harness/sign-in.ts'

const PUBLIC_URL = 'http://gatehouse.test'
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const PATHS = [
  '/login',
  '/logout',
  '/register',
  '/confirm-email?token=x',
  '/confirm-email',
  '/resend-confirmation',
  '/forgot-password',
  '/reset-password?token=x',
  '/confirm-email-change?token=x',
]

/** What axe finds wrong with the page as it is, contrast and all; it comes by the debugger, past the page's policy. */
async function findings(page: Page): Promise<string[]> {
  await page.evaluate(AXE)
  const { violations } = await page.evaluate<AxeResults>(`axe.run({ resultTypes: ['violations'] })`)
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
  )
}

/** How much wider than the window the page is. */
const overflow = (page: Page) =>
  page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')

/** Waits until what the selector says has the focus: a browser gives it when it first draws a page, not when that loads. */
const focusOn = (page: Page, selector: string) => page.locator(`${selector}:focus`).waitFor({ timeout: 10_000 })

t.test('pages can be used by everybody', { skip: noBrowser }, async (t) => {
  const { env } = await mailbox(t)
  const terms = { REGISTRATION_TERMS_TEXT: 'Be kind. '.repeat(500), REGISTRATION_TERMS_VERSION: '1' }
  const service = await testService(t, { env: { ...env, ...terms, PUBLIC_URL, REGISTRATION_ALLOWED: 'true' } })
  await signedIn(t, service, { username: 'ada', email: 'ada@example.org' })
  await service.query('DELETE FROM throttles')
  const browser = await browserAt(t, PUBLIC_URL, service.url)
  const page = await browser.page()

  t.test('axe finds nothing wrong, with faults in the form either', async (t) => {
    for (const path of PATHS) {
      await page.goto(path)
      t.same(await findings(page), [], path)
    }
    for (const path of ['/login', '/register', '/forgot-password']) {
      await page.goto(path)
      await page.locator('form button').first().click()
      t.match(await page.title(), /^Error: /)
      t.same(await findings(page), [], `${path} with faults`)
    }
  })

  t.test('the summary of faults has the focus, and leads to each field', async (t) => {
    await page.goto('/login')
    await page.locator('form button').click()
    await focusOn(page, '[role=alert]')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await focusOn(page, '#password')
    const described = await page.getByLabel('Password').getAttribute('aria-describedby')
    t.match(await page.locator(`#${described}`).textContent(), 'Error: Password: is empty')
  })

  t.test('the keyboard reaches every control in the order of the page', async (t) => {
    await page.goto('/login')
    const order: string[] = []
    for (let presses = 0; presses < 5; presses += 1) {
      await page.keyboard.press('Tab')
      order.push(await page.evaluate<string>('document.activeElement.id || document.activeElement.textContent'))
    }
    t.same(order, ['login', 'password', 'Log in', 'I forgot my password', 'Register'])
  })

  t.test('nothing is cut off at 200 % of a small window, nor at 320 pixels', async (t) => {
    const narrow = await browser.page({ viewport: { width: 320, height: 480 } })
    const large = await browser.page({ viewport: { width: 640, height: 960 } })
    for (const path of PATHS) {
      await narrow.goto(path)
      t.equal(await overflow(narrow), 0, `${path} at 320 pixels`)
      await large.goto(path)
      await large.evaluate(`document.documentElement.style.fontSize = '200%'`)
      t.equal(await overflow(large), 0, `${path} with text of twice the size`)
    }
  })

  t.test('the account and the problems too', async (t) => {
    await page.goto('/login')
    await page.getByLabel('Login name or e-mail address').fill('ada')
    await page.getByLabel('Password').fill(PASSWORD)
    await page.locator('form button').click()
    t.equal(await page.title(), 'Your account – Gatehouse')
    t.same(await findings(page), [])
    await page.context().clearCookies()
    await page.goto('/login')
    await page.context().clearCookies()
    await page.locator('form button').click()
    t.equal(await page.title(), 'This form has expired – Gatehouse')
    t.same(await findings(page), [])
    await page.getByRole('link', { name: 'Open the form again' }).click()
    t.equal(await page.title(), 'Log in – Gatehouse')
  })

  t.test('a page runs nothing and loads nothing but its stylesheet', async (t) => {
    const asked: string[] = []
    const fresh = await browser.page()
    fresh.on('request', (request) => asked.push(new URL(request.url()).pathname))
    const blocked: string[] = []
    fresh.on('console', (message) => blocked.push(message.text()))
    await fresh.goto('/login')
    t.same(
      asked.filter((path) => path !== '/favicon.ico'),
      ['/login', '/pages.css'],
    )
    t.equal(
      await fresh.evaluate(`getComputedStyle(document.querySelector('main')).backgroundColor`),
      'rgb(255, 255, 255)',
      'the stylesheet holds',
    )
    await fresh.evaluate(`
      const script = document.createElement('script')
      script.textContent = 'document.title = "taken over"'
      document.body.append(script)`)
    t.equal(await fresh.title(), 'Log in – Gatehouse')
    t.match(blocked.join('\n'), /Content Security Policy/)
  })
})
