import { type Static, Type } from 'typebox'

const STATES = ['running', 'needs-approval', 'done', 'interrupted', 'lapsed', 'undone'] as const
const ACCOUNT_STATES = ['due', 'deactivated', 'left', 'reactivated'] as const
const nullableTime = (description: string) =>
  Type.Union([Type.String({ format: 'date-time' }), Type.Null()], { description })
const nullableText = (description: string) => Type.Union([Type.String(), Type.Null()], { description })

/** A run as the API shows it. */
export const Run = Type.Object({
  id: Type.Integer(),
  state: Type.Unsafe<(typeof STATES)[number]>({
    type: 'string',
    enum: STATES,
    description:
      '`needs-approval`: it would deactivate too many and waits; `lapsed`: nobody approved it before the next run; ' +
      '`interrupted`: it ended before its last account, the next run goes on',
  }),
  caller: Type.String({ description: 'Who started it; `schedule:inactivity` for the schedule of the service' }),
  scheduledFor: nullableTime('The instant of the schedule; null where somebody started it'),
  lookedAt: Type.String({ format: 'date-time', description: 'The instant at which it was decided who is due' }),
  startedAt: Type.String({ format: 'date-time' }),
  endedAt: nullableTime('null while it runs or waits'),
  activeAccounts: Type.Integer({ description: 'How many accounts were active when it started' }),
  due: Type.Integer({ description: 'How many accounts were due, exempt ones and the last superuser aside' }),
  deactivated: Type.Integer({ description: 'How many of them it deactivated and did not reactivate' }),
  left: Type.Integer({ description: 'How many of them were not due any more when their turn came' }),
  reactivated: Type.Integer({ description: 'How many of them are active again since the run was undone' }),
  warned: Type.Integer({ description: 'How many users it warned' }),
  approvedBy: nullableText('Who approved it'),
  approvedAt: nullableTime('When it was approved'),
  undoneBy: nullableText('Who undid it'),
  undoneAt: nullableTime('When it was undone'),
})
export type Run = Static<typeof Run>

/** An account that was due in a run. */
export const RunAccount = Type.Object({
  id: Type.Integer({ description: 'The user' }),
  username: Type.String(),
  state: Type.Unsafe<(typeof ACCOUNT_STATES)[number]>({ type: 'string', enum: ACCOUNT_STATES }),
  periodId: Type.Union([Type.Integer(), Type.Null()], { description: 'The period that counted; null: deleted since' }),
  maxInactivity: Type.String({ description: 'How long it allowed' }),
  lastActivityAt: Type.String({ format: 'date-time' }),
  deactivatedAt: nullableTime('null: not deactivated'),
})
export type RunAccount = Static<typeof RunAccount>

/** The keys that lists of runs and of their accounts sort by; runs newest first where it is left out. */
export const RUN_SORTS = { id: 'integer' } as const
export const runFilters = {
  sort: Type.Optional(Type.Unsafe<'id' | '-id'>({ type: 'string', enum: ['id', '-id'], default: '-id' })),
}

/** The path of one run. */
export const RunPath = Type.Object({ id: Type.Integer({ minimum: 1, maximum: 2_147_483_647 }) })
