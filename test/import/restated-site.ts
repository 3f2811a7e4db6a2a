import type { CatmaidDatabase } from './catmaid-database.ts'

/** A CATMAID site as its own tables hold it, read without any of the import's code. */
export type RestatedSite = {
  users: Map<number, { username: string; isActive: boolean; isSuperuser: boolean; groups: number[] }>
  groupNames: Map<number, string>
  projects: number[]
  /** `<user|group>:<id>:<project>:<permission>` for every object permission on a project. */
  grants: Set<string>
  anonymousId: number
  /** Whether the anonymous user has the general permission "can browse projects". */
  anonymousIsAdmitted: boolean
}

/**
 * Where a rule is taken as CATMAID's code has it instead of as DESIGN has it:
 * D2 an inactive account's session acts as the anonymous user; D7 the anonymous user has an API token; D8 by token, `can_annotate_with_token` replaces every
 * permission but can_browse; D9 for several imported objects, a wrong operator looks at those of one's own as well;
 * D10 projects are visible by can_annotate and can_administer too.
 */
export type AsInCatmaid = Partial<Record<'D2' | 'D7' | 'D8' | 'D9' | 'D10', boolean>>

type Via = 'session' | 'token'
type Held = { creator: number; importer?: number | undefined }

const IMPLIED = ['can_annotate', 'can_browse', 'can_import', 'can_queue_compute_task', 'can_fork']

/** Reads the tables of the rules from the dump's own. */
export async function readRestatedSite({ query }: CatmaidDatabase): Promise<RestatedSite> {
  const users: RestatedSite['users'] = new Map()
  const rows = await query<{ id: number; username: string; is_active: boolean; is_superuser: boolean }>(
    'SELECT id, username, is_active, is_superuser FROM auth_user',
  )
  for (const { id, username, is_active: isActive, is_superuser: isSuperuser } of rows) {
    users.set(id, { username, isActive, isSuperuser, groups: [] })
  }
  for (const { user_id, group_id } of await query<{ user_id: number; group_id: number }>(
    'SELECT user_id, group_id FROM auth_user_groups',
  )) {
    users.get(user_id)?.groups.push(group_id)
  }
  const groups = await query<{ id: number; name: string }>('SELECT id, name FROM auth_group')
  const held = await query<{ grant: string }>(`
    SELECT 'user:' || user_id || ':' || object_pk || ':' || codename AS grant
      FROM guardian_userobjectpermission g JOIN auth_permission p ON p.id = g.permission_id
    UNION ALL SELECT 'group:' || group_id || ':' || object_pk || ':' || codename
      FROM guardian_groupobjectpermission g JOIN auth_permission p ON p.id = g.permission_id`)
  const general = await query(`
    SELECT FROM auth_user_user_permissions g JOIN auth_permission p ON p.id = g.permission_id
      JOIN auth_user u ON u.id = g.user_id WHERE u.username = 'AnonymousUser' AND p.codename = 'can_browse'`)
  const anonymous = rows.find(({ username }) => username === 'AnonymousUser')
  return {
    users,
    groupNames: new Map(groups.map(({ id, name }) => [id, name])),
    projects: (await query<{ id: number }>('SELECT id FROM project WHERE id > 0 ORDER BY id')).map(({ id }) => id),
    grants: new Set(held.map(({ grant }) => grant)),
    anonymousId: anonymous?.id ?? -1,
    anonymousIsAdmitted: general.length > 0,
  }
}

/** The site with everybody active and allowed to annotate everywhere: what is left to ask is whose data may be edited. */
export function withPermissionsAside(site: RestatedSite, { superusers }: { superusers: boolean }): RestatedSite {
  const users = [...site.users].map(
    ([id, user]) => [id, { ...user, isActive: true, isSuperuser: superusers && user.isSuperuser }] as const,
  )
  const everywhere = [...site.users.keys()].flatMap((id) => site.projects.map((p) => `user:${id}:${p}:can_annotate`))
  return { ...site, users: new Map(users), grants: new Set([...site.grants, ...everywhere]) }
}

/** The site with every account active, as where CATMAID leaves the active flag out of account. */
export function withEverybodyActive(site: RestatedSite): RestatedSite {
  return { ...site, users: new Map([...site.users].map(([id, user]) => [id, { ...user, isActive: true }])) }
}

/** D1 to D8, once more. */
export function may(
  site: RestatedSite,
  [userId, project, permission]: readonly [number, number, string],
  via: Via,
  catmaid: AsInCatmaid = {},
): boolean {
  const user = site.users.get(userId)
  if (user === undefined) return false
  if (!user.isActive) {
    if (!catmaid.D2) return false
    return may(site, [site.anonymousId, project, permission], 'session', catmaid)
  }
  const isAnonymous = userId === site.anonymousId
  if (isAnonymous && (!site.anonymousIsAdmitted || (via === 'token' && !catmaid.D7))) return false
  const holds = (name: string) => {
    const principals = [`user:${userId}`, ...user.groups.map((id) => `group:${id}`)]
    return principals.some((principal) => site.grants.has(`${principal}:${project}:${name}`))
  }
  const isAllowed = user.isSuperuser || holds(permission) || (IMPLIED.includes(permission) && holds('can_administer'))
  if (via === 'session' || permission === 'can_browse') return isAllowed
  return (catmaid.D8 || isAllowed) && holds('can_annotate_with_token')
}

/** D9, once more: whether the user may edit all of these objects of the project. */
export function mayEdit(
  site: RestatedSite,
  [userId, project, objects]: readonly [number, number, readonly Held[]],
  via: Via,
  catmaid: AsInCatmaid = {},
): boolean {
  const user = site.users.get(userId)
  if (user === undefined) return false
  if (!user.isActive && catmaid.D2) return mayEdit(site, [site.anonymousId, project, objects], 'session', catmaid)
  if (!may(site, [userId, project, 'can_annotate'], via, catmaid)) return false
  if (user.isSuperuser) return true
  const groups = new Set(user.groups.map((id) => site.groupNames.get(id)))
  const domain = [...site.users].filter(([id, { username }]) => id === userId || groups.has(username)).map(([id]) => id)
  const isOwn = ({ creator }: Held) => domain.includes(creator)
  const isImported = ({ importer }: Held) => importer !== undefined && domain.includes(importer)
  if (!catmaid.D9 || objects.length === 1) return objects.every((object) => isOwn(object) || isImported(object))
  if (objects.every(isOwn)) return true
  const rest = objects.filter(({ creator }) => domain.some((id) => id !== creator))
  return rest.length > 0 && rest.every(isImported)
}

/** D10, once more. */
export function visibleProjects(site: RestatedSite, userId: number, catmaid: AsInCatmaid = {}): number[] {
  const permissions = catmaid.D10 ? ['can_browse', 'can_annotate', 'can_administer'] : ['can_browse']
  return site.projects.filter((project) => {
    return permissions.some((permission) => may(site, [userId, project, permission], 'session', catmaid))
  })
}
