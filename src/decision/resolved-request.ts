import type { ObjectContext } from './matcher-compiler.ts'

/**
 * What rules are wanted for: a user and a project by their ordinals (a project that is not known is {@link ABSENT}, and
 * only rules for every project are left), a permission by its place in PERMISSIONS.
 */
export type Asked = { readonly user: number; readonly project: number; readonly permission: number }

/**
 * A request whose user, project and objects have been looked up: what {@link Asked} says, the project by id as well, and
 * the permission by name. At least one object; {@link NO_OBJECT} for none.
 */
export type ResolvedRequest = Asked & {
  projectId: number
  act: string
  objects: readonly ObjectContext[]
  via: string
  now: number
}
