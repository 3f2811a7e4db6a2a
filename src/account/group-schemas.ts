import { type Static, Type } from 'typebox'
import { INT32, MAX_NAME_LENGTH } from './user-schemas.ts'

const name = Type.String({
  minLength: 1,
  maxLength: MAX_NAME_LENGTH,
  description: 'Compared exactly. Members of a group named like a login may edit what that user made',
})
const confirmEditRights = Type.Boolean({
  description: 'Insists on a name that shifts rights to edit data; a name that is taken stays refused',
})

/** A group as the API shows it. */
export const Group = Type.Object({
  id: Type.Integer(),
  name: Type.String(),
  maintainers: Type.Array(Type.Object({ userId: Type.Integer(), username: Type.String() }), {
    description: 'The users who may add and remove members, by id',
  }),
  createdAt: Type.String({ format: 'date-time' }),
})
export type Group = Static<typeof Group>

/** A group after a write. */
export const WrittenGroup = Type.Object({ ...Group.properties, revision: Type.Integer() })

/** The body that makes a group. */
export const NewGroup = Type.Object(
  { name, confirmEditRights: Type.Optional(confirmEditRights) },
  { additionalProperties: false },
)
export type NewGroup = Static<typeof NewGroup>

/** The body that changes a group; what is left out stays. */
export const GroupPatch = Type.Partial(Type.Object({ name, confirmEditRights }), { additionalProperties: false })
export type GroupPatch = Static<typeof GroupPatch>

/** The keys that a list of groups sorts by. */
export const GROUP_SORTS = { id: 'integer', name: 'text' } as const

/** The filters of a list of groups, each exact. */
export const groupFilters = {
  name: Type.Optional(Type.String({ description: 'The name, exactly' })),
  memberId: Type.Optional(Type.Integer({ ...INT32, description: 'Only groups that this user is in, anywhere' })),
  maintainerId: Type.Optional(Type.Integer({ ...INT32, description: 'Only groups that this user maintains' })),
}
export type GroupFilter = { name?: string; memberId?: number; maintainerId?: number }

/** A user in a group: everywhere, or in one project only. */
export const Membership = Type.Object({
  id: Type.Integer(),
  groupId: Type.Integer(),
  userId: Type.Integer(),
  username: Type.String(),
  projectId: Type.Union([Type.Integer(), Type.Null()], {
    description: 'null: in every project; else only in this one',
  }),
  source: Type.String({ description: 'What made it: `api`, or the import' }),
  createdAt: Type.String({ format: 'date-time' }),
})
export type Membership = Static<typeof Membership>

/** A membership after a write. */
export const WrittenMembership = Type.Object({ ...Membership.properties, revision: Type.Integer() })

/** Which of a user's memberships in a group a request is about. */
export const MembershipQuery = Type.Object(
  {
    project: Type.Optional(
      Type.Integer({ ...INT32, description: 'The project that the membership is limited to; left out: everywhere' }),
    ),
  },
  { additionalProperties: false },
)

/** The keys that a list of members sorts by. */
export const MEMBER_SORTS = { id: 'integer', userId: 'integer' } as const

/** The filters of a list of members, each exact. */
export const memberFilters = {
  userId: Type.Optional(Type.Integer(INT32)),
  project: Type.Optional(Type.Integer({ ...INT32, description: 'Only memberships limited to this project' })),
}
export type MemberFilter = { userId?: number; project?: number }

/** The path of one group. */
export const GroupPath = Type.Object({ id: Type.Integer(INT32) })

/** The path of one user in one group. */
export const GroupUserPath = Type.Object({ id: Type.Integer(INT32), userId: Type.Integer(INT32) })
