import { join } from 'node:path'
import { domainToASCII } from 'node:url'
import type { Config } from './config.ts'
import { writeEml } from './mail/eml-folder.ts'
import type { Stationery } from './mail/mail-letter.ts'
import { FileTransport, type MailTransport, SmtpTransport } from './mail/mail-transport.ts'

/** How mail leaves here, by what the configuration says. */
export function mailTransportOf({ mail: { smtp, from }, dataDir }: Config): MailTransport {
  if (smtp !== undefined) return new SmtpTransport(smtp, from)
  return new FileTransport(from, (mail, message) => writeEml(join(dataDir, 'mail'), mail, message))
}

/** What mails are written with, by what the configuration says. */
export function stationeryOf({ mail, registration, publicUrl, host, port }: Config): Stationery {
  const { confirmationText, welcomeText, replyTo } = registration
  return {
    // Without a public address mails are files for somebody at this machine.
    baseUrl: publicUrl ?? `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    domain:
      publicUrl === undefined ? domainToASCII(mail.from.address.replace(/^.*@/, '')) : new URL(publicUrl).hostname,
    confirmationText,
    welcomeText,
    replyTo,
  }
}
