import type { Test } from 'tap'
import { type Administration, type Answer, administrationOf } from './administration.ts'
import { type Mailbox, mailbox } from './mailbox.ts'
import { type TestService, testService } from './service.ts'

/** A password that the policy lets pass. */
export const PASSWORD = 'seven quiet herons wade'
/** Another one. */
export const OTHER_PASSWORD = 'nine loud magpies argue'

/** A service at which people register, with the mail server that its mails go to. */
export type RegistrationSite = {
  service: TestService
  admin: Administration
  box: Mailbox
  /** Calls without a credential. */
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Answer>
  /** Asks for an account, as a form would; fails the test when it is refused. */
  register(username: string, more?: object): Promise<void>
  /** Registers, takes the token from the mail and confirms with the password; gives the id of the account. */
  member(username: string, more?: object): Promise<number>
  /** The account of that login. */
  userNamed(username: string): Promise<Answer['body']>
  /** Forgets how often anybody asked for anything. */
  forgetLimits(): Promise<void>
  /** Waits until all that was asked for is done, mails queued and all. */
  workedOff(): Promise<void>
}

/** The address of whoever is called that. */
export const addressOf = (username: string) => `${username}@example.org`

/** Starts a service that lets people register, and a mail server. */
export async function registrationSite(t: Test, env: Record<string, string> = {}): Promise<RegistrationSite> {
  const box = await mailbox(t)
  const service = await testService(t, { env: { ...box.env, REGISTRATION_ALLOWED: 'true', ...env } })
  const admin = administrationOf(t, service)
  const post: RegistrationSite['post'] = async (path, body, headers = {}) => {
    const response = await fetch(service.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) }
  }
  const workedOff = async () => {
    while ((await service.query('SELECT FROM account_requests')).length > 0) {
      service.parts.accountRequestWorker.wake()
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  const forgetLimits = async () => {
    await service.query('DELETE FROM throttles')
  }
  const register = async (username: string, more: object = {}) => {
    await forgetLimits()
    const person = { username, email: addressOf(username), firstName: 'First', lastName: 'Last', password: PASSWORD }
    const answer = await post('/v1/registrations', { ...person, ...more })
    if (answer.status !== 202) t.fail(`registration of ${username}: ${JSON.stringify(answer.body)}`)
    await workedOff()
  }
  const userNamed = async (username: string) => {
    const found = await admin.expect(200, 'GET', `/v1/users?username=${encodeURIComponent(username)}`)
    return found.items[0]
  }
  const member = async (username: string, more: object = {}) => {
    await register(username, more)
    const { token } = await box.next(addressOf(username))
    const confirmed = await post('/v1/email-confirmations', { token, password: PASSWORD })
    t.equal(confirmed.status, 200, JSON.stringify(confirmed.body))
    await box.next(addressOf(username))
    return (await userNamed(username)).id
  }
  return { service, admin, box, post, register, member, userNamed, forgetLimits, workedOff }
}
