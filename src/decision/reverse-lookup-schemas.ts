import { Type } from 'typebox'
import { NamedGrant } from './check-schemas.ts'

/** How a list of checks is asked: `via` as in a check. */
export const VIA = {
  via: Type.Optional(
    Type.Unsafe<'session' | 'token'>({
      type: 'string',
      enum: ['session', 'token'],
      description:
        'How the user comes to the caller (D8); left out: by session, and about oneself as the credential that is sent',
    }),
  ),
}

/** A filter on one permission. */
export const permissionFilter = (fallback?: string) =>
  Type.String({
    description: 'One of the seven permissions; any other name gives an empty list',
    ...(fallback === undefined ? {} : { default: fallback }),
  })

/** A row of a user's projects. */
export const PermittedProject = Type.Object({ id: Type.Integer(), title: Type.String() })

/** A row of a project's users. */
export const PermittedUser = Type.Object({
  id: Type.Integer(),
  username: Type.String(),
  grants: Type.Array(NamedGrant, { description: 'Through what' }),
})

/** What a user may do in one project. */
export const Permissions = Type.Object({
  permissions: Type.Array(Type.String()),
  revision: Type.Integer(),
})
