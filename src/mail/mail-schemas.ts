import { type Static, Type } from 'typebox'

const STATES = ['queued', 'sent', 'failed', 'cancelled'] as const
const MAX_FILTER_LENGTH = 500
const nullableTime = (description: string) =>
  Type.Union([Type.String({ format: 'date-time' }), Type.Null()], { description })

/** A mail in the outbox as the API shows it; never its text, which may hold a link that opens an account. */
export const MailEntry = Type.Object({
  id: Type.Integer(),
  messageId: Type.String({ description: 'The Message-ID; the same in every copy of this mail' }),
  kind: Type.String({ examples: ['password-reset'] }),
  userId: Type.Union([Type.Integer(), Type.Null()], { description: 'The user it is for; null where there is none' }),
  recipient: Type.String(),
  subject: Type.String(),
  state: Type.Unsafe<(typeof STATES)[number]>({
    type: 'string',
    enum: STATES,
    description: '`failed`: refused for good, or tried for long enough; `cancelled`: not wanted any more',
  }),
  attempts: Type.Integer({ description: 'How often it was tried' }),
  nextAttemptAt: nullableTime('null unless queued'),
  lastAnswer: Type.Union([Type.String(), Type.Null()], { description: 'What the mail server said last' }),
  queuedAt: Type.String({ format: 'date-time' }),
  settledAt: nullableTime('When it was sent, given up or cancelled'),
})
export type MailEntry = Static<typeof MailEntry>

/** A mail after a write. */
export const WrittenMail = Type.Object({ ...MailEntry.properties, revision: Type.Integer() })

/** The keys that the outbox sorts by. */
export const MAIL_SORTS = { id: 'bigint' } as const

/** The filters of the outbox, each exact; `sort` is newest first where it is left out. */
export const mailFilters = {
  sort: Type.Optional(Type.Unsafe<'id' | '-id'>({ type: 'string', enum: ['id', '-id'], default: '-id' })),
  state: Type.Optional(Type.Unsafe<(typeof STATES)[number]>({ type: 'string', enum: STATES })),
  recipient: Type.Optional(Type.String({ maxLength: MAX_FILTER_LENGTH, description: 'The address, exactly' })),
}
export type MailFilter = { state?: (typeof STATES)[number]; recipient?: string }

/** The path of one mail. */
export const MailPath = Type.Object({ id: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }) })
