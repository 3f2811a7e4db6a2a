import { type Static, Type } from 'typebox'
import { PERMISSIONS, type Permission } from '../decision/policy-state.ts'
import { INT32 } from './project-schemas.ts'

const PermissionName = Type.Unsafe<Permission>({ type: 'string', enum: [...PERMISSIONS] })
const EffectName = Type.Union([Type.Literal('allow'), Type.Literal('deny')], {
  description: 'A deny wins over every allow, however either is held',
})
const PrincipalType = Type.Union([Type.Literal('user'), Type.Literal('group')])
const Principal = Type.Object({ type: PrincipalType, id: Type.Integer(INT32) }, { additionalProperties: false })
/** Who holds a grant. */
export type Principal = Static<typeof Principal>

const nullableTime = (description: string) =>
  Type.Union([Type.String({ format: 'date-time' }), Type.Null()], { description })
const givenTime = (description: string) =>
  Type.Optional(
    Type.Union([Type.String({ format: 'date-time', maxLength: 64 }), Type.Null()], {
      description: `${description}; RFC 3339 with any offset, to the millisecond`,
    }),
  )

/** A grant as the API shows it. */
export const Grant = Type.Object({
  id: Type.Integer(),
  projectId: Type.Integer(),
  principal: Type.Object(Principal.properties),
  permission: PermissionName,
  effect: EffectName,
  validFrom: nullableTime('From this instant on; null: always'),
  validUntil: nullableTime('Before this instant; null: for ever'),
  source: Type.String({ description: 'What made it: `api`, or the import' }),
  grantedBy: Type.String({ description: 'The caller that made it, as in the audit trail' }),
  createdAt: Type.String({ format: 'date-time' }),
})
export type Grant = Static<typeof Grant>

/** A grant after a write. */
export const WrittenGrant = Type.Object({ ...Grant.properties, revision: Type.Integer() })

/** The body that makes a grant. */
export const NewGrant = Type.Object(
  {
    principal: Principal,
    permission: PermissionName,
    effect: Type.Optional(Type.Unsafe<'allow' | 'deny'>({ ...EffectName, default: 'allow' })),
    validFrom: givenTime('In force from this instant on'),
    validUntil: givenTime('In force before this instant'),
  },
  { additionalProperties: false },
)
export type NewGrant = Static<typeof NewGrant>

/** At most so many grants are made by one request. */
export const MAX_GRANTS_IN_BULK = 100_000

/** The body that makes many grants on one project, all or none. */
export const GrantBulk = Type.Object(
  { grants: Type.Array(NewGrant, { maxItems: MAX_GRANTS_IN_BULK }) },
  { additionalProperties: false },
)

/** What a bulk came to. */
export const WrittenBulk = Type.Object({
  created: Type.Integer({ description: 'How many grants were made: as many as were sent' }),
  revision: Type.Integer({ description: 'The revision at which all of them are in force' }),
})

/** A grant as a line of a file states it: with its project, and with whom it is for by id or by name. */
export const GrantLine = Type.Object(
  {
    ...NewGrant.properties,
    project: Type.Integer(INT32),
    principal: Type.Object(
      { type: PrincipalType, id: Type.Optional(Type.Integer(INT32)), name: Type.Optional(Type.String()) },
      { additionalProperties: false },
    ),
  },
  { additionalProperties: false },
)
export type GrantLine = Static<typeof GrantLine>

/** The body that sets what one principal is allowed on a project for good. */
export const PermissionSet = Type.Object(
  { permissions: Type.Array(PermissionName, { uniqueItems: true, maxItems: PERMISSIONS.length }) },
  { additionalProperties: false },
)

/** All grants of one principal on one project, after they were set. */
export const PrincipalGrants = Type.Object({
  projectId: Type.Integer(),
  principal: Type.Object(Principal.properties),
  grants: Type.Array(Grant, { description: 'Denies and timed grants too, which setting permissions leaves alone' }),
  revision: Type.Integer(),
})

/** The keys that a list of grants sorts by. */
export const GRANT_SORTS = { id: 'integer', permission: 'text' } as const

/** The filters of a list of grants, each exact. */
export const grantFilters = {
  userId: Type.Optional(Type.Integer({ ...INT32, description: 'Only grants to this user, not to its groups' })),
  groupId: Type.Optional(Type.Integer({ ...INT32, description: 'Only grants to this group' })),
  permission: Type.Optional(PermissionName),
  effect: Type.Optional(Type.Unsafe<'allow' | 'deny'>({ type: 'string', enum: ['allow', 'deny'] })),
  source: Type.Optional(Type.String()),
}
export type GrantFilter = {
  userId?: number
  groupId?: number
  permission?: Permission
  effect?: 'allow' | 'deny'
  source?: string
}

/** The path of one grant. */
export const GrantPath = Type.Object({ id: Type.Integer(INT32), grantId: Type.Integer(INT32) })

/** The path of all grants of one principal on one project. */
export const PrincipalPath = Type.Object({
  id: Type.Integer(INT32),
  principalType: Type.Unsafe<Principal['type']>({ type: 'string', enum: ['user', 'group'] }),
  principalId: Type.Integer(INT32),
})
