import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import t, { type Test } from 'tap'
import { isMailAddress } from '../../src/mail-address.ts'
import { administrationOf } from '../harness/administration.ts'
import { mailbox } from '../harness/mailbox.ts'
import { queueMails, welcomeTo } from '../harness/queued-mail.ts'
import { replicaOf, type TestService, testService } from '../harness/service.ts'

type Row = {
  id: number
  state: string
  attempts: number
  answer: string | null
  body: string | null
  seconds: number
  settled: boolean
}

/** What the outbox holds for a recipient; `seconds` until the next attempt. */
async function rowOf(service: TestService, recipient: string): Promise<Row> {
  const [row] = await service.query<Row>(
    `SELECT id, state, attempts, last_answer AS answer, body, settled_at IS NOT NULL AS settled,
       extract(epoch FROM next_attempt_at - now())::float8 AS seconds FROM mail_outbox WHERE recipient = $1`,
    [recipient],
  )
  if (row === undefined) throw new Error(`nothing for ${recipient}`)
  return row
}

/** Waits until the mail to a recipient was tried so often. */
async function tried(service: TestService, recipient: string, attempts: number): Promise<Row> {
  for (;;) {
    const row = await rowOf(service, recipient)
    if (row.attempts >= attempts) return row
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Makes the next attempt due, as time would. */
async function letTimePass(service: TestService): Promise<void> {
  await service.query(`UPDATE mail_outbox SET next_attempt_at = now() WHERE state = 'queued'`)
}

/** Answers each recipient by the code in its name, like `451@example.org`. */
const byName = (address: { address: string }, done: (error?: Error | null) => void) => {
  const responseCode = Number(/^\d{3}/.exec(address.address)?.[0])
  done(responseCode ? Object.assign(new Error(`no ${responseCode} here\u0007`), { responseCode }) : null)
}

const refusing = async (t: Test) => {
  const box = await mailbox(t, { onRcptTo: (address, _session, done) => byName(address, done) })
  return { box, service: await testService(t, { env: box.env }) }
}

t.test('a mail that was sent leaves its text behind nowhere', async (t) => {
  const { box, service } = await refusing(t)
  await queueMails(service, welcomeTo('a@example.org'))
  const mail = await box.next('a@example.org')
  const row = await tried(service, 'a@example.org', 1)
  t.match(row, { state: 'sent', attempts: 1, body: null, settled: true, answer: /^250/ })
  const [{ id = '' } = {}] = await service.query<{ id: string }>(`SELECT message_id AS id FROM mail_outbox`)
  t.equal(mail.messageId, `<${id}>`)
})

t.test('a refusal for now is tried again after 1 m, 5 m, 30 m, 2 h, 6 h and 24 h, then given up', async (t) => {
  const { service } = await refusing(t)
  await queueMails(service, welcomeTo('451@example.org'))
  for (const [at, delay] of [60, 300, 1800, 7200, 21_600, 86_400].entries()) {
    const row = await tried(service, '451@example.org', at + 1)
    t.match(row, { state: 'queued', settled: false, answer: /^451 no 451 here$/ })
    t.match(row.body, 'welcome')
    t.ok(row.seconds <= delay && row.seconds > delay - 30, `attempt ${at + 1}: ${row.seconds} of ${delay}`)
    await letTimePass(service)
  }
  t.match(await tried(service, '451@example.org', 7), { state: 'failed', settled: true, body: /welcome/ })
})

t.test('a refusal for good is given up at once, and other mails are not held up', async (t) => {
  const { box, service } = await refusing(t)
  await queueMails(service, welcomeTo('550@example.org'), welcomeTo('a@example.org'))
  await box.next('a@example.org')
  t.match(await rowOf(service, '550@example.org'), { state: 'failed', attempts: 1, answer: '550 no 550 here' })
})

t.test('a mail server that is away, or does not let us in, is tried again', async (t) => {
  const box = await mailbox(t, {
    disabledCommands: ['STARTTLS'],
    onAuth: (_auth, _session, done) => done(Object.assign(new Error('who are you'), { responseCode: 535 })),
  })
  const url = box.env.SMTP_URL.replace('//', '//me:secret@')
  const service = await testService(t, { env: { ...box.env, SMTP_URL: url } })
  await queueMails(service, welcomeTo('a@example.org'))
  const refused = await tried(service, 'a@example.org', 1)
  t.match(refused, { state: 'queued', answer: /535/ })
  t.notMatch(refused.answer, 'secret')
  await box.close()
  await letTimePass(service)
  t.match(await tried(service, 'a@example.org', 2), { state: 'queued', answer: /ECONNREFUSED/ })
  const again = await mailbox(t, { port: box.port })
  await letTimePass(service)
  await again.next('a@example.org')
})

t.test(
  'a user without an address gets no mail, and an address that no mail can go to is shown as failed',
  async (t) => {
    const { box, service } = await refusing(t)
    const injection = 'u@a.example\r\nRCPT TO:<evil@example.org>'
    const odd = [
      injection,
      'a, b@example.org',
      'x <x@example.org>',
      '"a b"@example.org',
      'mike@example.org, eve@example.org',
    ]
    await queueMails(service, welcomeTo(''), ...odd.map(welcomeTo), welcomeTo('last@example.org'))
    await box.next('last@example.org')
    for (const recipient of odd) {
      t.match(await rowOf(service, recipient), { state: 'failed', attempts: 0, settled: true })
    }
    t.equal(box.mails.length, 1)
    t.equal((await service.query('SELECT 1 FROM mail_outbox')).length, odd.length + 1)
  },
)

t.test('an address that is odd in an allowed way is the one that the server is told', async (t) => {
  const { box, service } = await refusing(t)
  const recipients = [
    "o'neil+tag@example.org",
    'a{b}|c@sub.example.org',
    '=?utf-8?q?x?=@example.org',
    'bcc@localhost',
    'Ünï@example.org',
  ]
  await queueMails(service, ...recipients.map(welcomeTo))
  for (const recipient of recipients) t.same((await box.next(recipient)).envelope.to, [recipient])
  t.equal(box.mails.length, recipients.length)
})

t.test('only one address is an address', async (t) => {
  for (const good of [
    'a@b',
    'a.b@example.org',
    'ä@exämple.org',
    'x@xn--exmple-cua.org',
    `${'l'.repeat(64)}@example.org`,
  ]) {
    t.ok(isMailAddress(good), good)
  }
  const bad = [
    '',
    'a',
    '@b',
    'a@',
    'a@@b',
    'a@b@c',
    ' a@b',
    'a@b ',
    'a\t@b',
    'a@b\n',
    'a@b,c@d',
    'a@b;c@d',
    '<a@b>',
    'a(x)@b',
  ]
  const worse = [
    'a@b..c',
    'a@-b',
    'a@b-',
    'a@.b',
    '.a@b',
    'a.@b',
    'a..b@c',
    'a@[127.0.0.1]',
    '"a"@b',
    'a@b＠c',
    'a＠b',
    'a\\@b',
    'a:b@c',
    '@a:b@c',
  ]
  const long = [
    `${'l'.repeat(65)}@example.org`,
    `a@${'d'.repeat(60)}.${'d'.repeat(60)}.${'d'.repeat(60)}.${'d'.repeat(80)}`,
    'a@b\u202Ec',
    'a\0@b',
    'a@b\u00ADc',
  ]
  for (const text of [...bad, ...worse, ...long]) t.notOk(isMailAddress(text), JSON.stringify(text))
})

t.test('two senders on one database send each mail once', async (t) => {
  const box = await mailbox(t)
  const service = await testService(t, { env: box.env })
  await replicaOf(t, service, { env: box.env })
  await replicaOf(t, service, { env: box.env })
  const recipients = Array.from({ length: 60 }, (_, at) => `p${at}@example.org`)
  await queueMails(service, ...recipients.map(welcomeTo))
  await Promise.all(recipients.map((recipient) => box.next(recipient)))
  for (const recipient of recipients) await tried(service, recipient, 1)
  t.equal(box.mails.length, recipients.length)
})

t.test('what a transaction queued and gave up is never sent', async (t) => {
  const { box, service } = await refusing(t)
  const { parts } = service
  await parts.database.dataSource
    .transaction(async (manager) => {
      await manager.query(`INSERT INTO mail_outbox (message_id, kind, recipient, subject, body)
        VALUES ('x', 'welcome', 'never@example.org', 's', 'b')`)
      throw new Error('given up')
    })
    .catch(() => undefined)
  await queueMails(service, welcomeTo('a@example.org'))
  await box.next('a@example.org')
  t.equal(box.mails.length, 1)
})

/** A server that takes connections and says nothing, ever. */
async function silentServer(t: Test): Promise<{ url: string; connected: Promise<unknown>; server: Server }> {
  const server = createServer()
  const sockets = new Set<{ destroy(): void }>()
  server.on('connection', (socket) => sockets.add(socket.on('error', () => undefined)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return { url: `smtp://127.0.0.1:${address.port}`, connected: once(server, 'connection'), server }
}

t.test('a mail server that says nothing holds up no request, no other part and no shutdown', async (t) => {
  const box = await mailbox(t)
  const { url, connected } = await silentServer(t)
  const service = await testService(t, { env: { ...box.env, SMTP_URL: url } })
  await queueMails(service, welcomeTo('a@example.org'))
  await connected
  const { expect } = administrationOf(t, service)
  await expect(201, 'POST', '/v1/groups', { name: 'meanwhile' })
  const { items } = await expect(200, 'GET', '/v1/mail/outbox')
  t.match(items, [{ state: 'queued', attempts: 0, recipient: 'a@example.org' }])
  await service.parts.mailSender.stop()
  t.match(await rowOf(service, 'a@example.org'), { state: 'queued', attempts: 0 }, 'it is sent another time')
})

t.test('the outbox is listed in pages with filters, without any text, and a failed mail is tried again', async (t) => {
  const { box, service } = await refusing(t)
  const { call, expect, events } = administrationOf(t, service)
  await queueMails(service, welcomeTo('550@example.org'), welcomeTo('a@example.org'), welcomeTo('b@example.org'))
  await box.next('b@example.org')
  await tried(service, 'b@example.org', 1)
  const first = await expect(200, 'GET', '/v1/mail/outbox?limit=2')
  t.same(
    first.items.map(({ recipient }: { recipient: string }) => recipient),
    ['b@example.org', 'a@example.org'],
  )
  const second = await expect(200, 'GET', `/v1/mail/outbox?limit=2&cursor=${first.nextCursor}`)
  t.match(second, {
    items: [{ recipient: '550@example.org', state: 'failed', lastAnswer: '550 no 550 here' }],
    nextCursor: null,
  })
  const byState = await expect(200, 'GET', '/v1/mail/outbox?state=failed')
  t.equal(byState.items.length, 1)
  t.equal((await expect(200, 'GET', '/v1/mail/outbox?recipient=a@example.org')).items.length, 1)
  await expect(400, 'GET', '/v1/mail/outbox?state=lost')
  t.notMatch(JSON.stringify([first, second]), /Hello|body|text/)

  const [{ id }] = byState.items
  const answer = await call('POST', `/v1/mail/outbox/${id}/retry`)
  t.match(answer, { status: 200, body: { id, state: 'queued', attempts: 0, revision: Number } })
  t.equal(answer.headers.get('cache-control'), 'no-store')
  t.match(await events(1), [{ action: 'mail.retry', target: `mail:${id}` }])
  await tried(service, '550@example.org', 1)
  t.match(await call('POST', `/v1/mail/outbox/${first.items[0].id}/retry`), {
    status: 409,
    body: { code: 'mail-not-retryable' },
  })
  t.match(await call('POST', '/v1/mail/outbox/999999/retry'), { status: 404 })
  const figures = await fetch(`${service.url}/metrics`, {
    headers: { authorization: `Bearer ${service.keys.metrics}` },
  })
  const text = await figures.text()
  t.match(text, 'gatehouse_mails{state="failed"} 1')
  t.match(text, 'gatehouse_mails{state="queued"} 0')
})
