import { Type } from 'typebox'
import { isMailAddress } from '../mail-address.ts'
import { area } from './area.ts'

/** A mail server; the password is in here, so it is never logged. */
export type SmtpServer = {
  host: string
  port: number
  /** TLS from the first byte (smtps); otherwise STARTTLS where the server offers it. */
  secure: boolean
  user: string | undefined
  password: string | undefined
}

/** How mail goes out. */
export type MailConfig = {
  /** Undefined: mails become files below `DATA_DIR`. */
  smtp: SmtpServer | undefined
  from: { name: string; address: string }
}

const FROM = /^(?:(?<name>[^<>"\\\p{Control}]*[^<>"\\\p{Control}\s])\s*<(?<named>[^<>]+)>|(?<bare>[^<>]+))$/u
const PORTS = { 'smtp:': 25, 'smtps:': 465 } as const

/** The variables of mail. */
export const mailArea = area({
  variables: Type.Object({
    SMTP_URL: Type.Optional(
      Type.String({
        description:
          'mail server, like smtp://user:password@mail.example.org:587, or smtps:// for TLS from the start; without it mails become `.eml` files in `DATA_DIR/mail`',
        must: 'be a URL like smtp://user:password@mail.example.org:587, or smtps://…, with nothing after the port',
        refine: (value: string) => smtpServer(value) !== undefined,
      }),
    ),
    MAIL_FROM: Type.Optional(
      Type.String({
        description: 'sender of all mails, like `Gatehouse <gatehouse@example.org>`; needed with `SMTP_URL`',
        must: 'be an address like gatehouse@example.org, or Gatehouse <gatehouse@example.org>',
        refine: (value: string) => mailFrom(value) !== undefined,
      }),
    ),
    MAIL_TO_FILES: Type.Boolean({
      description:
        'says that mails as files are meant and somebody will pass them on: it lets registration ask for a confirmed address without `SMTP_URL`',
      default: false,
      must: 'be true or false',
    }),
  }),
  part: (values): MailConfig => ({
    smtp: values.SMTP_URL === undefined ? undefined : smtpServer(values.SMTP_URL),
    from: (values.MAIL_FROM === undefined ? undefined : mailFrom(values.MAIL_FROM)) ?? {
      name: 'Gatehouse',
      address: 'gatehouse@localhost',
    },
  }),
  faults: (given) => {
    if (!given.has('SMTP_URL')) return []
    return [
      ...(given.has('MAIL_FROM') ? [] : ['SMTP_URL needs MAIL_FROM, the sender of the mails']),
      ...(given.has('PUBLIC_URL') ? [] : ['SMTP_URL needs PUBLIC_URL, which the links in mails begin with']),
      ...(given.isOn('MAIL_TO_FILES') ? ['MAIL_TO_FILES=true and SMTP_URL contradict each other'] : []),
    ]
  },
})

function smtpServer(text: string): SmtpServer | undefined {
  if (!/^smtps?:\/\/[^/?#\s]+\/?$/.test(text) || !URL.canParse(text)) return undefined
  const { protocol, hostname, port, username, password } = new URL(text)
  const [user, secret] = [decoded(username), decoded(password)]
  if (hostname === '' || user === undefined || secret === undefined) return undefined
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? PORTS[protocol as keyof typeof PORTS] : Number(port),
    secure: protocol === 'smtps:',
    user: user === '' ? undefined : user,
    password: user === '' ? undefined : secret,
  }
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

function mailFrom(text: string): MailConfig['from'] | undefined {
  const { name = '', named, bare = '' } = FROM.exec(text)?.groups ?? {}
  const address = named ?? bare
  return isMailAddress(address) ? { name: name.trim(), address } : undefined
}
