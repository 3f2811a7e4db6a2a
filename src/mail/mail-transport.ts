import { createTransport, type SendMailOptions } from 'nodemailer'
import { isMailAddress } from '../mail-address.ts'

/** Longest answer of a server that is kept. */
const MAX_ANSWER_LENGTH = 500

/** A mail ready to go. `messageId` is without its angle brackets. */
export type OutgoingMail = {
  messageId: string
  recipient: string
  replyTo: string | null
  subject: string
  text: string
  date: Date
}

/** What became of a mail, with the server's answer: `refused` is for good, `deferred` is worth another try. */
export type Delivery = { outcome: 'sent' | 'refused' | 'deferred'; answer: string }

/** Sends one mail; never throws. After an abort nobody can know whether the mail has gone. */
export interface MailTransport {
  send(mail: OutgoingMail, signal: AbortSignal): Promise<Delivery>
}

type Server = {
  host: string
  port: number
  secure: boolean
  user: string | undefined
  password: string | undefined
}
type Sender = { name: string; address: string }

/** Milliseconds that a server may take to connect, to greet, and to say anything at all. */
const PATIENCE = { connectionTimeout: 10_000, greetingTimeout: 10_000, dnsTimeout: 10_000, socketTimeout: 30_000 }
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/
/** Commands whose refusal is about this mail; any other refusal is about us, and may pass. */
const ABOUT_THE_MAIL = ['MAIL FROM', 'RCPT TO', 'DATA']

/**
 * Sends by SMTP. A password never goes over the network in the clear: where there is one, a server elsewhere must offer
 * TLS, with a certificate that holds.
 */
export class SmtpTransport implements MailTransport {
  readonly #transport
  readonly #from: Sender

  constructor({ host, port, secure, user, password }: Server, from: Sender) {
    const here = LOOPBACK.test(host)
    this.#from = from
    this.#transport = createTransport({
      host,
      port,
      secure,
      ...(user !== undefined && { auth: { user, pass: password ?? '' } }),
      requireTLS: user !== undefined && !here,
      tls: { rejectUnauthorized: !here },
      disableFileAccess: true,
      disableUrlAccess: true,
      ...PATIENCE,
    })
  }

  async send(mail: OutgoingMail, signal: AbortSignal): Promise<Delivery> {
    if (!isMailAddress(mail.recipient)) return unwritable
    try {
      const { response } = await this.#transport.sendMail({ ...messageOf(mail, this.#from), signal })
      return { outcome: 'sent', answer: answerOf(response) }
    } catch (error) {
      return failureOf(error)
    }
  }
}

/** Hands each mail, as a whole message, to `write`, which keeps it under a name that follows from the mail. */
export class FileTransport implements MailTransport {
  readonly #transport = createTransport({ streamTransport: true, buffer: true, newline: 'windows' })
  readonly #from: Sender
  readonly #write: (mail: OutgoingMail, message: Buffer) => Promise<string>

  constructor(from: Sender, write: (mail: OutgoingMail, message: Buffer) => Promise<string>) {
    this.#from = from
    this.#write = write
  }

  async send(mail: OutgoingMail): Promise<Delivery> {
    if (!isMailAddress(mail.recipient)) return unwritable
    try {
      const { message } = await this.#transport.sendMail(messageOf(mail, this.#from))
      return { outcome: 'sent', answer: `written to ${await this.#write(mail, message as Buffer)}` }
    } catch (error) {
      return failureOf(error)
    }
  }
}

const unwritable: Delivery = { outcome: 'refused', answer: 'the recipient is no address that a mail can be sent to' }

/** SAFETY: addresses go in as objects, and only after isMailAddress: a string would be parsed, and could be a list. */
function messageOf(mail: OutgoingMail, from: Sender): SendMailOptions {
  return {
    messageId: `<${mail.messageId}>`,
    date: mail.date,
    from,
    to: { name: '', address: mail.recipient },
    ...(mail.replyTo !== null && { replyTo: { name: '', address: mail.replyTo } }),
    envelope: { from: from.address, to: [mail.recipient] },
    subject: mail.subject,
    text: mail.text,
    headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
  }
}

function failureOf(error: unknown): Delivery {
  const { message = '', response, responseCode = 0, command = '' } = error as Failure
  const forGood = responseCode >= 500 && responseCode < 600 && ABOUT_THE_MAIL.includes(command)
  return { outcome: forGood ? 'refused' : 'deferred', answer: answerOf(response ?? message) }
}

/** What nodemailer adds to an error. */
type Failure = { message?: string; response?: string; responseCode?: number; command?: string }

/** One line that the database can keep, of whatever a server said. */
function answerOf(text: string): string {
  const line = text.replace(/[\p{Control}\p{Surrogate}]+/gu, ' ').trim()
  return [...line].slice(0, MAX_ANSWER_LENGTH).join('')
}
