import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { simpleParser } from 'mailparser'
import t from 'tap'
import { mailbox } from '../harness/mailbox.ts'
import { queueMails, welcomeTo } from '../harness/queued-mail.ts'
import { replicaOf, type TestService, testService } from '../harness/service.ts'

const ROUNDS = 10
const LONGEST_LIFE_MS = 150

/** Starts a process that queues and sends; resolves once it has committed its first mail. */
async function started(env: Record<string, string>): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--import=tsx', join(import.meta.dirname, 'mail-process.ts')], {
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (child.stdout === null) throw new Error('no output')
  await once(child.stdout, 'data')
  return child
}

/** Waits until the outbox holds nothing that is to be sent. */
async function drained({ query }: TestService): Promise<void> {
  for (;;) {
    await query(`UPDATE mail_outbox SET next_attempt_at = now() WHERE state = 'queued' AND next_attempt_at > now()`)
    const waiting = await query(`SELECT 1 FROM mail_outbox WHERE state = 'queued'`)
    if (waiting.length === 0) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const wantedMails = async ({ query }: TestService) => {
  const rows = await query<{ address: string; id: string }>(
    `SELECT 'p' || number || '@example.org' AS address, message_id AS id
     FROM wanted LEFT JOIN mail_outbox ON recipient = 'p' || number || '@example.org'`,
  )
  return new Map(rows.map(({ address, id }) => [address, `<${id}>`]))
}

t.test('kill -9 at any point of the way of mails loses none, and every copy has the same Message-ID', async (t) => {
  const box = await mailbox(t)
  const service = await testService(t)
  await service.query('CREATE TABLE wanted (number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY)')
  for (let round = 0; round < ROUNDS; round += 1) {
    const child = await started({ DATABASE_URL: service.databaseUrl, ...box.env })
    await new Promise((resolve) => setTimeout(resolve, Math.random() * LONGEST_LIFE_MS))
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  await replicaOf(t, service, { env: box.env })
  await drained(service)
  const wanted = await wantedMails(service)
  const arrived = new Map<string, Set<string | undefined>>()
  for (const { envelope, messageId } of box.mails) {
    const [address = ''] = envelope.to
    arrived.set(address, (arrived.get(address) ?? new Set()).add(messageId))
  }
  t.comment(`${wanted.size} mails, ${box.mails.length} deliveries, ${ROUNDS} kills`)
  t.ok(wanted.size > ROUNDS)
  t.same([...arrived.keys()].sort(), [...wanted.keys()].sort(), 'what was committed arrived, and nothing else')
  for (const [address, id] of wanted) t.same([...(arrived.get(address) ?? [])], [id])
})

t.test('killed after the server took the mail and before that was kept, it sends the same mail again', async (t) => {
  let kill: () => Promise<void> = async () => undefined
  let copies = 0
  const taken: string[] = []
  const box = await mailbox(t, {
    onData(stream, _session, done) {
      let raw = ''
      stream.on('data', (chunk) => (raw += chunk))
      stream.on('end', () => {
        taken.push(String(/^Message-ID: (.*)$/im.exec(raw)?.[1]))
        copies += 1
        if (copies === 1) void kill()
        else done()
      })
    },
  })
  const service = await testService(t)
  await service.query('CREATE TABLE wanted (number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY)')
  const child = started({ DATABASE_URL: service.databaseUrl, ...box.env })
  const dead = new Promise<void>((resolve) => {
    kill = async () => {
      const victim = await child
      victim.kill('SIGKILL')
      await once(victim, 'exit')
      resolve()
    }
  })
  await dead
  await replicaOf(t, service, { env: box.env })
  await drained(service)
  t.equal(taken.filter((id) => id === taken[0]).length, 2, 'the first mail came twice, by the same Message-ID')
  t.equal(new Set(taken).size, taken.length - 1, 'and every other one once')
})

t.test('kill -9 while mails are written to files leaves each as one whole file', async (t) => {
  const dataDir = t.testdir()
  const service = await testService(t)
  await service.query('CREATE TABLE wanted (number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY)')
  const env = { DATA_DIR: dataDir, MAIL_TO_FILES: 'true' }
  for (let round = 0; round < 5; round += 1) {
    const child = await started({ DATABASE_URL: service.databaseUrl, ...env })
    await new Promise((resolve) => setTimeout(resolve, Math.random() * LONGEST_LIFE_MS))
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  await replicaOf(t, service, { env })
  await drained(service)
  const wanted = await wantedMails(service)
  const folder = join(dataDir, 'mail')
  const files = (await readdir(folder)).filter((name) => name.endsWith('.eml'))
  const kept = await Promise.all(files.map(async (name) => simpleParser(await readFile(join(folder, name)))))
  t.same(kept.map(({ messageId }) => messageId).sort(), [...wanted.values()].sort())
  for (const { text } of kept) t.match(text, /^Hello user \d+,[\s\S]*log in now\.\s*$/)
})

t.test('a sender whose database connection breaks while it sends goes on afterwards', async (t) => {
  const box = await mailbox(t)
  const service = await testService(t, { env: box.env })
  await queueMails(service, welcomeTo('a@example.org'))
  await box.next('a@example.org')
  await service.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()`)
  await queueMails(service, welcomeTo('b@example.org')).catch(() => queueMails(service, welcomeTo('b@example.org')))
  t.same((await box.next('b@example.org')).envelope.to, ['b@example.org'])
})
