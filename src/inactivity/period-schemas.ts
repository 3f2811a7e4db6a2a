import { type Static, Type } from 'typebox'

const MAX_TEXT_LENGTH = 10_000
const MAX_CONTACTS = 50
const MAX_WARNINGS = 10
const MAX_DURATION_LENGTH = 64
const INT32 = { minimum: -2_147_483_648, maximum: 2_147_483_647 } as const

const duration = (description: string) =>
  Type.String({ maxLength: MAX_DURATION_LENGTH, description, examples: ['P90D'] })
const fields = {
  groupId: Type.Integer({
    ...INT32,
    description: 'The period applies to the members of this group, in every project or in one',
  }),
  maxInactivity: duration('Who shows no activity for longer than this is due; ISO 8601, to the microsecond'),
  message: Type.Union([Type.String({ maxLength: MAX_TEXT_LENGTH }), Type.Null()], {
    description: 'What the users are told when they are warned, deactivated, and try to log in',
  }),
  comment: Type.Union([Type.String({ maxLength: MAX_TEXT_LENGTH }), Type.Null()], {
    description: 'For whoever looks after the site; never shown to users',
  }),
  contacts: Type.Array(Type.Integer(INT32), {
    uniqueItems: true,
    maxItems: MAX_CONTACTS,
    description: 'Ids of users whose names and addresses the deactivated are told',
  }),
  warnBefore: Type.Array(duration('How long before a user is due a mail warns of it'), { maxItems: MAX_WARNINGS }),
  enabled: Type.Boolean({ description: 'Whether runs go by it; a preview is there either way' }),
}

/** A period as the API shows it. */
export const Period = Type.Object({ id: Type.Integer(), ...fields })
export type Period = Static<typeof Period>

/** A period after a write. */
export const WrittenPeriod = Type.Object({ ...Period.properties, revision: Type.Integer() })

/** The body that makes a period; what is left out is empty, and enabled. */
export const NewPeriod = Type.Object(
  {
    groupId: fields.groupId,
    maxInactivity: fields.maxInactivity,
    message: Type.Optional(fields.message),
    comment: Type.Optional(fields.comment),
    contacts: Type.Optional(fields.contacts),
    warnBefore: Type.Optional(fields.warnBefore),
    enabled: Type.Optional(fields.enabled),
  },
  { additionalProperties: false },
)
export type NewPeriod = Static<typeof NewPeriod>

/** The body that changes a period; what is left out stays. */
export const PeriodPatch = Type.Partial(Type.Object(fields), { additionalProperties: false })
export type PeriodPatch = Static<typeof PeriodPatch>

/** The keys that a list of periods sorts by, and its filters, each exact. */
export const PERIOD_SORTS = { id: 'integer' } as const
export const periodFilters = { groupId: Type.Optional(Type.Integer(INT32)), enabled: Type.Optional(Type.Boolean()) }
export type PeriodFilter = { groupId?: number; enabled?: boolean }

/** The path of one period. */
export const PeriodPath = Type.Object({ id: Type.Integer(INT32) })

const nullableTime = (description: string) =>
  Type.Union([Type.String({ format: 'date-time' }), Type.Null()], { description })

/** A user to whom a period applies, the shortest of all that do. */
export const Candidate = Type.Object({
  id: Type.Integer({ description: 'The user' }),
  username: Type.String(),
  lastActivityAt: Type.String({ format: 'date-time', description: 'Login, use of a token, reactivation or creation' }),
  dueAt: Type.String({ format: 'date-time', description: 'Due from the first microsecond after this instant' }),
  isDue: Type.Boolean({ description: 'At the instant of the preview, exempt or not' }),
  stays: Type.Union([Type.Literal('exempt'), Type.Literal('last-superuser'), Type.Null()], {
    description: 'Why a run leaves the user active although it is due; null: nothing keeps it from it',
  }),
  exemptUntil: nullableTime('null: not exempt, or without an end'),
  warnedAt: nullableTime('When the last warning about this inactivity was queued'),
})
export type Candidate = Static<typeof Candidate>

/** The keys that a preview sorts by: the first due come first. */
export const CANDIDATE_SORTS = { id: 'integer', dueAt: 'time' } as const
export const previewFilters = {
  sort: Type.Optional(
    Type.Unsafe<'id' | '-id' | 'dueAt' | '-dueAt'>({
      type: 'string',
      enum: ['id', '-id', 'dueAt', '-dueAt'],
      default: 'dueAt',
    }),
  ),
  at: Type.Optional(
    Type.String({
      format: 'date-time',
      maxLength: 64,
      description: 'The instant to look at; now where it is left out',
    }),
  ),
  isDue: Type.Optional(Type.Boolean({ description: 'Only users who are due then, or who are not' })),
}
