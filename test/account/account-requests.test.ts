import pg from 'pg'
import t from 'tap'
import {
  addressOf,
  OTHER_PASSWORD,
  PASSWORD,
  type RegistrationSite,
  registrationSite,
} from '../harness/registration.ts'
import { replicaOf } from '../harness/service.ts'

/** Records the text of every query that this process sends while `work` goes on, but for those of the change feed. */
async function queriesOf(work: () => Promise<unknown>): Promise<string[]> {
  const sent: string[] = []
  const prototype = pg.Client.prototype as { query: (...words: unknown[]) => unknown }
  const original = prototype.query
  prototype.query = function query(this: unknown, ...words: unknown[]) {
    const [first] = words as [string | { text: string }]
    sent.push(typeof first === 'string' ? first : first.text)
    return original.apply(this, words)
  }
  try {
    await work()
  } finally {
    prototype.query = original
  }
  return sent.filter((text) => !text.includes('WITH sets AS'))
}

const person = (username: string, email = addressOf(username)) => ({
  username,
  email,
  firstName: 'First',
  lastName: 'Last',
  password: OTHER_PASSWORD,
})
const waiting = (site: RegistrationSite) => site.service.query('SELECT kind, body FROM account_requests ORDER BY id')

t.test('known and unknown accounts cost the same, and are answered the same', async (t) => {
  const site = await registrationSite(t)
  await site.member('known')
  await site.member('stopped')
  await site.register('unconfirmed')
  const { id } = await site.userNamed('stopped')
  await site.admin.expect(200, 'PUT', `/v1/users/${id}/deactivation`, {})
  await site.service.parts.accountRequestWorker.stop()
  await site.service.parts.mailSender.stop()
  const { passwords } = site.service.parts
  const routes: Record<string, (username: string) => [string, object]> = {
    registration: (username) => ['/v1/registrations', person(username)],
    'registration of the login only': (username) => ['/v1/registrations', person(username, `x${username}@example.org`)],
    resend: (username) => ['/v1/email-confirmations/resend', { email: addressOf(username) }],
    reset: (username) => ['/v1/password-resets', { email: addressOf(username) }],
  }
  for (const [name, route] of Object.entries(routes)) {
    const seen: unknown[] = []
    for (const username of ['unknown', 'known', 'stopped', 'unconfirmed']) {
      await site.forgetLimits()
      const before = passwords.work.hashes
      let told: unknown
      const queries = await queriesOf(async () => {
        const { status, headers, body } = await site.post(...route(username))
        told = { status, body, headers: [...headers].filter(([header]) => !['date', 'x-request-id'].includes(header)) }
      })
      seen.push({ told, queries, hashes: passwords.work.hashes - before })
    }
    const [first, ...others] = seen as { told: object; queries: string[]; hashes: number }[]
    t.match(first, { told: { status: 202, body: { status: 'accepted' } } })
    t.ok((first?.queries.length ?? 0) > 3, `${name}: queries are seen`)
    t.equal(first?.hashes, name.startsWith('registration') ? 1 : 0, `${name}: hashes`)
    for (const other of others) t.same(other, first, name)
  }
  t.equal((await waiting(site)).length, 16, 'all of them wait, and nothing is done before the answer')
  t.notMatch(JSON.stringify(await waiting(site)), OTHER_PASSWORD, 'nor is a password kept')
})

t.test('how often mail can be asked for', async (t) => {
  const site = await registrationSite(t)
  await site.service.parts.accountRequestWorker.stop()
  const count = async () => (await waiting(site)).length
  const ask = (email: string) => site.post('/v1/password-resets', { email })

  t.test(
    'once in 3 minutes for an address in any spelling, five times an hour; more is dropped, and nobody is told',
    async (t) => {
      for (const email of ['a@example.org', 'A@Example.org', 'a@EXAMPLE.org']) {
        t.match(await ask(email), { status: 202, body: { status: 'accepted' } })
      }
      t.equal(await count(), 1)
      const later = () =>
        site.service.query(
          `UPDATE throttles SET last_at = last_at - interval '3 minutes 1 second' WHERE key LIKE 'mail-password-reset:%'`,
        )
      for (let times = 0; times < 6; times += 1) {
        await later()
        t.equal((await ask('a@example.org')).status, 202)
      }
      t.equal(await count(), 5)
      await site.service.query(`UPDATE throttles SET first_at = first_at - interval '1 hour'`)
      await ask('a@example.org')
      t.equal(await count(), 6, 'an hour later there is room again')
      t.equal((await site.post('/v1/email-confirmations/resend', { email: 'a@example.org' })).status, 202)
      t.equal(await count(), 7, 'each kind of mail has a limit of its own')
    },
  )

  t.test('20 times a minute from one network, however many come at once', async (t) => {
    await site.service.query('DELETE FROM account_requests')
    await site.forgetLimits()
    const answers = await Promise.all(Array.from({ length: 200 }, () => ask('b@example.org')))
    const statuses = answers.map(({ status }) => status)
    t.equal(statuses.filter((status) => status === 202).length, 20)
    t.equal(statuses.filter((status) => status === 429).length, 180)
    const refused = answers.find(({ status }) => status === 429)
    t.match(refused?.body, { code: 'too-many-attempts' })
    t.equal(refused?.headers.get('retry-after'), '60')
    t.equal(await count(), 1)
    const elsewhere = await site.post(
      '/v1/password-resets',
      { email: 'c@example.org' },
      { 'x-forwarded-for': '192.0.2.1' },
    )
    t.equal(elsewhere.status, 429, 'a header does not make it another network')
    for (const path of ['/v1/registrations', '/v1/email-confirmations/resend']) {
      const body = path.endsWith('s') ? person('limited') : { email: 'c@example.org' }
      t.equal((await site.post(path, body)).status, 429, `${path} counts along`)
    }
  })
})

t.test('a request that cannot be done waits, holds up no other, and is done once it can be', async (t) => {
  const site = await registrationSite(t)
  await site.service.query(`
    CREATE FUNCTION planted_fault() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.recipient LIKE 'broken@%' THEN RAISE EXCEPTION 'planted'; END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER planted_fault BEFORE INSERT ON mail_outbox FOR EACH ROW EXECUTE FUNCTION planted_fault()`)
  t.equal((await site.post('/v1/registrations', person('broken'))).status, 202)
  t.equal((await site.post('/v1/registrations', person('whole'))).status, 202)
  await site.box.next('whole@example.org')
  t.equal(await site.userNamed('broken'), undefined, 'it is done wholly or not at all')
  t.match(await waiting(site), [{ body: { username: 'broken' } }])
  await site.service.query('DROP TRIGGER planted_fault ON mail_outbox')
  const { token } = await site.box.next('broken@example.org')
  t.equal((await site.post('/v1/email-confirmations', { token, password: OTHER_PASSWORD })).status, 200)
  t.same(await waiting(site), [])
})

t.test('a service that ends before it is done with a request leaves it to the next one', async (t) => {
  const site = await registrationSite(t)
  await site.service.parts.accountRequestWorker.stop()
  t.equal((await site.post('/v1/registrations', person('early'))).status, 202)
  t.equal((await waiting(site)).length, 1)
  await replicaOf(t, site.service, { env: { ...site.box.env, REGISTRATION_ALLOWED: 'true' } })
  await site.box.next('early@example.org')
  t.same(await waiting(site), [])
})

t.test('several replicas at once do each request once', async (t) => {
  const site = await registrationSite(t)
  const env = { ...site.box.env, REGISTRATION_ALLOWED: 'true' }
  const replicas = [site.service, await replicaOf(t, site.service, { env }), await replicaOf(t, site.service, { env })]
  const hash = await site.service.parts.passwords.hash(PASSWORD)
  await site.service.query(
    `INSERT INTO account_requests (kind, body) SELECT 'registration', jsonb_build_object('username', 'u' || n, 'email',
       'u' || n || '@example.org', 'firstName', '', 'lastName', '', 'passwordHash', $1::text, 'termsVersion', NULL)
     FROM generate_series(1, 40) AS n`,
    [hash],
  )
  for (const { parts } of replicas) parts.accountRequestWorker.wake()
  await site.workedOff()
  const [counts] = await site.service.query(
    `SELECT (SELECT count(*)::int FROM users WHERE username ~ '^u\\d') AS users,
       (SELECT count(*)::int FROM mail_outbox) AS mails, (SELECT count(*)::int FROM groups) AS groups`,
  )
  t.same(counts, { users: 40, mails: 40, groups: 40 })
})

t.test('200 registrations of one login and one address at once make one account', async (t) => {
  const site = await registrationSite(t)
  const { parts } = site.service
  const passwordHash = await parts.passwords.hash(PASSWORD)
  const body = { username: 'only', firstName: '', lastName: '', passwordHash, termsVersion: null }
  await site.service.query(
    `INSERT INTO account_requests (kind, body)
     SELECT 'registration', $1::jsonb || jsonb_build_object('email', CASE n % 2 WHEN 0 THEN 'only@example.org'
       ELSE 'n' || n || '@example.org' END) FROM generate_series(1, 200) AS n`,
    [JSON.stringify(body)],
  )
  parts.accountRequestWorker.wake()
  await site.workedOff()
  t.equal((await site.service.query(`SELECT FROM users WHERE username = 'only'`)).length, 1)
  t.equal((await site.service.query('SELECT FROM users')).length, 2, 'beside the anonymous user')
})
