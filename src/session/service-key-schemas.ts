import { type Static, Type } from 'typebox'

const MAX_NAME_LENGTH = 100
/** Ids are PostgreSQL integers. */
export const KEY_ID = { minimum: 1, maximum: 2_147_483_647 } as const

const Scopes = Type.Array(Type.Union([Type.Literal('check'), Type.Literal('admin'), Type.Literal('metrics')]), {
  minItems: 1,
  maxItems: 3,
  uniqueItems: true,
  description:
    '`check`: ask for decisions. `admin`: everything under /v1. `metrics`: read /metrics. None holds another',
})

/** A service key as the API shows it; the key itself is shown once, when it is made. */
export const ServiceKey = Type.Object({
  id: Type.Integer(),
  name: Type.String({ description: 'How the audit trail knows this caller: `service-key:<name>`' }),
  scopes: Scopes,
  keyStart: Type.String({ description: 'The first characters of the key' }),
  createdAt: Type.String({ format: 'date-time' }),
  createdBy: Type.String({ description: 'The caller that made it' }),
})
export type ServiceKey = Static<typeof ServiceKey>

/** The body that makes a service key. */
export const NewServiceKey = Type.Object(
  { name: Type.String({ minLength: 1, maxLength: MAX_NAME_LENGTH }), scopes: Scopes },
  { additionalProperties: false },
)
export type NewServiceKey = Static<typeof NewServiceKey>

/** A service key that was just made. */
export const MadeServiceKey = Type.Object({
  ...ServiceKey.properties,
  key: Type.String({ description: 'The key: shown now and never again' }),
  revision: Type.Integer({ description: 'The policy revision from which the key opens' }),
})

/** The keys that a list of service keys sorts by. */
export const SERVICE_KEY_SORTS = { id: 'integer', name: 'text' } as const

/** The filters of a list of service keys, each exact. */
export const serviceKeyFilters = { name: Type.Optional(Type.String({ description: 'The name, exactly' })) }
export type ServiceKeyFilter = { name?: string }
