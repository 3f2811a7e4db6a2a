import type { Page } from 'playwright-core'
import type { Test } from 'tap'
import t from 'tap'
import { administrationOf } from '../harness/administration.ts'
import { browserAt, noBrowser } from '../harness/browser.ts'
import { addressesIn, mailbox } from '../harness/mailbox.ts'
import { testService } from '../harness/service.ts'
import { callWithoutToken, callWithToken, PASSWORD, signedIn } from '../harness/sign-in.ts'

/** As people write it; the browser is told where it is. */
const PUBLIC_URL = 'http://gatehouse.test'
const MESSAGE = 'Your data is kept.\nWrite to <Grace>, and it is open again.'
const DAY_MS = 86_400_000

/**
 * The service with a mail server and a browser; alice in a group with a period of 90 days, and ines, who is a superuser.
 * Inactivity is judged by the clock of the database unless `nightIn` says otherwise.
 */
async function site(t: Test) {
  let now: string | null = null
  const box = await mailbox(t)
  const service = await testService(t, { env: { ...box.env, PUBLIC_URL }, clock: () => now })
  const { url, query, parts } = service
  const browser = await browserAt(t, PUBLIC_URL, url)
  const ines = await signedIn(t, service, { username: 'ines', superuser: true })
  const alice = await signedIn(t, service, { username: 'alice', email: 'alice@example.org' })
  const { expect } = administrationOf(t, service)
  const made = async (path: string, body: object): Promise<number> => (await expect(201, 'POST', path, body)).id
  const groupId = await made('/v1/groups', { name: 'tracers' })
  await expect(201, 'PUT', `/v1/groups/${groupId}/members/${alice.id}`)
  const contacts = [
    await made('/v1/users', { username: 'grace', email: 'grace@example.org', firstName: 'Grace', lastName: 'Hopper' }),
    await made('/v1/users', { username: 'kepler', email: 'kepler@example.org' }),
  ]
  const maxInactivity = 'P90D'
  await made('/v1/inactivity-periods', { groupId, maxInactivity, warnBefore: ['P14D'], message: MESSAGE, contacts })
  return {
    box,
    service,
    alice,
    ines,
    /** A page in a browser that somebody just opened, and that runs no scripts. */
    page: () => browser.page({ javaScriptEnabled: false }),
    /** Makes alice one who was last here, in whatever way, so many days ago. */
    async lastSeen(days: number) {
      await parts.activity.flush()
      const ago = [alice.id, days]
      await query(
        `UPDATE users SET created_at = now() - interval '900 days', last_login_at = now() - make_interval(days => $2)
         WHERE id = $1`,
        ago,
      )
      await query(
        `UPDATE account_activity SET refreshed_at = refreshed_at - make_interval(days => $2),
           token_used_at = token_used_at - make_interval(days => $2) WHERE user_id = $1`,
        ago,
      )
    },
    /** The run of the night that is so many days away. */
    async nightIn(days: number) {
      now = days === 0 ? null : new Date(Date.now() + days * DAY_MS).toISOString()
      await parts.activity.flush()
      const context = { caller: 'schedule:inactivity', requestId: null, inPerson: null }
      return (await parts.inactivityRuns.start(context))?.finished
    },
    async logIn(page: Page, login: string, password: string) {
      await query('DELETE FROM throttles')
      await page.goto('/login')
      await page.getByLabel('Login name or e-mail address', { exact: true }).fill(login)
      await page.getByLabel('Password', { exact: true }).fill(password)
      const [answer] = await Promise.all([
        page.waitForResponse((response) => response.request().method() === 'POST'),
        page.getByRole('button', { name: 'Log in', exact: true }).click(),
      ])
      return answer.status()
    },
  }
}

const heading = (page: Page) => page.locator('h1').textContent()
/** What stands on the page. */
const read = async (page: Page) => (await page.locator('main').textContent()) ?? ''

t.test(
  'warned, deactivated, told why and whom to ask, let in again, and not deactivated the next night',
  { skip: noBrowser },
  async (t) => {
    const { box, service, alice, ines, page, lastSeen, nightIn, logIn } = await site(t)
    const before = await page()
    t.equal(await logIn(before, 'alice', PASSWORD), 303)
    t.equal(await heading(before), 'Your account')
    const { body: script } = await alice.call('POST', '/v1/me/api-tokens', { name: 'script', scopes: ['account'] })
    const byToken = async () => (await callWithToken(service, script.token, 'GET', '/v1/me')).status
    t.equal(await byToken(), 200)

    await lastSeen(80)
    t.match(await nightIn(0), { state: 'done', warned: 1, deactivated: 0 })
    const warning = await box.next('alice@example.org')
    t.equal(warning.subject, 'Your account will be deactivated')
    for (const words of [
      'alice',
      '90 days',
      PUBLIC_URL,
      'log in before',
      MESSAGE,
      'Grace Hopper (grace@example.org)',
    ]) {
      t.ok(warning.text?.includes(words), `${words} in ${warning.text}`)
    }
    t.match(await nightIn(0), { warned: 0, deactivated: 0 }, 'one warning is enough')

    await lastSeen(91)
    t.match(await nightIn(0), { state: 'done', warned: 0, deactivated: 1 })
    const notice = await box.next('alice@example.org')
    t.equal(notice.subject, 'Your account was deactivated')
    t.same(addressesIn(notice.to), ['alice@example.org'])
    for (const words of [MESSAGE, 'Grace Hopper (grace@example.org)', 'kepler (kepler@example.org)']) {
      t.ok(notice.text?.includes(words), `${words} in ${notice.text}`)
    }

    await before.goto('/account')
    t.equal(await heading(before), 'Log in', 'whoever was logged in is not any more')
    t.equal(await byToken(), 401)
    const now = await page()
    t.equal(await logIn(now, 'nobody', 'not the password at all'), 401)
    const anybody = [await now.title(), await read(now)]
    t.match(anybody[1], 'Login and password do not belong together')
    t.equal(await logIn(now, 'alice', 'not the password at all'), 401)
    t.same([await now.title(), await read(now)], anybody, 'with a wrong password one reads what anybody reads')
    t.equal(await logIn(now, 'alice', PASSWORD), 403)
    t.equal(await heading(now), 'Your account is not in use')
    const told = await read(now)
    for (const words of [
      'nobody had used it for a long time. The longest time without use is 90 days.',
      MESSAGE,
      'Grace Hopper, grace@example.org',
      'kepler, kepler@example.org',
    ]) {
      t.ok(told.includes(words), `${words} in ${told}`)
    }
    await now.goto('/account')
    t.equal(await heading(now), 'Log in', 'it was no login')

    const reactivated = await ines.call('DELETE', `/v1/users/${alice.id}/deactivation`)
    t.match(reactivated, { status: 200, body: { isActive: true, deactivationReason: null, deactivationMessage: null } })
    t.match(await nightIn(1), { due: 0, warned: 0 }, 'its clock starts anew, even before anybody logs in')
    await before.goto('/account')
    t.equal(await heading(before), 'Log in', 'the session from before stays ended')
    t.match(await alice.call('GET', '/v1/me'), { status: 401 })
    const { refreshToken } = alice
    t.match(await callWithoutToken(service, 'POST', '/v1/sessions/refresh', { refreshToken }), { status: 401 })
    t.equal(await logIn(now, 'alice', PASSWORD), 303)
    t.equal(await heading(now), 'Your account')
    t.match(await nightIn(1), { state: 'done', due: 0, deactivated: 0, warned: 0 })
    t.equal(await byToken(), 200, 'the API token from before works again')
    await now.goto('/account')
    t.equal(await heading(now), 'Your account', 'after the night one is still logged in')
    t.equal(box.mails.length, 2)
  },
)

t.test('a login after the warning is enough to stay', { skip: noBrowser }, async (t) => {
  const { box, page, lastSeen, nightIn, logIn } = await site(t)
  await lastSeen(80)
  t.match(await nightIn(0), { warned: 1 })
  t.equal((await box.next('alice@example.org')).subject, 'Your account will be deactivated')
  t.equal(await logIn(await page(), 'alice', PASSWORD), 303)
  t.match(await nightIn(11), { due: 0, warned: 0 }, 'the day after which the account would have been deactivated')
  t.match(await nightIn(77), { due: 0, warned: 1 }, 'the warning is for this time away, and there is another')
  t.match(await nightIn(91), { due: 1, deactivated: 1 })
})
