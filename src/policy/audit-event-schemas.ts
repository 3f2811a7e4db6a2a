import { type Static, Type } from 'typebox'

const MAX_FILTER_LENGTH = 500

/** One write, as the audit trail keeps it. */
export const AuditEvent = Type.Object({
  id: Type.Integer(),
  occurredAt: Type.String({ format: 'date-time' }),
  caller: Type.String({ description: '`service-key:<name>`, `user:<id>` or `command:<name>`' }),
  action: Type.String({ examples: ['user.update'] }),
  target: Type.String({ description: '`<kind>:<id>`', examples: ['user:7'] }),
  before: Type.Unsafe<object | null>({
    type: ['object', 'null'],
    additionalProperties: true,
    description: 'What was, of the fields that changed',
  }),
  after: Type.Unsafe<object | null>({
    type: ['object', 'null'],
    additionalProperties: true,
    description: 'What is since, of the fields that changed',
  }),
  editRightsConfirmed: Type.Boolean({
    description: 'Whether the write shifted rights to edit data by a name, and the caller insisted on it',
  }),
  requestId: Type.Union([Type.String(), Type.Null()]),
  revision: Type.Integer({ description: 'The revision at which the write is in force' }),
})
export type AuditEvent = Static<typeof AuditEvent>

/** The keys that the audit trail sorts by. */
export const AUDIT_EVENT_SORTS = { id: 'bigint' } as const

const time = (description: string) => Type.Optional(Type.String({ format: 'date-time', maxLength: 64, description }))
const exactly = () => Type.Optional(Type.String({ maxLength: MAX_FILTER_LENGTH }))

/** The filters of the audit trail; `sort` is newest first where it is left out. */
export const auditEventFilters = {
  sort: Type.Optional(Type.Unsafe<'id' | '-id'>({ type: 'string', enum: ['id', '-id'], default: '-id' })),
  caller: exactly(),
  action: exactly(),
  target: exactly(),
  from: time('Only writes at this instant or later'),
  until: time('Only writes before this instant'),
}
export type AuditEventFilter = { caller?: string; action?: string; target?: string; from?: string; until?: string }
