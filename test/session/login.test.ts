import { pbkdf2Sync } from 'node:crypto'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import t from 'tap'
import { testService } from '../harness/service.ts'
import { callWithoutToken, PASSWORD, signedIn, userWithPassword } from '../harness/sign-in.ts'

const logged: string[] = []
const log = pino(
  { level: 'trace' },
  new Writable({
    write(chunk, _encoding, done) {
      logged.push(String(chunk))
      done()
    },
  }),
)
const service = await testService(t, { log })
const { query } = service
const WRONG = 'not the password of anybody'
const login = (body: object, headers: Record<string, string> = {}) =>
  callWithoutToken(service, 'POST', '/v1/sessions', body, headers)
const opens = async (name: string, password = PASSWORD) => (await login({ login: name, password })).status === 201
/** A user of each kind that cannot log in, and two that can. */
const others = async () => {
  await userWithPassword(service, { username: 'known' })
  await userWithPassword(service, { username: 'inactive' })
  await userWithPassword(service, { username: 'unconfirmed' })
  await userWithPassword(service, { username: 'unusable' })
  const id = await userWithPassword(service, { username: 'deleted' })
  await service.parts.users.delete({ caller: 'command:test', requestId: null, inPerson: null }, id)
  await query(`UPDATE users SET is_active = false, deactivated_at = now(), deactivation_reason = 'admin',
    deactivation_message = 'Ask Grace.' WHERE username = 'inactive'`)
  await query(`UPDATE users SET is_active = false, deactivation_reason = 'unconfirmed' WHERE username = 'unconfirmed'`)
  await query(`UPDATE users SET password_hash = '!unusable' WHERE username = 'unusable'`)
}
await others()
t.beforeEach(() => query('DELETE FROM throttles'))

t.test('a login answers with an access token and a refresh token, and nothing may keep them', async (t) => {
  await userWithPassword(service, { username: 'bob' })
  const answer = await login({ login: 'bob', password: PASSWORD, deviceName: 'microscope' })
  t.equal(answer.status, 201)
  t.match(answer.body, {
    accessToken: /^[\w-]+\.[\w-]+\.[\w-]+$/,
    tokenType: 'Bearer',
    expiresIn: 600,
    refreshToken: /^gatehouse_rt_[0-9A-Za-z]{36}$/,
    refreshExpiresAt: /^\d{4}-.*Z$/,
    session: { id: Number },
  })
  t.equal(answer.headers.get('location'), `/v1/me/sessions/${answer.body.session.id}`)
  t.equal(answer.headers.get('cache-control'), 'no-store')
  const [session] = await query('SELECT device_name, network FROM sessions WHERE id = $1', [answer.body.session.id])
  t.same(session, { device_name: 'microscope', network: '127.0.0.1' })
  const [user] = await query(
    `SELECT last_login_at > now() - interval '1 minute' AS now FROM users WHERE username = 'bob'`,
  )
  t.same(user, { now: true })
})

t.test('the access token opens what a user in person may, and a superuser the whole administration', async (t) => {
  const carol = await signedIn(t, service, { username: 'carol' })
  t.match((await carol.call('GET', '/v1/users')).body, { status: 403, code: 'not-permitted' })
  const root = await signedIn(t, service, { username: 'root', superuser: true })
  t.equal((await root.call('GET', '/v1/users')).status, 200)
})

t.test('every login opens a session of its own', async (t) => {
  const [one, other] = [
    await signedIn(t, service, { username: 'carol' }),
    await signedIn(t, service, { username: 'carol' }),
  ]
  t.not(one.sessionId, other.sessionId)
})

t.test('the login counts exactly first, and in another spelling only where one account has it', async (t) => {
  await userWithPassword(service, { username: 'kepler' })
  await userWithPassword(service, { username: 'Kepler', password: `${PASSWORD} too` })
  await userWithPassword(service, { username: 'Brahe' })
  t.ok(await opens('kepler'))
  t.notOk(await opens('Kepler'), 'the password of the other one')
  t.ok(await opens('Kepler', `${PASSWORD} too`))
  t.notOk(await opens('KEPLER'), 'two have it in some spelling')
  t.ok(await opens('BRAHE'))
  t.ok(await opens('brahe'))
  t.notOk(await opens('brahe '))
})

t.test('an address counts when it is confirmed and no other account has it', async (t) => {
  await userWithPassword(service, { username: 'lise', email: 'Lise.Meitner@Example.org' })
  t.ok(await opens('Lise.Meitner@Example.org'))
  t.ok(await opens('lise.meitner@example.ORG'))
  await query(`UPDATE users SET email_confirmed_at = NULL WHERE username = 'lise'`)
  t.notOk(await opens('lise.meitner@example.org'), 'not confirmed')
  await query(`UPDATE users SET email_confirmed_at = now() WHERE username = 'lise'`)
  await userWithPassword(service, { username: 'squatter', email: 'LISE.MEITNER@example.org' })
  t.notOk(await opens('lise.meitner@example.org'), 'two have it')
  t.ok(await opens('lise'), 'the login is not touched by that')
  await userWithPassword(service, { username: 'mike', email: 'mike@example.org' })
  for (const spelling of [
    'mıke@example.org',
    'mike＠example.org',
    'mike@example.org\u0000',
    ' mike@example.org',
    '%',
  ]) {
    const { status } = await login({ login: spelling, password: PASSWORD })
    t.ok([400, 401].includes(status), JSON.stringify(spelling))
  }
})

t.test('nobody logs in as the anonymous user or as somebody deleted, whatever hash they have', async (t) => {
  const [{ password_hash }] = (await query(`SELECT password_hash FROM users WHERE username = 'known'`)) as [
    { password_hash: string },
  ]
  await query(`UPDATE users SET password_hash = $1 WHERE is_anonymous OR username = 'deleted'`, [password_hash])
  for (const name of ['anonymous', 'deleted']) {
    t.match((await login({ login: name, password: PASSWORD })).body, { status: 401, code: 'invalid-credentials' }, name)
  }
})

t.test('a wrong password is answered to the letter alike, whether or not there is such an account', async (t) => {
  const answers = []
  for (const name of ['known', 'nobody has this', 'inactive', 'unconfirmed', 'unusable', 'deleted', 'anonymous']) {
    const { status, headers, body } = await login({ login: name, password: WRONG })
    const { instance: _instance, ...rest } = body
    const shown = Object.fromEntries([...headers].filter(([header]) => !['date', 'x-request-id'].includes(header)))
    answers.push(JSON.stringify({ status, rest, shown }))
  }
  t.equal(new Set(answers).size, 1, answers.join('\n'))
  t.match(answers[0], /"status":401/)
})

t.test(
  'a wrong password costs the same hashes and the same queries, whether or not there is such an account',
  async (t) => {
    const django = 'pbkdf2_sha256$3000$salt$1qZAfCcBVSLDxqWmoYHVL1b5mYH3mHVQ2v9j7VuQ4jk='
    const measured = await testService(t)
    await userWithPassword(measured, { username: 'known' })
    await userWithPassword(measured, { username: 'inactive' })
    await userWithPassword(measured, { username: 'imported' })
    await measured.query(`UPDATE users SET is_active = false WHERE username = 'inactive'`)
    await measured.query(`UPDATE users SET password_hash = $1 WHERE username = 'imported'`, [django])
    const attempt = (name: string) =>
      callWithoutToken(measured, 'POST', '/v1/sessions', { login: name, password: WRONG })
    await attempt('warm up')
    const manager = measured.parts.database.dataSource.driver as unknown as { master: { query: object } }
    const queries = countQueries(manager)
    const costOf = async (name: string) => {
      await measured.query('DELETE FROM throttles')
      const { hashes, iterations } = measured.parts.passwords.work
      const before = queries()
      await attempt(name)
      const { work } = measured.parts.passwords
      return {
        hashes: work.hashes - hashes,
        iterations: Math.round((work.iterations - iterations) / 10),
        queries: queries() - before,
      }
    }
    const costs: object[] = []
    for (const name of ['known', 'nobody has this', 'inactive', 'imported']) {
      // What goes by the clock can only add queries, and not each time.
      const tries = [await costOf(name), await costOf(name), await costOf(name)]
      const least = Math.min(...tries.map((cost) => cost.queries))
      costs.push({ ...tries[0], queries: least })
    }
    t.same(new Set(costs.map((cost) => JSON.stringify(cost))).size, 1, JSON.stringify(costs))
    t.match(costs[0], { hashes: 3, iterations: 300 })
    t.ok((costs[0] as { queries: number }).queries > 3)
  },
)

t.test('why an account is closed is told to whoever knows its password, and to nobody else', async (t) => {
  const inactive = await login({ login: 'inactive', password: PASSWORD })
  t.match(inactive.body, {
    status: 403,
    code: 'account-inactive',
    reason: 'admin',
    deactivatedAt: /^\d{4}-/,
    message: 'Ask Grace.',
  })
  t.match((await login({ login: 'unconfirmed', password: PASSWORD })).body, {
    status: 403,
    code: 'email-not-confirmed',
  })
  t.same(await query(`SELECT FROM sessions s JOIN users u ON u.id = user_id WHERE NOT u.is_active`), [])
})

t.test('an imported hash is replaced in the login that it fits', async (t) => {
  const id = await userWithPassword(service, { username: 'imported' })
  const hash = 'pbkdf2_sha256$1000$salt$S2b/eAMbdMx7z81bHwPSPOPBnY8mJZgaZcYjzLuhtqA='
  await query('UPDATE users SET password_hash = $2 WHERE id = $1', [id, hash])
  const kept = async () =>
    (await query<{ hash: string }>('SELECT password_hash AS hash FROM users WHERE id = $1', [id]))[0]?.hash
  t.notOk(await opens('imported', 'password'.concat('?')))
  t.equal(await kept(), hash, 'a wrong password changes nothing')
  const old = `pbkdf2_sha256$1000$salt$${pbkdf2Sync('maize', 'salt', 1000, 32, 'sha256').toString('base64')}`
  await query('UPDATE users SET password_hash = $2 WHERE id = $1', [id, old])
  t.ok(await opens('imported', 'maize'), 'however short it is')
  t.match(await kept(), /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  t.ok(await opens('imported', 'maize'))
})

t.test('two first logins at once, which both replace the imported hash, both open a session', async (t) => {
  const id = await userWithPassword(service, { username: 'twice' })
  const old = `pbkdf2_sha256$1000$salt$${pbkdf2Sync('maize', 'salt', 1000, 32, 'sha256').toString('base64')}`
  await query('UPDATE users SET password_hash = $2 WHERE id = $1', [id, old])
  t.same(await Promise.all([1, 2, 3].map(() => opens('twice', 'maize'))), [true, true, true])
})

t.test('what cannot be a login is refused before anything is looked up', async (t) => {
  const { hashes } = service.parts.passwords.work
  for (const body of [
    {},
    { login: 'known' },
    { login: ['known'], password: PASSWORD },
    { login: { $ne: '' }, password: PASSWORD },
    { login: 'known', password: '' },
    { login: 'known', password: 'x'.repeat(257) },
    { login: 'x'.repeat(255), password: PASSWORD },
    { login: 'known', password: PASSWORD, deviceName: 'x'.repeat(101) },
    { login: 'known', password: PASSWORD, isSuperuser: true },
    { login: 'known', password: PASSWORD, userId: 1 },
  ]) {
    t.equal((await login(body)).status, 400, JSON.stringify(body).slice(0, 80))
  }
  t.equal((await login({ login: 'known', password: PASSWORD, deviceName: 'x'.repeat(70_000) })).status, 413)
  const text = { 'content-type': 'text/plain' }
  t.equal((await login({ login: 'known', password: PASSWORD }, text)).status, 415)
  t.equal(service.parts.passwords.work.hashes, hashes)
})

t.test('the audit trail tells of every login, and never what was typed', async (t) => {
  await login({ login: 'known', password: WRONG })
  await login({ login: 'mistyped my password here', password: WRONG })
  await login({ login: 'inactive', password: PASSWORD })
  await login({ login: 'known', password: PASSWORD })
  const events = await query(`SELECT * FROM audit_events ORDER BY id DESC LIMIT 4`)
  const after = { network: '127.0.0.1' }
  t.match(events, [
    { action: 'session.login', caller: /^user:\d+$/, target: /^user:\d+$/, after: { ...after, sessionId: Number } },
    { action: 'session.login-refused', caller: 'public', target: /^user:\d+$/, after },
    { action: 'session.login-failed', caller: 'public', target: 'user:unknown', after },
    { action: 'session.login-failed', caller: 'public', target: /^user:\d+$/, after },
  ])
  for (const event of events) t.type(event.request_id, 'string')
  const all = JSON.stringify(await query('SELECT * FROM audit_events')) + logged.join('')
  for (const secret of [PASSWORD, WRONG, 'mistyped', 'gatehouse_rt_', 'eyJ']) t.notOk(all.includes(secret), secret)
})

/** Counts statements of every client of the pool from here on; what follows the change feed goes by the clock. */
function countQueries(driver: { master: { query: object } }): () => number {
  let count = 0
  const { Client } = driver.master as unknown as { Client: { prototype: { query: (...args: unknown[]) => unknown } } }
  const { query: asked } = Client.prototype
  Client.prototype.query = function counted(this: unknown, ...args: unknown[]) {
    const [statement] = args as [string | { text: string }]
    const text = typeof statement === 'string' ? statement : statement.text
    if (!text.includes('policy_change_sets WHERE revision >')) count += 1
    return asked.apply(this, args)
  }
  t.teardown(() => {
    Client.prototype.query = asked
  })
  return () => count
}
