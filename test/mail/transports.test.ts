import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { simpleParser } from 'mailparser'
import { pino } from 'pino'
import t from 'tap'
import { runCommand } from '../../src/cli/program.ts'
import { mailbox } from '../harness/mailbox.ts'
import { queueMails, welcomeTo } from '../harness/queued-mail.ts'
import { testService } from '../harness/service.ts'

async function run(env: Record<string, string>, ...args: string[]) {
  const [out, progress]: [string[], string[]] = [[], []]
  const exitCode = await runCommand(args, env, {
    out: (text) => out.push(text),
    progress: (text) => progress.push(text),
  })
  return { exitCode, out: out.join('\n'), progress: progress.join('\n') }
}

t.test('without a mail server each mail becomes a file that only the service may read', async (t) => {
  const dataDir = t.testdir()
  const service = await testService(t, { env: { DATA_DIR: dataDir, MAIL_TO_FILES: 'true' } })
  await queueMails(service, {
    kind: 'password-reset',
    accounts: [{ username: 'a', token: 'T-_1' }],
    recipient: 'a@example.org',
    userId: null,
  })
  const folder = join(dataDir, 'mail')
  const names = async () => (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.eml'))
  while ((await names()).length === 0) await new Promise((resolve) => setTimeout(resolve, 20))
  const [name = ''] = await names()
  t.match(name, /^\d{8}T\d{6}Z-[0-9a-f-]{36}\.eml$/)
  t.equal((await stat(folder)).mode & 0o777, 0o700)
  t.equal((await stat(join(folder, name))).mode & 0o777, 0o600)
  const mail = await simpleParser(await readFile(join(folder, name)))
  t.match(mail.text, 'http://127.0.0.1:8080/reset-password?token=T-_1')
  t.equal(mail.headers.get('auto-submitted'), 'auto-generated')
  t.match(mail.messageId, /@localhost>$/)
  t.match(mail.from?.text, 'gatehouse@localhost')
  t.same(await readdir(folder), [name], 'nothing unfinished lies about')
})

t.test('a folder that cannot be written is tried again', async (t) => {
  const dataDir = t.testdir({ mail: 'a file where the folder should be' })
  const service = await testService(t, { env: { DATA_DIR: dataDir, MAIL_TO_FILES: 'true' } })
  await queueMails(service, welcomeTo('a@example.org'))
  const row = async () => (await service.query('SELECT state, attempts FROM mail_outbox'))[0]
  while ((await row())?.attempts === 0) await new Promise((resolve) => setTimeout(resolve, 20))
  t.match(await row(), { state: 'queued', attempts: 1 })
})

t.test('mail test sends at once, without a database, and tells what the server answered', async (t) => {
  const box = await mailbox(t, {
    onRcptTo: ({ address }, _session, done) =>
      done(address.startsWith('no') ? Object.assign(new Error('not here'), { responseCode: 550 }) : null),
  })
  const env = { ...box.env, DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' }
  t.match(await run(env, 'mail', 'test', 'a@example.org'), { exitCode: 0, out: /^sent: 250 /, progress: '' })
  t.match((await box.next('a@example.org')).headers.get('auto-submitted'), 'auto-generated')
  t.match(await run(env, 'mail', 'test', 'no@example.org'), { exitCode: 1, out: 'refused for good: 550 not here' })
  t.same(JSON.parse((await run(env, 'mail', 'test', 'no@example.org', '--json')).out), {
    sent: false,
    outcome: 'refused',
    answer: '550 not here',
  })
  await box.close()
  t.match(await run(env, 'mail', 'test', 'a@example.org'), { exitCode: 1, out: /^not sent.*ECONNREFUSED/ })
  t.match(await run(env, 'mail', 'test', 'a@x, b@y'), { exitCode: 2, out: '' })
  t.match(await run(env, 'mail', 'test'), { exitCode: 2 })
  const dataDir = t.testdir()
  t.match(await run({ DATA_DIR: dataDir }, 'mail', 'test', 'a@example.org'), {
    exitCode: 0,
    out: `sent: written to ${dataDir}`,
  })
})

t.test(
  'TLS from the start and STARTTLS both work with a login, and a password never goes out in the clear',
  async (t) => {
    const logins: string[] = []
    const onAuth = (
      { username = '', password = '' }: { username?: string; password?: string },
      _session: unknown,
      done: (error: null, response: { user: string }) => void,
    ) => {
      logins.push(`${username}:${password}`)
      done(null, { user: username })
    }
    const withLogin = (url: string, scheme: string) => url.replace('smtp://', `${scheme}://me%40lab:p%25w@`)
    for (const [scheme, options] of [
      ['smtps', { secure: true, disabledCommands: [] }],
      ['smtp', { disabledCommands: [] }],
    ] as const) {
      const box = await mailbox(t, { ...options, disabledCommands: [], onAuth: onAuth as never })
      const { env } = box
      t.match(await run({ ...env, SMTP_URL: withLogin(env.SMTP_URL, scheme) }, 'mail', 'test', 'a@example.org'), {
        exitCode: 0,
      })
      await box.next('a@example.org')
    }
    t.same(logins, ['me@lab:p%w', 'me@lab:p%w'])
    const plain = await mailbox(t, { disabledCommands: ['STARTTLS'], onAuth: onAuth as never })
    const elsewhere = withLogin(plain.env.SMTP_URL, 'smtp').replace('127.0.0.1', '127.1')
    t.match(await run({ ...plain.env, SMTP_URL: elsewhere }, 'mail', 'test', 'a@example.org'), {
      exitCode: 1,
      out: /^not sent/,
    })
    t.equal(logins.length, 2)
  },
)

t.test('the log tells of mails without address, text or token', async (t) => {
  const lines: string[] = []
  const log = pino(
    { level: 'trace' },
    new Writable({ write: (chunk, _encoding, done) => done(void lines.push(String(chunk))) }),
  )
  const box = await mailbox(t, {
    onRcptTo: ({ address }, _session, done) =>
      done(address.startsWith('550') ? Object.assign(new Error(`no ${address}`), { responseCode: 550 }) : null),
  })
  const service = await testService(t, { env: box.env, log })
  for (const recipient of ['550.bob@example.org', 'alice@example.org']) {
    await queueMails(service, {
      kind: 'email-change',
      username: 'alice',
      token: 'SECRET-TOKEN',
      recipient,
      userId: null,
    })
  }
  await box.next('alice@example.org')
  while (!lines.join('').includes('sent a mail')) await new Promise((resolve) => setTimeout(resolve, 20))
  t.match(lines.join(''), 'a mail could not be sent')
  t.notMatch(lines.join(''), /SECRET-TOKEN|example\.org|Hello|confirm-email/)
})
