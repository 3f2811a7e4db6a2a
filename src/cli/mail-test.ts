import { randomUUID } from 'node:crypto'
import { mailTransportOf, stationeryOf } from '../compose-mail.ts'
import type { Config } from '../config.ts'
import type { Terminal } from './command-parts.ts'

const PATIENCE_MS = 60_000

/**
 * `gatehouse mail test`: sends a mail at once, past the outbox and without the database, and prints what the server
 * answered.
 *
 * @returns the exit code: 0 when the server took it, 1 when it did not
 */
export async function mailTest(
  recipient: string,
  options: { json?: boolean },
  config: Config,
  { out }: Terminal,
): Promise<0 | 1> {
  const stationery = stationeryOf(config)
  const mail = {
    messageId: `${randomUUID()}@${stationery.domain}`,
    recipient,
    replyTo: null,
    subject: 'A test of mail',
    text: `Hello,\n\nsomebody who looks after ${stationery.baseUrl} tries out whether it can send mail. It can.\n`,
    date: new Date(),
  }
  const { outcome, answer } = await mailTransportOf(config).send(mail, AbortSignal.timeout(PATIENCE_MS))
  const sent = outcome === 'sent'
  out(options.json === true ? JSON.stringify({ sent, outcome, answer }, null, 2) : `${SENTENCES[outcome]}: ${answer}`)
  return sent ? 0 : 1
}

const SENTENCES = {
  sent: 'sent',
  refused: 'refused for good',
  deferred: 'not sent, and a mail from the outbox would be tried again',
}
