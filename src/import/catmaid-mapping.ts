import { createHash } from 'node:crypto'
import { PERMISSIONS } from '../decision/policy-state.ts'
import type { CatmaidObjectPermission, CatmaidSite, CatmaidUser, MentionKind } from './catmaid-site.ts'
import { contactKey, type Fields, grantKey, type ImportRows, membershipKey, noRows } from './import-row.ts'

/** Something in the source that has no place here; it is told of, never guessed at. */
export type NotBrought = { kind: NotBroughtKind; text: string }
export type NotBroughtKind =
  | MentionKind
  | 'permission on a project that is gone'
  | 'permission on the dummy project'
  | 'permission that is not one of the seven'
  | 'permission on something other than a project'
  | 'general permission'
  | 'staff flag'
  | 'project comment'
  | 'home view'
  | 'dummy project'
  | 'row that cannot be kept'
  | 'anonymous user’s credential'

/** A site in the words of an import. */
export type MappedSite = {
  rows: ImportRows
  /** Django password hashes by user id; the rows hold only their digests. */
  passwords: ReadonlyMap<number, string>
  /** The user whom the source takes every visitor for, by name, or by id −1 as old databases have it. */
  anonymousId: number | null
  notBrought: NotBrought[]
}

const DUMMY_PROJECT = -1

/**
 * Puts a CATMAID site into rows, to the letter: names are not judged, and what contradicts our tables (an empty name, a
 * period that is no time at all) is left out and told of, with whatever refers to it.
 */
export function mapCatmaidSite(site: CatmaidSite): MappedSite {
  const mapping = new Mapping(site)
  mapping.users()
  mapping.groups()
  mapping.projects()
  mapping.memberships()
  for (const permission of site.objectPermissions) mapping.objectPermission(permission)
  mapping.profiles()
  mapping.periods()
  mapping.contacts()
  mapping.tokens()
  const { rows, passwords, anonymousId, notBrought } = mapping
  return { rows, passwords, anonymousId, notBrought: [...notBrought, ...site.mentions] }
}

/** What stands for a password hash in rows, reports and the baseline: enough to see that it changed, no use to others. */
export function passwordDigest(hash: string | null): string | null {
  return hash === null ? null : createHash('sha256').update(hash, 'utf8').digest('hex')
}

/** Which of the source's users is the anonymous one: by name, else by id −1. */
function anonymousIdOf(users: readonly CatmaidUser[]): number | null {
  const found = users.find((user) => user.username === 'AnonymousUser') ?? users.find((user) => user.id === -1)
  return found?.id ?? null
}

class Mapping {
  readonly rows = noRows()
  readonly passwords = new Map<number, string>()
  readonly notBrought: NotBrought[] = []
  readonly anonymousId: number | null
  readonly #site: CatmaidSite

  constructor(site: CatmaidSite) {
    this.#site = site
    this.anonymousId = anonymousIdOf(site.users)
  }

  users(): void {
    const general = this.#generalPermissions()
    for (const user of this.#site.users) {
      if (user.isStaff) this.#leave('staff flag', nameOf('user', user.id, user.username))
      if (user.username === '') {
        this.#leave('row that cannot be kept', `user ${user.id} has no name`)
        continue
      }
      const isAnonymous = user.id === this.anonymousId
      if (isAnonymous) this.#leaveCredentialsOfAnonymous(user)
      else this.passwords.set(user.id, user.password)
      this.rows.user.set(String(user.id), {
        username: user.username,
        email: user.email,
        firstName: user.firstName,
        lastName: user.lastName,
        isActive: user.isActive,
        isSuperuser: user.isSuperuser && !isAnonymous,
        isAnonymous,
        generalPermissions: isAnonymous ? general : [],
        password: isAnonymous ? null : passwordDigest(user.password),
        lastLoginAt: user.lastLoginAt,
        createdAt: user.createdAt,
        isDeleted: false,
      })
    }
  }

  groups(): void {
    for (const { id, name } of this.#site.groups) {
      if (name === '') this.#leave('row that cannot be kept', `group ${id} has no name`)
      else this.rows.group.set(String(id), { name })
    }
  }

  projects(): void {
    for (const { id, title, comment } of this.#site.projects) {
      if (comment !== null && comment !== '') this.#leave('project comment', nameOf('project', id, title))
      if (id === DUMMY_PROJECT) this.#leave('dummy project', nameOf('project', id, title))
      else if (id <= 0) this.#leave('row that cannot be kept', `${nameOf('project', id, title)} has no positive id`)
      else this.rows.project.set(String(id), { title })
    }
  }

  memberships(): void {
    for (const { userId, groupId } of this.#site.memberships) {
      if (!this.#refersToNothing({ userId, groupId }, `membership of user ${userId} in group ${groupId}`)) {
        this.rows.membership.set(membershipKey(userId, groupId), { userId, groupId })
      }
    }
  }

  objectPermission(permission: CatmaidObjectPermission): void {
    const { userId, groupId, objectPk, codename } = permission
    const text = `${codename} on ${permission.model} ${JSON.stringify(objectPk)} for ${holderOf(permission)}`
    const obstacle = this.#obstacleOf(permission)
    const fields = { userId, groupId, projectId: Number(objectPk), permission: codename }
    if (obstacle !== null) this.#leave(obstacle, text)
    else if (!this.#refersToNothing(fields, text)) this.rows.grant.set(grantKey(fields), fields)
  }

  profiles(): void {
    for (const { userId, switches, color, primaryGroupId, homeViewId } of this.#site.profiles) {
      if (homeViewId !== null) this.#leave('home view', `user ${userId}: data view ${homeViewId}`)
      if (this.#refersToNothing({ userId }, `profile of user ${userId}`)) continue
      const isWhole = color?.every((part) => part !== null && Number.isFinite(part)) ?? false
      this.rows.profile.set(String(userId), {
        userId,
        ...switches,
        color: isWhole ? color : null,
        primaryGroupId: this.rows.group.has(String(primaryGroupId)) ? primaryGroupId : null,
      })
    }
  }

  periods(): void {
    for (const { id, groupId, maxInactivity, isPositive, message, comment } of this.#site.periods) {
      const text = `inactivity period ${id} of ${maxInactivity}`
      if (groupId === null) this.#leave('row that cannot be kept', `${text} belongs to no group`)
      else if (!isPositive) this.#leave('row that cannot be kept', `${text} is no length of time`)
      else if (!this.#refersToNothing({ groupId }, text)) {
        this.rows.inactivityPeriod.set(String(id), { groupId, maxInactivity, message, comment })
      }
    }
  }

  contacts(): void {
    for (const { periodId, userId } of this.#site.contacts) {
      const text = `contact ${userId} of inactivity period ${periodId}`
      if (periodId === null || userId === null) this.#leave('row that cannot be kept', `${text} is half empty`)
      else if (!this.#refersToNothing({ periodId, userId }, text)) {
        this.rows.inactivityContact.set(contactKey(periodId, userId), { periodId, userId })
      }
    }
  }

  tokens(): void {
    for (const { userId, tokenHash, createdAt } of this.#site.tokens) {
      if (userId === this.anonymousId) this.#leave('anonymous user’s credential', `API token of user ${userId}`)
      else if (!this.#refersToNothing({ userId }, `API token of user ${userId}`)) {
        this.rows.apiToken.set(tokenHash, { userId, createdAt })
      }
    }
  }

  /** Those of the anonymous user that count (D7); every other one is told of. */
  #generalPermissions(): string[] {
    const counting: string[] = []
    for (const permission of this.#site.generalPermissions) {
      const isAnonymous = permission.userId !== null && permission.userId === this.anonymousId
      if (isAnonymous && isOfProjects(permission) && permission.codename === 'can_browse') counting.push('can_browse')
      else
        this.#leave(
          'general permission',
          `${permission.codename} on every ${permission.model} for ${holderOf(permission)}`,
        )
    }
    return counting
  }

  #obstacleOf({ appLabel, model, objectPk, codename }: CatmaidObjectPermission): NotBroughtKind | null {
    if (!isOfProjects({ appLabel, model })) return 'permission on something other than a project'
    if (objectPk === String(DUMMY_PROJECT)) return 'permission on the dummy project'
    // compared as text, as CATMAID does: '07' is not project 7
    if (!this.rows.project.has(objectPk)) return 'permission on a project that is gone'
    return isOneOfTheSeven(codename) ? null : 'permission that is not one of the seven'
  }

  #leaveCredentialsOfAnonymous(user: CatmaidUser): void {
    const kind = 'anonymous user’s credential'
    if (user.isSuperuser) this.#leave(kind, `superuser flag of user ${user.id}`)
    if (user.password !== '' && !user.password.startsWith('!')) this.#leave(kind, `password of user ${user.id}`)
  }

  /** Whether a row refers to one that was left out, or that is not there at all in a damaged source. */
  #refersToNothing(fields: Fields, text: string): boolean {
    const missing = REFERENCES.find(({ field, kind }) => {
      const id = fields[field]
      return id !== undefined && id !== null && !this.rows[kind].has(String(id))
    })
    if (missing) this.#leave('row that cannot be kept', `${text}: there is no ${missing.text} ${fields[missing.field]}`)
    return missing !== undefined
  }

  #leave(kind: NotBroughtKind, text: string): void {
    this.notBrought.push({ kind, text })
  }
}

const REFERENCES = [
  { field: 'userId', kind: 'user', text: 'user' },
  { field: 'groupId', kind: 'group', text: 'group' },
  { field: 'projectId', kind: 'project', text: 'project' },
  { field: 'periodId', kind: 'inactivityPeriod', text: 'inactivity period' },
] as const

const nameOf = (kind: string, id: number, name: string) => `${kind} ${id} ${JSON.stringify(name)}`

const holderOf = ({ userId, groupId }: { userId: number | null; groupId: number | null }) =>
  userId === null ? `group ${groupId}` : `user ${userId}`

const isOfProjects = ({ appLabel, model }: { appLabel: string; model: string }) =>
  appLabel === 'catmaid' && model === 'project'

const isOneOfTheSeven = (codename: string) => PERMISSIONS.some((permission) => permission === codename)
