import { Type } from 'typebox'
import { NamedGrant } from './check-schemas.ts'

const count = (description: string) => Type.Integer({ description })

/** A user who has any permission on a project. */
export const UserAccess = Type.Object({
  id: Type.Integer(),
  username: Type.String(),
  access: Type.Array(
    Type.Object({ permission: Type.String(), grants: Type.Array(NamedGrant, { description: 'Through what' }) }),
    { description: 'What the user may do by session' },
  ),
  lastActivityAt: Type.Union([Type.String({ format: 'date-time' }), Type.Null()], {
    description: 'The last login, refresh of a session or use of an API token, anywhere; null: none is known',
  }),
})

/** How far one permission on a project reaches. */
export const PermissionCount = Type.Object({
  permission: Type.String(),
  users: count('How many users have it by session, superusers too'),
  grants: Type.Object({
    direct: count('Allows to users, in force or not'),
    throughGroups: count('Allows to groups, in force or not'),
    denies: count('Denies to users and groups, in force or not'),
  }),
})
