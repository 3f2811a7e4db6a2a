import t from 'tap'
import type { MailContent, MailKind, NewMail } from '../../src/mail/mail-kinds.ts'
import { addressesIn, mailbox } from '../harness/mailbox.ts'
import { queueMails } from '../harness/queued-mail.ts'
import { testService } from '../harness/service.ts'

const TOKEN = 'abcDEF-_123'
const PAGE = 'https://gatehouse.example.org'
const person = { username: 'alice', firstName: 'Alice' }

const inactivity = {
  ...person,
  maxInactivity: '90 days',
  message: 'Ask {{name}}\nor us.',
  contacts: [
    { name: 'Grace <b>', email: 'grace@example.org' },
    { name: 'Only a name', email: '' },
  ],
}

const CONTENTS: { [Kind in MailKind]: Extract<MailContent, { kind: Kind }> } = {
  'email-confirmation': { kind: 'email-confirmation', ...person, token: TOKEN },
  welcome: { kind: 'welcome', ...person },
  'already-registered': { kind: 'already-registered', ...person },
  'login-unavailable': { kind: 'login-unavailable', ...person },
  'password-reset': { kind: 'password-reset', accounts: [{ username: 'alice', token: TOKEN }] },
  'email-change': { kind: 'email-change', username: 'alice', token: TOKEN },
  'email-change-asked': { kind: 'email-change-asked', username: 'alice' },
  'email-changed': { kind: 'email-changed', username: 'alice' },
  'password-changed': { kind: 'password-changed', username: 'alice' },
  'api-token-expiring': {
    kind: 'api-token-expiring',
    username: 'alice',
    name: 'export {{name}}',
    expiresAt: '2026-12-01T10:30:00.000Z',
  },
  'inactivity-warning': { kind: 'inactivity-warning', ...inactivity, dueAt: '2026-12-24T06:00:00.000000Z' },
  'inactivity-deactivation': { kind: 'inactivity-deactivation', ...inactivity },
}
/** The links of each kind; those that tell of a change have none, so that nobody learns to click in them. */
const LINKS: Partial<Record<MailKind, string>> = {
  'email-confirmation': `${PAGE}/confirm-email?token=${TOKEN}`,
  'password-reset': `${PAGE}/reset-password?token=${TOKEN}`,
  'email-change': `${PAGE}/confirm-email-change?token=${TOKEN}`,
}
const ANSWERABLE: MailKind[] = ['email-confirmation', 'welcome']

const mailOf = (content: MailContent, recipient: string): NewMail => ({ ...content, recipient, userId: null })

t.test('every kind of mail arrives with its text, its headers and its link', async (t) => {
  const box = await mailbox(t)
  const service = await testService(t, { env: { ...box.env, REGISTRATION_REPLY_TO: 'lab@example.org' } })
  for (const content of Object.values(CONTENTS)) {
    const { kind } = content
    const recipient = `${kind}@example.org`
    await queueMails(service, mailOf(content, recipient))
    const mail = await box.next(recipient)
    t.same(mail.envelope, { from: 'gatehouse@example.org', to: [recipient] }, kind)
    t.same(addressesIn(mail.to), [recipient])
    t.equal(mail.headers.get('from') && mail.from?.text, '"Gatehouse" <gatehouse@example.org>')
    t.equal(mail.headers.get('auto-submitted'), 'auto-generated')
    t.equal(mail.headers.get('x-auto-response-suppress'), 'All')
    t.match(mail.messageId, /^<[0-9a-f-]{36}@gatehouse\.example\.org>$/)
    t.ok(Math.abs(Number(mail.date) - Date.now()) < 3_600_000)
    t.same(addressesIn(mail.replyTo), ANSWERABLE.includes(kind) ? ['lab@example.org'] : [], `Reply-To of ${kind}`)
    t.equal(mail.html, false, 'plain text only')
    t.notMatch(mail.headers.get('list-unsubscribe'), /./)
    t.match(mail.text, 'alice', `${kind} names the account`)
    t.notMatch(mail.text, /undefined|\[object/)
    t.equal(mail.token, kind in LINKS ? TOKEN : '')
    t.same(
      mail.links.filter((link) => link !== PAGE),
      LINKS[kind] === undefined ? [] : [LINKS[kind]],
    )
  }
  const token = box.mails.find(({ subject }) => subject === 'An API token expires soon')
  t.match(token?.text, '"export {{name}}"')
  t.match(token?.text, '2026-12-01 at 10:30 UTC')
  const remarks = 'Ask {{name}}\nor us.\n\nIf you have questions, ask:\nGrace <b> (grace@example.org)\nOnly a name'
  const about = box.mails.filter(({ subject }) => subject?.includes('deactivated'))
  t.equal(about.length, 2)
  for (const { text } of about) t.match(text, remarks)
  t.match(about[0]?.text, 'this one after 2026-12-24 at 06:00 UTC.')
})

t.test('without REGISTRATION_REPLY_TO no mail has a Reply-To', async (t) => {
  const box = await mailbox(t)
  const service = await testService(t, { env: box.env })
  await queueMails(service, mailOf(CONTENTS.welcome, 'a@example.org'))
  t.equal((await box.next('a@example.org')).headers.has('reply-to'), false)
})

t.test('the texts of the operator take the place of ours', async (t) => {
  const box = await mailbox(t)
  const texts = {
    REGISTRATION_CONFIRMATION_TEXT: 'Ciao {{firstName}} ({{username}}), {{ link }} auf {{publicUrl}}',
    REGISTRATION_WELCOME_TEXT: 'Salut {{name}} <%= process.env %> ünï',
  }
  const service = await testService(t, { env: { ...box.env, ...texts } })
  await queueMails(service, mailOf(CONTENTS['email-confirmation'], 'a@example.org'), {
    ...mailOf(CONTENTS.welcome, 'b@example.org'),
    firstName: '',
  } as NewMail)
  t.equal(
    (await box.next('a@example.org')).text?.trim(),
    `Ciao Alice (alice), ${LINKS['email-confirmation']} auf ${PAGE}`,
  )
  t.equal((await box.next('b@example.org')).text?.trim(), 'Salut alice <%= process.env %> ünï')
})

t.test('several accounts of one address get a link each', async (t) => {
  const box = await mailbox(t)
  const service = await testService(t, { env: box.env })
  const accounts = [
    { username: 'alice', token: 'one' },
    { username: 'Alice', token: 'two' },
  ]
  await queueMails(service, mailOf({ kind: 'password-reset', accounts }, 'a@example.org'))
  const { text, links } = await box.next('a@example.org')
  t.match(text, `Account alice:\n${PAGE}/reset-password?token=one`)
  t.match(text, `Account Alice:\n${PAGE}/reset-password?token=two`)
  t.equal(links.length, 3)
})

/** Names, and what a person reads of them. */
const HOSTILE: [name: string, read: string][] = [
  ['Eve\r\nBcc: victim@example.org\r\n\r\nHi', 'Eve Bcc: victim@example.org Hi'],
  ['Eve\n.\nMAIL FROM:<x@y>', 'Eve . MAIL FROM:<x@y>'],
  ['<b>Eve</b><script>alert(1)</script>', '<b>Eve</b><script>alert(1)</script>'],
  ['{{7*7}}', '{{7*7}}'],
  ['{{token}}{{link}}', '{{token}}{{link}}'],
  ['<%= process.env %>#{7*7}', '<%= process.env %>#{7*7}'],
  ["$& $1 $` $' $$", "$& $1 $` $' $$"],
  ['\u202Egnp.exe', 'gnp.exe'],
  ['אביגיל', 'אביגיל'],
  ['🧠 Ümläut', '🧠 Ümläut'],
  ['=?utf-8?B?RXZl?=', '=?utf-8?B?RXZl?='],
  ['a\u2028b\u0085c', 'a b c'],
]

t.test('names arrive as plain text, whatever they hold', async (t) => {
  const box = await mailbox(t)
  const service = await testService(t, { env: box.env })
  for (const [at, [name, read]] of HOSTILE.entries()) {
    const recipient = `p${at}@example.org`
    await queueMails(
      service,
      mailOf({ kind: 'email-confirmation', username: name, firstName: name, token: TOKEN }, recipient),
    )
    const mail = await box.next(recipient)
    t.match(mail.text, `Hello ${read},\n\nsomebody`, `name ${at}`)
    t.match(mail.text, `the account ${read} with this address`, `login ${at}`)
    t.equal(mail.token, TOKEN, 'the link is the only one of its kind')
    t.equal(mail.subject, 'Please confirm your address')
    t.same(mail.envelope.to, [recipient])
    t.equal(mail.headers.has('bcc'), false)
    t.equal(mail.html, false)
  }
})
