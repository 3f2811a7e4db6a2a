import type { Test } from 'tap'
import { type TestService, testService } from './service.ts'

/** An answer of the service; `body` is its JSON, or undefined where there is none. */
// biome-ignore lint/suspicious/noExplicitAny: what a test expects of a body, its assertions say
export type Answer = { status: number; headers: Headers; body: any }

/** The real service as somebody sees it who administers it and asks it for decisions. */
export type Administration = {
  /** Calls with the scope `admin`; a body that is a string is sent as it is. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
  /** Calls, fails the test unless the status is as expected, and gives the body. */
  expect(status: number, method: string, path: string, body?: unknown): Promise<Answer['body']>
  /** What a check answers, of a snapshot at least as new as `revision`. */
  check(check: object, revision: number): Promise<Answer['body']>
  /** Whether that check is allowed. */
  allowed(check: object, revision: number): Promise<boolean>
  /** The newest audit events, newest first. */
  events(count?: number): Promise<Answer['body'][]>
  query: TestService['query']
}

/** Starts the service on a database of the test's own; it ends with the test. */
export async function administration(t: Test): Promise<Administration> {
  return administrationOf(t, await testService(t))
}

/** The same over a service that runs already. */
export function administrationOf(
  t: Test,
  { url, keys, query }: Pick<TestService, 'url' | 'keys' | 'query'>,
): Administration {
  const sent = async (key: string, method: string, path: string, body?: unknown, headers = {}): Promise<Answer> => {
    const response = await fetch(url + path, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) }
  }
  const bodyOf = (expected: number, what: string, { status, body }: Answer) => {
    if (status !== expected) t.equal(status, expected, `${what}: ${JSON.stringify(body)}`)
    return body
  }
  const call: Administration['call'] = (...request) => sent(keys.admin, ...request)
  const expect: Administration['expect'] = async (status, method, path, body) =>
    bodyOf(status, `${method} ${path}`, await call(method, path, body))
  const check: Administration['check'] = async (question, atLeastRevision) =>
    bodyOf(200, 'check', await sent(keys.check, 'POST', '/check?explain=true', { ...question, atLeastRevision }))
  return {
    call,
    expect,
    check,
    allowed: async (question, revision) => (await check(question, revision)).allowed,
    events: async (count = 50) => (await expect(200, 'GET', `/v1/audit-events?limit=${count}`)).items,
    query,
  }
}
