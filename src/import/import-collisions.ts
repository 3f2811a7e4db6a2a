import type { Fields, ImportKind, ImportRows } from './import-row.ts'

/** An id or a name that the source and somebody here both claim. */
export type Collision = { kind: ImportKind; key: string; text: string }

/** Names that two rows would have once the import is done. */
export function collisionsIn(final: ImportRows): Collision[] {
  return [...sharedNames('user', 'username', final.user), ...sharedNames('group', 'name', final.group)]
}

function sharedNames(kind: 'user' | 'group', field: string, rows: ReadonlyMap<string, Fields>): Collision[] {
  const collisions: Collision[] = []
  const holders = new Map<unknown, string>()
  for (const [key, fields] of rows) {
    const name = fields[field]
    const holder = holders.get(name)
    if (holder === undefined) holders.set(name, key)
    else collisions.push({ kind, key, text: `${kind}s ${holder} and ${key} would both be ${JSON.stringify(name)}` })
  }
  return collisions
}

/** An id of the source's that belongs to somebody else here. */
export function takenId(kind: ImportKind, key: string, here: Fields): Collision {
  const name = here.username ?? here.name ?? here.title
  const whose = name === undefined ? 'here already' : `${JSON.stringify(name)} here`
  return { kind, key, text: `${kind} ${key} is ${whose}` }
}

/**
 * Whether the anonymous user can become the source's: it keeps a name that it was given here, and nobody else here is
 * made the anonymous one.
 */
export function anonymousCollision(key: string, source: Fields, here: Fields, isFirst: boolean): Collision | null {
  if (source.isAnonymous !== true) return null
  if (here.isAnonymous !== true) {
    return { kind: 'user', key, text: `user ${key} is the anonymous user in the source, another one is here` }
  }
  const isNamedHere = here.username !== UNTOUCHED_ANONYMOUS.username && here.username !== source.username
  if (!isFirst || !isNamedHere) return null
  const [name, other] = [JSON.stringify(here.username), JSON.stringify(source.username)]
  return { kind: 'user', key, text: `the anonymous user is ${name} here and ${other} in the source` }
}

/** The anonymous user as the first migration made it: what a first import may take for the common ancestor. */
export const UNTOUCHED_ANONYMOUS = {
  username: 'anonymous',
  email: '',
  firstName: '',
  lastName: '',
  isActive: true,
  isSuperuser: false,
  isAnonymous: true,
  generalPermissions: [],
  password: null,
  lastLoginAt: null,
  isDeleted: false,
} as const satisfies Fields
