import type { Test } from 'tap'
import type { Answer } from './administration.ts'
import type { TestService } from './service.ts'

/** The password of everybody who signs in here; it passes the policy. */
export const PASSWORD = 'seven purple donkeys read the paper'

/** A user of the running service who has logged in. */
export type SignedIn = {
  id: number
  username: string
  accessToken: string
  refreshToken: string
  sessionId: number
  /** Calls with the access token. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
}

/** What a user shall be like; whoever is there already keeps being as they are. */
export type SignInOptions = { username?: string; superuser?: boolean; email?: string; password?: string }

/**
 * Logs a user in by password through the API; a user of that name is made where there is none. The limits of how often
 * anybody may log in are lifted first: tests log in more often than people do.
 */
export async function signedIn(t: Test, service: TestService, options: SignInOptions = {}): Promise<SignedIn> {
  const { username = 'alice', password = PASSWORD } = options
  const id = await userWithPassword(service, { ...options, username, password })
  await service.query('DELETE FROM throttles')
  const answer = await callWithoutToken(service, 'POST', '/v1/sessions', { login: username, password })
  if (answer.status !== 201) t.fail(`${username} cannot log in: ${JSON.stringify(answer.body)}`)
  const { accessToken, refreshToken, session } = answer.body
  return {
    id,
    username,
    accessToken,
    refreshToken,
    sessionId: session.id,
    call: (method, path, body, headers) => callWithToken(service, accessToken, method, path, body, headers),
  }
}

/** Makes a user by hand unless there is one, gives it the password, and tells its id once the service knows of it. */
export async function userWithPassword(
  { parts, query }: TestService,
  { username = 'alice', superuser = false, email = '', password = PASSWORD }: SignInOptions = {},
): Promise<number> {
  const context = { caller: 'command:test', requestId: null, inPerson: null }
  const [present] = await query<{ id: number }>('SELECT id FROM users WHERE username = $1', [username])
  const id = present?.id ?? (await parts.users.create(context, { username, email, isSuperuser: superuser })).value.id
  await query(
    `UPDATE users SET password_hash = $2, email_confirmed_at = CASE WHEN email <> '' THEN now() END WHERE id = $1`,
    [id, await hashOf(parts, password)],
  )
  return id
}

/** One hash a password: hashing is slow on purpose. */
async function hashOf({ passwords }: TestService['parts'], password: string): Promise<string> {
  const known = hashes.get(password) ?? passwords.hash(password)
  hashes.set(password, known)
  return known
}
const hashes = new Map<string, Promise<string>>()

/** Calls as somebody without any credential. */
export function callWithoutToken(
  service: Pick<TestService, 'url'>,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return callWith(service, headers, method, path, body)
}

/** Calls with a credential. */
export function callWithToken(
  service: Pick<TestService, 'url'>,
  token: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return callWith(service, { authorization: `Bearer ${token}`, ...headers }, method, path, body)
}

async function callWith(
  { url }: Pick<TestService, 'url'>,
  headers: Record<string, string>,
  method: string,
  path: string,
  body: unknown,
): Promise<Answer> {
  const response = await fetch(url + path, {
    method,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) }
}
