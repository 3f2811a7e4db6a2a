import { createHash } from 'node:crypto'
import type { ForeignQuery } from '../database/foreign-database.ts'
import {
  type CatmaidGeneralPermission,
  type CatmaidObjectPermission,
  type CatmaidPeriod,
  type CatmaidProfile,
  type CatmaidSite,
  CatmaidSourceError,
  type CatmaidUser,
  MENTIONED_TABLES,
} from './catmaid-site.ts'
import { PROFILE_SWITCHES } from './import-row.ts'

/** Without one of these a database is no CATMAID; everything else came with some version or can be left out. */
const NEEDED_TABLES = [
  'auth_user',
  'auth_group',
  'auth_user_groups',
  'auth_user_user_permissions',
  'auth_group_permissions',
  'auth_permission',
  'django_content_type',
  'guardian_userobjectpermission',
  'guardian_groupobjectpermission',
  'project',
]
const OPTIONAL_TABLES = [
  'authtoken_token',
  'catmaid_userprofile',
  'catmaid_group_inactivity_period',
  'catmaid_group_inactivity_period_contact',
  ...Object.keys(MENTIONED_TABLES),
]

/**
 * Reads the accounts and permissions of a CATMAID database, also of older schemas in which later tables and columns are
 * missing.
 *
 * @param step told before each table is read, with its name
 * @throws CatmaidSourceError when this is no CATMAID database
 */
export async function readCatmaidSite(query: ForeignQuery, step: (table: string) => void): Promise<CatmaidSite> {
  const columns = await columnsOf(query)
  const absent = NEEDED_TABLES.filter((table) => !columns.has(table))
  if (absent.length > 0) {
    throw new CatmaidSourceError(`this is no CATMAID database: it has no table ${absent.join(', ')}`)
  }
  const read = async <Row>(table: string, sql: string): Promise<Row[]> => {
    if (!columns.has(table)) return []
    step(table)
    return query<Row>(sql)
  }
  await demandProjectPermissions(query)
  return {
    users: await read<CatmaidUser>('auth_user', USERS),
    groups: await read('auth_group', 'SELECT id, name FROM auth_group ORDER BY id'),
    memberships: await read(
      'auth_user_groups',
      'SELECT user_id AS "userId", group_id AS "groupId" FROM auth_user_groups ORDER BY user_id, group_id',
    ),
    projects: await read('project', 'SELECT id, title, comment FROM project ORDER BY id'),
    objectPermissions: [
      ...(await read<CatmaidObjectPermission>('guardian_userobjectpermission', objectPermissions('user'))),
      ...(await read<CatmaidObjectPermission>('guardian_groupobjectpermission', objectPermissions('group'))),
    ],
    generalPermissions: [
      ...(await read<CatmaidGeneralPermission>('auth_user_user_permissions', generalPermissions('user'))),
      ...(await read<CatmaidGeneralPermission>('auth_group_permissions', generalPermissions('group'))),
    ],
    profiles: await profiles(read, columns.get('catmaid_userprofile') ?? new Set()),
    periods: await read<CatmaidPeriod>('catmaid_group_inactivity_period', PERIODS),
    contacts: await read('catmaid_group_inactivity_period_contact', CONTACTS),
    tokens: await tokens(read),
    mentions: await mentions(read),
  }
}

type Read = <Row>(table: string, sql: string) => Promise<Row[]>

/** A `timestamptz` as ISO 8601 with all its digits, which a JavaScript date would cut. */
const isoTime = (column: string) => `to_json(${column}) #>> '{}'`

const USERS = `
  SELECT id, username, email, first_name AS "firstName", last_name AS "lastName", is_active AS "isActive",
    is_superuser AS "isSuperuser", is_staff AS "isStaff", password, ${isoTime('last_login')} AS "lastLoginAt",
    ${isoTime('date_joined')} AS "createdAt"
  FROM auth_user ORDER BY id`

const PERIODS = `
  SELECT id, group_id AS "groupId", max_inactivity::text AS "maxInactivity",
    max_inactivity > interval '0' AS "isPositive", message, comment
  FROM catmaid_group_inactivity_period ORDER BY id`

const CONTACTS = `
  SELECT inactivity_period_id AS "periodId", user_id AS "userId"
  FROM catmaid_group_inactivity_period_contact ORDER BY id`

const PERMISSION = `JOIN auth_permission ap ON ap.id = p.permission_id
  JOIN django_content_type ct ON ct.id = ap.content_type_id`

function objectPermissions(holder: 'user' | 'group'): string {
  const other = holder === 'user' ? 'group' : 'user'
  return `
    SELECT p.${holder}_id AS "${holder}Id", NULL AS "${other}Id", p.object_pk AS "objectPk",
      ct.app_label AS "appLabel", ct.model, ap.codename
    FROM guardian_${holder}objectpermission p ${PERMISSION} ORDER BY p.id`
}

function generalPermissions(holder: 'user' | 'group'): string {
  const other = holder === 'user' ? 'group' : 'user'
  const table = holder === 'user' ? 'auth_user_user_permissions' : 'auth_group_permissions'
  return `
    SELECT p.${holder}_id AS "${holder}Id", NULL AS "${other}Id", ct.app_label AS "appLabel", ct.model, ap.codename
    FROM ${table} p ${PERMISSION} ORDER BY p.id`
}

async function columnsOf(query: ForeignQuery): Promise<Map<string, Set<string>>> {
  const rows = await query<{ table: string; columns: string[] }>(
    `SELECT named.name AS table, array_agg(a.attname::text) AS columns
     FROM unnest($1::text[]) named(name)
     JOIN pg_attribute a ON a.attrelid = to_regclass(quote_ident(named.name)) AND a.attnum > 0 AND NOT a.attisdropped
     GROUP BY named.name`,
    [[...NEEDED_TABLES, ...OPTIONAL_TABLES]],
  )
  return new Map(rows.map(({ table, columns }) => [table, new Set(columns)]))
}

/** Another Django site has most of the tables too, but no permissions on CATMAID's projects. */
async function demandProjectPermissions(query: ForeignQuery): Promise<void> {
  const rows = await query(
    `SELECT FROM auth_permission ap JOIN django_content_type ct ON ct.id = ap.content_type_id
     WHERE ct.app_label = 'catmaid' AND ct.model = 'project' AND ap.codename = 'can_browse'`,
  )
  if (rows.length === 0) {
    throw new CatmaidSourceError(
      "this is no CATMAID database: it does not know the permission 'can_browse' on projects",
    )
  }
}

async function profiles(read: Read, columns: ReadonlySet<string>): Promise<CatmaidProfile[]> {
  const switches = PROFILE_SWITCHES.filter((name) => columns.has(name))
  const optional = (column: string) => (columns.has(column) ? column : 'NULL::integer')
  const color = columns.has('color') ? 'ARRAY[(color).r, (color).g, (color).b, (color).a]::real[]' : 'NULL::real[]'
  type Row = Omit<CatmaidProfile, 'switches'> & Record<string, boolean>
  const rows = await read<Row>(
    'catmaid_userprofile',
    `SELECT user_id AS "userId", ${switches.map((name) => `${name},`).join(' ')} ${color} AS color,
       ${optional('primary_group_id')} AS "primaryGroupId", ${optional('home_view_id')} AS "homeViewId"
     FROM catmaid_userprofile ORDER BY user_id`,
  )
  return rows.map((row) => ({
    userId: row.userId,
    color: row.color,
    primaryGroupId: row.primaryGroupId,
    homeViewId: row.homeViewId,
    switches: Object.fromEntries(switches.map((name) => [name, row[name] === true])),
  }))
}

/** Tokens are hashed here, so that no plain one goes any further. */
async function tokens(read: Read): Promise<CatmaidSite['tokens']> {
  const rows = await read<{ key: string; userId: number; createdAt: string }>(
    'authtoken_token',
    `SELECT key, user_id AS "userId", ${isoTime('created')} AS "createdAt" FROM authtoken_token ORDER BY user_id`,
  )
  return rows.map(({ key, userId, createdAt }) => ({
    userId,
    createdAt,
    tokenHash: createHash('sha256').update(key, 'utf8').digest('hex'),
  }))
}

/** How a row of each mentioned table is told of, in SQL; never with a secret of it. */
const MENTION: Record<keyof typeof MENTIONED_TABLES, string> = {
  catmaid_project_token: `'project ' || project_id || ': ' || quote_literal(name)`,
  catmaid_user_project_token: `'user ' || user_id || ': project token ' || project_token_id`,
  catmaid_favorite_project: `'user ' || user_id || ': project ' || project_id`,
  account_emailaddress: `'user ' || user_id`,
  socialaccount_socialaccount: `'user ' || user_id || ': ' || provider`,
  reviewer_whitelist: `'user ' || user_id || ': reviewer ' || reviewer_id || ' in project ' || project_id`,
  pointcloud_user_object_permission: `'user ' || user_id || ': point cloud ' || content_object_id`,
  pointcloud_group_object_permission: `'group ' || group_id || ': point cloud ' || content_object_id`,
}

async function mentions(read: Read): Promise<CatmaidSite['mentions']> {
  const found: CatmaidSite['mentions'] = []
  for (const [table, kind] of Object.entries(MENTIONED_TABLES)) {
    const sentence = MENTION[table as keyof typeof MENTION]
    const rows = await read<{ text: string | null }>(table, `SELECT ${sentence} AS text FROM ${table} ORDER BY id`)
    for (const { text } of rows) found.push({ kind, text: text ?? 'unreadable row' })
  }
  return found
}
