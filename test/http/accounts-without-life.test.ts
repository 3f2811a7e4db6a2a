import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { newApiToken } from '../../src/api-token.ts'
import { credentialShape } from '../../src/opaque-credential.ts'
import { cookieNames } from '../../src/pages/page-session.ts'
import { type TestService, testService } from '../harness/service.ts'
import { callWithoutToken, PASSWORD, signedIn } from '../harness/sign-in.ts'

/** Registration is on, so that its routes do not refuse everybody. */
const registering = (t: Test) => ({
  env: {
    REGISTRATION_ALLOWED: 'true',
    MAIL_TO_FILES: 'true',
    PUBLIC_URL: 'http://localhost:8080',
    DATA_DIR: t.testdir(),
  },
})

/** Ways in which an account stops being one that anybody can use. */
const ENDS: Record<string, (service: TestService, id: number) => Promise<unknown>> = {
  'deactivated by a superuser': (service, id) =>
    admin(service, 'PUT', `/v1/users/${id}/deactivation`, { message: 'left the laboratory' }),
  'inactive for too long': ({ query }, id) =>
    query(
      `UPDATE users SET is_active = false, deactivation_reason = 'inactivity', deactivated_at = now() WHERE id = $1`,
      [id],
    ),
  'not confirmed': ({ query }, id) =>
    query(`UPDATE users SET is_active = false, deactivation_reason = 'unconfirmed' WHERE id = $1`, [id]),
  deleted: (service, id) => admin(service, 'DELETE', `/v1/users/${id}`),
}

async function admin(service: TestService, method: string, path: string, body?: unknown) {
  const authorization = `Bearer ${service.keys.admin}`
  const answer = await callWithoutToken(service, method, path, body, { authorization })
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`)
}

/** Everything that ever opened anything for the user, by what it is. */
type Credentials = { headers: Record<string, Record<string, string>>; secrets: Record<string, string> }

/** A superuser, to whom every route would be open, with every kind of credential. */
async function armed(t: Test, service: TestService): Promise<{ id: number; credentials: Credentials }> {
  await service.query(`DELETE FROM throttles`)
  await signedIn(t, service, { username: 'root', superuser: true })
  const alice = await signedIn(t, service, { username: 'alice', superuser: true, email: 'alice@example.org' })
  const [catmaid, ours] = [randomBytes(20).toString('hex'), newApiToken()]
  for (const token of [catmaid, ours]) {
    await service.query(
      `INSERT INTO api_tokens (user_id, name, token_hash, scopes)
       VALUES ($1, 'every scope', sha256($2::text::bytea), '{check,account,projects,admin}')`,
      [alice.id, token],
    )
  }
  const secrets: Record<string, string> = { 'refresh token': alice.refreshToken, 'API token': ours }
  for (const purpose of ['email-confirmation', 'email-change', 'password-reset']) {
    const token = credentialShape('gatehouse_once_').make()
    secrets[`${purpose} token`] = token
    await service.query(
      `INSERT INTO one_time_tokens (token_hash, purpose, user_id, address, expires_at)
       VALUES (sha256($1::text::bytea), $2, $3, 'alice@example.org', now() + interval '1 hour')`,
      [token, purpose, alice.id],
    )
  }
  const authorized = (authorization: string) => ({ authorization })
  const headers = {
    'access token': authorized(`Bearer ${alice.accessToken}`),
    'API token': authorized(`Bearer ${ours}`),
    'API token of CATMAID': authorized(`Token ${catmaid}`),
    'refresh token': authorized(`Bearer ${alice.refreshToken}`),
    'reset token': authorized(`Bearer ${secrets['password-reset token']}`),
    'cookie of the pages': { cookie: `${cookieNames(false).session}=${alice.accessToken}` },
  }
  return { id: alice.id, credentials: { headers, secrets: { ...secrets, 'access token': alice.accessToken } } }
}

/** Every route of the running application, as `[method, path]`, with numbers where the path takes some. */
function routesOf({ app }: TestService): [string, string][] {
  const routes: [string, string][] = []
  const parents: string[] = []
  // A tree of four characters a level, each node the rest of its path.
  for (const line of app.printRoutes({ commonPrefix: false, includeHooks: false }).split('\n')) {
    const [, indent = '', part = '', methods] = /^(.*?)[├└]── (\S+?)(?: \(([A-Z, ]+)\))?$/.exec(line) ?? []
    if (part === '') continue
    parents.length = indent.length / 4
    parents.push(part)
    const path = parents
      .join('')
      .replace(/:\w+(\|:\w+)*/g, '1')
      .replace('*', 'x')
    for (const method of methods?.split(', ') ?? []) routes.push([method, path])
  }
  return routes
}

const BODY = JSON.stringify({})

async function statusOf({ url }: TestService, [method, path]: [string, string], headers: Record<string, string>) {
  const hasBody = ['POST', 'PUT', 'PATCH'].includes(method)
  const answer = await fetch(url + path, {
    method,
    redirect: 'manual',
    headers: { ...headers, ...(hasBody && { 'content-type': 'application/json' }) },
    ...(hasBody && { body: BODY }),
  })
  await answer.arrayBuffer()
  return answer.status
}

/** What would differ if anything had been opened. */
async function standing({ query }: TestService, id: number) {
  const [row] = await query(
    `SELECT is_active, is_superuser, password_hash, email, username, email_confirmed_at,
       (SELECT count(*) FROM sessions s WHERE s.user_id = u.id AND NOT EXISTS (
         SELECT FROM ended_sessions e WHERE e.id = s.id)) AS sessions
     FROM users u WHERE id = $1`,
    [id],
  )
  return row
}

t.test('the list of routes is that of the application', async (t) => {
  const service = await testService(t, registering(t))
  const paths = routesOf(service).map((route) => route.join(' '))
  for (const known of ['POST /check', 'GET /v1/me', 'DELETE /v1/users/1', 'POST /v1/sessions/refresh']) {
    t.ok(paths.includes(known), known)
  }
  const { paths: described } = (await callWithoutToken(service, 'GET', '/openapi.json')).body
  const missing = Object.entries(described as Record<string, object>).flatMap(([path, operations]) =>
    Object.keys(operations)
      .map((method) => `${method.toUpperCase()} ${path.replace(/\{\w+\}/g, '1')}`)
      .filter((route) => !paths.includes(route)),
  )
  t.same(missing, [])
})

for (const [end, bring] of Object.entries(ENDS)) {
  t.test(`no credential of an account that is ${end} opens any route`, async (t) => {
    const service = await testService(t, registering(t))
    const { id, credentials } = await armed(t, service)
    for (const [kind, headers] of Object.entries(credentials.headers).slice(0, 3)) {
      t.equal(await statusOf(service, ['GET', '/v1/me'], headers), 200, `${kind} opened before`)
    }
    const cookie = credentials.headers['cookie of the pages'] ?? {}
    t.equal(await statusOf(service, ['GET', '/account'], cookie), 200, 'the cookie opened before')
    t.equal(await statusOf(service, ['GET', '/v1/me'], cookie), 401, 'the cookie never opened the API')
    await bring(service, id)
    const before = await standing(service, id)
    const wrong: string[] = []
    for (const route of routesOf(service)) {
      const nobody = await statusOf(service, route, {})
      for (const [kind, headers] of Object.entries(credentials.headers)) {
        const status = await statusOf(service, route, headers)
        if (status !== nobody) wrong.push(`${route.join(' ')} answers ${status} to the ${kind}, ${nobody} to nobody`)
      }
    }
    t.same(wrong, [])
    t.same(await openedBySecrets(service, credentials.secrets), [])
    t.same(await standing(service, id), before, 'and nothing has changed')
  })
}

/** Tries every secret in every field for a secret of every route that takes one; tells what was answered as done. */
async function openedBySecrets(service: TestService, secrets: Record<string, string>): Promise<string[]> {
  const { paths } = (await callWithoutToken(service, 'GET', '/openapi.json')).body
  const opened: string[] = []
  for (const [path, operations] of Object.entries(paths as Record<string, Record<string, Operation>>)) {
    const schema = operations.post?.requestBody?.content['application/json']?.schema
    const field = ['token', 'refreshToken'].find((name) => schema?.properties?.[name] !== undefined)
    if (field === undefined || path === '/v1/introspection') continue
    for (const [kind, secret] of Object.entries(secrets)) {
      await service.query('DELETE FROM throttles')
      const body = { ...(schema?.properties?.newPassword && { newPassword: `${PASSWORD} anew` }), [field]: secret }
      const { status } = await callWithoutToken(service, 'POST', path, body)
      // Whoever finds a token may end it, and learns nothing by it.
      if (status < 400 && path !== '/v1/api-token-revocations') opened.push(`${path} took the ${kind}`)
    }
  }
  await service.query('DELETE FROM throttles')
  const login = await callWithoutToken(service, 'POST', '/v1/sessions', { login: 'alice', password: PASSWORD })
  if (login.status < 400) opened.push('login')
  for (const [kind, token] of Object.entries(secrets)) {
    const authorization = `Bearer ${service.keys.check}`
    const { body } = await callWithoutToken(service, 'POST', '/v1/introspection', { token }, { authorization })
    if (body.active !== false) opened.push(`introspection calls the ${kind} active`)
  }
  return opened
}

type Operation = {
  requestBody?: { content: Record<string, { schema: { properties?: Record<string, object> } }> }
}
