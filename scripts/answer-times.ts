/**
 * Measures whether the time of an answer tells who has an account: logins, registrations and password resets for known
 * and for unknown accounts in random order, while the mail server is down. Exits with 1 where the times differ.
 *
 * With `--plant` it first makes the database a little slower for known accounts, and exits with 1 where that is NOT
 * found: so that nobody trusts a measurement that cannot see. Speed itself is the benchmark's.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { pino } from 'pino'
import { buildApp } from '../src/app.ts'
import { compose, type Parts } from '../src/compose.ts'
import { loadConfig } from '../src/config.ts'
import { migrate } from '../src/database/data-source.ts'

const { values: options } = parseArgs({
  options: { plant: { type: 'boolean', default: false }, rounds: { type: 'string', default: '300' } },
})
const ROUNDS = Number(options.rounds)
const WARMING = 20
const ACCOUNTS = 20
const PASSWORD = 'seven purple donkeys read the paper'
/** Of the normal distribution: fewer than one in 10,000 comparisons of equal times lie beyond. */
const BEYOND_CHANCE = 4
/** What the planted leak adds for known accounts, in seconds. */
const PLANTED_SECONDS = 0.008

const PLANT = `
  CREATE FUNCTION planted_leak() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF TG_TABLE_NAME = 'audit_events' AND to_jsonb(NEW) ->> 'target' ~ '^user:[0-9]'
      OR EXISTS (SELECT FROM users WHERE to_jsonb(NEW) -> 'body' ->> 'email' = email
        OR to_jsonb(NEW) -> 'body' ->> 'username' = username)
    THEN PERFORM pg_sleep(${PLANTED_SECONDS}); END IF;
    RETURN NEW;
  END $$;
  CREATE TRIGGER planted_leak BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION planted_leak();
  CREATE TRIGGER planted_leak BEFORE INSERT ON account_requests FOR EACH ROW EXECUTE FUNCTION planted_leak();`

/** A request that is asked for a known and for an unknown account; `status` is what both are answered. */
type Question = { what: string; path: string; status: number; body: (known: boolean, n: number) => object }

function address(known: boolean, n: number): string {
  return `${known ? `account${n % ACCOUNTS}` : `nobody${n}`}@example.org`
}
const QUESTIONS: Question[] = [
  {
    what: 'login, active account',
    path: '/v1/sessions',
    status: 401,
    body: (known, n) => ({
      login: known ? `account${n % ACCOUNTS}` : `nobody${n % ACCOUNTS}`,
      password: `${PASSWORD}!`,
    }),
  },
  {
    what: 'login, inactive account',
    path: '/v1/sessions',
    status: 401,
    body: (known, n) => ({
      login: known ? `former${n % ACCOUNTS}` : `nobody${n % ACCOUNTS}`,
      password: `${PASSWORD}!`,
    }),
  },
  {
    what: 'registration, address',
    path: '/v1/registrations',
    status: 202,
    body: (known, n) => registration(`fresh${known ? 'a' : 'b'}${n}`, address(known, n)),
  },
  {
    what: 'registration, login',
    path: '/v1/registrations',
    status: 202,
    body: (known, n) =>
      registration(known ? `account${n % ACCOUNTS}` : `other${n}`, `other${known ? 'a' : 'b'}${n}@example.org`),
  },
  {
    what: 'password reset',
    path: '/v1/password-resets',
    status: 202,
    body: (known, n) => ({ email: address(known, n) }),
  },
]

function registration(username: string, email: string): object {
  return { username, email, password: PASSWORD, firstName: 'First', lastName: 'Last' }
}

const dataDir = await mkdtemp(join(tmpdir(), 'gatehouse-times-'))
const config = loadConfig({
  DATA_DIR: dataDir,
  PORT: '0',
  PUBLIC_URL: 'http://localhost:8080',
  REGISTRATION_ALLOWED: 'true',
  // Nobody listens there: no answer may wait for that.
  SMTP_URL: 'smtp://127.0.0.1:1',
  MAIL_FROM: 'gatehouse@example.org',
})
const parts = await compose(config, pino({ level: 'silent' }))
let app: Awaited<ReturnType<typeof buildApp>> | undefined
try {
  await migrate(parts.database.dataSource)
  await makeAccounts(parts)
  if (options.plant) await parts.database.dataSource.query(PLANT)
  await parts.start()
  parts.startWork()
  app = await buildApp(parts, { eventLoopDelay: 0 })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const differing = await measureAll(url, parts)
  console.log(verdict(differing))
  process.exitCode = differing.length === (options.plant ? QUESTIONS.length : 0) ? 0 : 1
} finally {
  await app?.close()
  await parts.close()
  await rm(dataDir, { recursive: true, force: true })
}

function verdict(differing: string[]): string {
  if (options.plant) return `${differing.length} of ${QUESTIONS.length} planted leaks found`
  return differing.length === 0
    ? 'no answer tells who has an account'
    : `these tell who has an account: ${differing.join(', ')}`
}

async function makeAccounts({ passwords, database }: Parts): Promise<void> {
  await database.dataSource.query(
    `INSERT INTO users (username, email, email_confirmed_at, password_hash, is_active)
     SELECT prefix || n, prefix || n || '@example.org', now(), $1, prefix = 'account'
     FROM generate_series(0, $2::integer - 1) n, unnest(ARRAY['account', 'former']) prefix`,
    [await passwords.hash(PASSWORD), ACCOUNTS],
  )
}

/** Asks every question, and gives those whose times differ by whether the account is known. */
async function measureAll(url: string, parts: Parts): Promise<string[]> {
  const differing: string[] = []
  for (const question of QUESTIONS) {
    const { known, unknown } = await timesOf(url, question, parts)
    const z = rankSum(known, unknown)
    const differs = Math.abs(z) > BEYOND_CHANCE
    if (differs) differing.push(question.what)
    const medians = `known ${median(known)} ms, unknown ${median(unknown)} ms, z = ${z.toFixed(1)}`
    console.log(`${question.what.padEnd(26)} ${medians}  ${differs ? 'DIFFERS' : 'alike'}`)
  }
  return differing
}

/** The first few answers are not counted: they also pay for what is made once. */
async function timesOf(url: string, question: Question, { database }: Parts) {
  const times = { known: [] as number[], unknown: [] as number[] }
  for (let n = 0; n < WARMING + 2 * ROUNDS; n += 1) {
    await database.dataSource.query('DELETE FROM throttles')
    const known = Math.random() < 0.5
    const milliseconds = await timeOf(url, question, known, n)
    if (n >= WARMING) times[known ? 'known' : 'unknown'].push(milliseconds)
  }
  return times
}

async function timeOf(url: string, { path, status, body }: Question, known: boolean, n: number): Promise<number> {
  const text = JSON.stringify(body(known, n))
  const begun = performance.now()
  const answer = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: text,
  })
  await answer.text()
  const milliseconds = performance.now() - begun
  if (answer.status !== status) throw new Error(`${path} answered ${answer.status} to ${text}`)
  return milliseconds
}

function median(values: number[]): string {
  return ([...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0).toFixed(2)
}

/** The z of the Mann-Whitney test: how far from chance it is that one side is slower, whatever the distribution. */
function rankSum(some: number[], others: number[]): number {
  const all = [...some.map((value) => ({ value, own: true })), ...others.map((value) => ({ value, own: false }))]
  all.sort((a, b) => a.value - b.value)
  const ranks = all.reduce((sum, { own }, place) => (own ? sum + place + 1 : sum), 0)
  const [n, m] = [some.length, others.length]
  const expected = (n * (n + m + 1)) / 2
  return (ranks - expected) / Math.sqrt((n * m * (n + m + 1)) / 12)
}
