import t from 'tap'
import { networkOf } from '../../src/session/throttle.ts'
import { replicaOf, type TestService, testService } from '../harness/service.ts'
import { callWithoutToken, PASSWORD, signedIn, userWithPassword } from '../harness/sign-in.ts'

const WRONG = 'not the password of anybody'
/** A proxy in front, so that a test can come from anywhere. */
const service = await testService(t, { env: { TRUSTED_PROXIES: '127.0.0.0/8,10.0.0.0/8' } })
const { query } = service
t.beforeEach(() => query('DELETE FROM throttles'))

/** Logs in from an address. */
const login = (name: string, password: string, from = '203.0.113.1', at: Pick<TestService, 'url'> = service) =>
  callWithoutToken(at, 'POST', '/v1/sessions', { login: name, password }, { 'x-forwarded-for': from })
/** As if the attempts so far had been so long ago. */
const age = (seconds: number) =>
  query(
    `UPDATE throttles SET first_at = first_at - make_interval(secs => $1), last_at = last_at - make_interval(secs => $1)`,
    [seconds],
  )
const failures = async (name: string, times: number, from?: string) => {
  for (let count = 0; count < times; count += 1)
    t.equal((await login(name, WRONG, from)).status, 401, `${name} ${count}`)
}
const retryAfter = ({ headers }: { headers: Headers }) => Number(headers.get('retry-after'))

t.test('five wrong passwords are free, then each waits twice as long, up to a quarter of an hour', async (t) => {
  await userWithPassword(service)
  await failures('alice', 5)
  for (const seconds of [1, 2, 4, 8, 16]) {
    const refused = await login('alice', WRONG)
    t.match(refused.body, { status: 429, code: 'too-many-attempts' })
    t.ok(retryAfter(refused) <= seconds && retryAfter(refused) >= seconds - 1, `${retryAfter(refused)} of ${seconds}`)
    await age(60)
    await failures('alice', 1)
  }
  await query('UPDATE throttles SET count = 40')
  await age(61)
  t.ok(retryAfter(await login('alice', WRONG)) > 800)
  await age(900 - 61)
  t.equal((await login('alice', WRONG)).status, 401)
})

t.test('while it waits, the right password is not looked at either', async (t) => {
  await userWithPassword(service)
  await failures('alice', 5)
  const { hashes } = service.parts.passwords.work
  const refused = await login('alice', PASSWORD)
  t.match(refused.body, { status: 429, code: 'too-many-attempts' })
  t.equal(service.parts.passwords.work.hashes, hashes, 'nothing was hashed')
  await age(2)
  t.equal((await login('alice', PASSWORD)).status, 201)
})

t.test('a login that nobody has is throttled alike', async (t) => {
  await failures('nobody has this', 5)
  t.match((await login('nobody has this', WRONG)).body, { status: 429, code: 'too-many-attempts' })
  t.match((await login('NOBODY has this', WRONG)).body, { status: 429 }, 'in any spelling')
})

t.test(
  'a hundred wrong passwords in a row close the login for a month, or until a proof of another kind',
  async (t) => {
    await userWithPassword(service)
    await failures('alice', 1)
    await query(`UPDATE throttles SET count = 100 WHERE key LIKE 'login:%'`)
    await age(86_400)
    t.ok(retryAfter(await login('alice', PASSWORD)) > 28 * 86_400)
    await service.parts.passwordAttempts.forget(['alice'], '203.0.113.1')
    t.equal((await login('alice', PASSWORD)).status, 201)
  },
)

t.test(
  'whoever guesses from elsewhere does not lock out an owner who comes from where they always come from',
  async (t) => {
    await userWithPassword(service, { username: 'victim' })
    t.equal((await login('victim', PASSWORD, '198.51.100.7')).status, 201)
    await failures('victim', 5, '203.0.113.66')
    t.equal((await login('victim', PASSWORD, '203.0.113.67')).status, 429, 'from anywhere unknown')
    t.equal((await login('victim', PASSWORD, '198.51.100.7')).status, 201, 'from home')
    await query(`UPDATE sessions SET created_at = created_at - interval '31 days'`)
    await failures('victim', 5, '203.0.113.66')
    t.equal((await login('victim', PASSWORD, '198.51.100.7')).status, 429, 'home was too long ago')
  },
)

t.test('a known network has its own counter, which runs out too', async (t) => {
  await userWithPassword(service, { username: 'victim' })
  t.equal((await login('victim', PASSWORD, '198.51.100.8')).status, 201)
  await failures('victim', 5, '198.51.100.8')
  t.equal((await login('victim', WRONG, '198.51.100.8')).status, 429)
})

t.test('a right password sets the counters of the account and its network back', async (t) => {
  await userWithPassword(service, { username: 'lise', email: 'lise@example.org' })
  await failures('lise', 4)
  await failures('lise@example.org', 4)
  t.equal((await login('lise', PASSWORD)).status, 201)
  const counts = await query(`SELECT key, count FROM throttles WHERE count > 0 AND key LIKE 'login:%'`)
  t.same(counts, [])
})

t.test('ten failures a minute, or thirty logins, are what one network gets, for however many accounts', async (t) => {
  for (let count = 0; count < 10; count += 1) t.equal((await login(`nobody ${count}`, WRONG, '192.0.2.1')).status, 401)
  t.equal((await login('nobody 11', WRONG, '192.0.2.1')).status, 429)
  t.equal((await login('nobody 11', WRONG, '192.0.2.2')).status, 401, 'another network')
  await age(61)
  t.equal((await login('nobody 11', WRONG, '192.0.2.1')).status, 401)

  await userWithPassword(service)
  await query('DELETE FROM throttles')
  for (let count = 0; count < 30; count += 1) t.equal((await login('alice', PASSWORD, '192.0.2.3')).status, 201)
  t.equal((await login('alice', PASSWORD, '192.0.2.3')).status, 429)
})

t.test('an IPv6 network is its /64, and an IPv4 address in IPv6 clothes is that address', async (t) => {
  for (let count = 0; count < 10; count += 1) {
    t.equal((await login(`nobody ${count}`, WRONG, `2001:db8:1:2::${count}`)).status, 401)
  }
  t.equal((await login('nobody', WRONG, '2001:db8:1:2:ffff::1')).status, 429)
  t.equal((await login('nobody', WRONG, '2001:db8:1:3::1')).status, 401)
  t.equal(networkOf('::ffff:192.0.2.1'), '192.0.2.1')
  t.equal(networkOf('2001:DB8::1'), '2001:db8:0:0::/64')
  t.equal(networkOf('fe80::1%eth0'), 'fe80:0:0:0::/64')
  t.equal(networkOf('::1'), '0:0:0:0::/64')
  t.equal(networkOf('made up'), 'unknown')
})

t.test('without a trusted proxy nobody says where they come from; with one, only its last word counts', async (t) => {
  const bare = await testService(t)
  for (let count = 0; count < 10; count += 1) {
    t.equal((await login(`nobody ${count}`, WRONG, `192.0.2.${count}`, bare)).status, 401)
  }
  t.equal((await login('nobody', WRONG, '192.0.2.200', bare)).status, 429)
  const networks = await bare.query(
    `SELECT DISTINCT after->>'network' AS network FROM audit_events WHERE action = 'session.login-failed'`,
  )
  t.same(networks, [{ network: '127.0.0.1' }])
  await query('DELETE FROM throttles')
  for (let count = 0; count < 10; count += 1)
    await login(`nobody ${count}`, WRONG, `1.2.3.${count}, 192.0.2.9, 10.1.2.3`)
  t.equal((await login('nobody', WRONG, '192.0.2.9')).status, 429, 'what the client put in front does not count')
})

t.test('200 wrong logins at once, at two replicas, are as many as one after another', async (t) => {
  await userWithPassword(service)
  const replica = await replicaOf(t, service, { env: { TRUSTED_PROXIES: '127.0.0.1' } })
  const work = () => service.parts.passwords.work.hashes + replica.parts.passwords.work.hashes
  const before = work()
  const startedAt = Date.now()
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, place) =>
      login('alice', WRONG, `198.18.${place % 100}.1`, place % 2 === 0 ? service : replica),
    ),
  )
  const seconds = (Date.now() - startedAt) / 1000
  const verified = answers.filter(({ status }) => status === 401).length
  t.ok(verified >= 5 && verified <= 5 + Math.floor(Math.log2(seconds + 1)) + 1, `${verified} in ${seconds} s`)
  t.equal(answers.filter(({ status }) => status === 429).length, 200 - verified)
  t.equal(work() - before, verified, 'only what was let through was hashed')
})

t.test('a refused attempt takes no turn from anybody', async (t) => {
  await failures('nobody has this', 5, '192.0.2.77')
  for (let count = 0; count < 10; count += 1) t.equal((await login('nobody has this', WRONG, '192.0.2.77')).status, 429)
  t.equal((await login('nobody else', WRONG, '192.0.2.77')).status, 401)
})

t.test('a signed-in user is not shut out by wrong passwords that others try', async (t) => {
  const user = await signedIn(t, service)
  await failures('alice', 5, '203.0.113.99')
  t.equal((await user.call('GET', '/v1/me/sessions')).status, 200)
})
