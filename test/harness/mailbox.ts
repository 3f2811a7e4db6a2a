import { EventEmitter, once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type AddressObject, type ParsedMail, simpleParser } from 'mailparser'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import type { Test } from 'tap'

const PATIENCE_MS = 20_000

/** A mail as it arrived: parsed, and as it came over the line. */
export type ReceivedMail = ParsedMail & {
  /** The addresses of RCPT TO, to the letter. */
  envelope: { from: string; to: string[] }
  raw: string
  /** The links in its text. */
  links: string[]
  /** The one-time token in its only link. */
  token: string
}

/** A real SMTP server on loopback. */
export type Mailbox = {
  /** What a service needs to send here; spread it into `env` of testService. */
  env: { SMTP_URL: string; MAIL_FROM: string; PUBLIC_URL: string }
  /** Everything that arrived, in order. */
  mails: ReceivedMail[]
  /** The first mail to this address that nobody asked for yet; waits for it. */
  next(recipient: string): Promise<ReceivedMail>
  port: number
  /** Ends the server before the test does; connections are cut. */
  close(): Promise<void>
}

/** Starts a mail server that ends with the test; `options` may refuse, as smtp-server's do, or listen on a given port. */
export async function mailbox(
  t: Test,
  { port = 0, ...options }: SMTPServerOptions & { port?: number } = {},
): Promise<Mailbox> {
  const mails: ReceivedMail[] = []
  const asked = new Set<ReceivedMail>()
  const arrivals = new EventEmitter().setMaxListeners(0)
  const server = new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    closeTimeout: 100,
    onData(stream, session, done) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        received(Buffer.concat(chunks), session.envelope).then((mail) => {
          mails.push(mail)
          arrivals.emit('mail')
          done()
        }, done)
      })
    },
    ...options,
  })
  server.on('error', () => undefined)
  server.listen(port, '127.0.0.1')
  await once(server.server, 'listening')
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()))
  t.teardown(close)
  const listening = (server.server.address() as AddressInfo).port

  const next = async (recipient: string) => {
    const signal = AbortSignal.timeout(PATIENCE_MS)
    for (;;) {
      const found = mails.find((mail) => mail.envelope.to.includes(recipient) && !asked.has(mail))
      if (found !== undefined) {
        asked.add(found)
        return found
      }
      await once(arrivals, 'mail', { signal }).catch(() => {
        throw new Error(
          `no mail came to ${recipient}; there are ${mails.map(({ subject, envelope }) => `${envelope.to}: ${subject}`)}`,
        )
      })
    }
  }
  return {
    env: {
      SMTP_URL: `smtp://127.0.0.1:${listening}`,
      MAIL_FROM: 'Gatehouse <gatehouse@example.org>',
      PUBLIC_URL: 'https://gatehouse.example.org',
    },
    mails,
    next,
    port: listening,
    close,
  }
}

type Envelope = { mailFrom: { address: string } | false; rcptTo: { address: string }[] }

async function received(raw: Buffer, { mailFrom, rcptTo }: Envelope): Promise<ReceivedMail> {
  const parsed = await simpleParser(raw)
  const links = [...(parsed.text ?? '').matchAll(/https?:\/\/\S+/g)].map(([link]) => link)
  const tokens = links.flatMap((link) => new URL(link).searchParams.get('token') ?? [])
  return Object.assign(parsed, {
    envelope: { from: mailFrom === false ? '' : mailFrom.address, to: rcptTo.map(({ address }) => address) },
    raw: raw.toString(),
    links,
    token: tokens.length === 1 ? String(tokens[0]) : '',
  })
}

/** The addresses of a header such as To or Reply-To. */
export function addressesIn(header: AddressObject | AddressObject[] | undefined): (string | undefined)[] {
  return [header ?? []].flat().flatMap(({ value }) => value.map(({ address }) => address))
}
