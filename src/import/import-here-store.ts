import type { EntityManager } from 'typeorm'
import type { HereState } from './import-plan.ts'
import {
  contactKey,
  type Fields,
  grantKey,
  type ImportRows,
  membershipKey,
  noRows,
  PROFILE_SWITCHES,
} from './import-row.ts'

/** Reads all rows that an import may touch, in the words of its planner. */
export async function readHere(manager: EntityManager): Promise<HereState> {
  await manager.query("SET LOCAL TimeZone = 'UTC'; SET LOCAL IntervalStyle = 'iso_8601'")
  const rows = noRows()
  const read = async <Row>(sql: string, receive: (row: Row) => void) => {
    for (const row of await manager.query<Row[]>(sql)) receive(row)
  }
  for (const kind of ['user', 'group', 'project', 'inactivityPeriod'] as const) {
    await read<Fields>(ROWS_WITH_ID[kind], ({ id, ...fields }) => rows[kind].set(String(id), fields))
  }
  await read<Link>(MEMBERSHIPS, (row) => rows.membership.set(membershipKey(row.userId, row.groupId), row))
  await read<Parameters<typeof grantKey>[0]>(GRANTS, (row) => rows.grant.set(grantKey(row), row))
  await read<Profile>(PROFILES, (row) => rows.profile.set(String(row.userId), profileOf(row)))
  await read<Contact>(CONTACTS, (row) => rows.inactivityContact.set(contactKey(row.periodId, row.userId), row))
  await read<Fields>(TOKENS, ({ tokenHash, ...row }) => rows.apiToken.set(String(tokenHash), row))
  return { rows, references: await references(manager), anonymousId: anonymousIdOf(rows) }
}

type Link = { userId: number; groupId: number }
type Contact = { periodId: number; userId: number }
type Profile = {
  userId: number
  settings: Record<string, boolean | undefined>
  color: number[] | null
  primaryGroupId: number | null
}

/** Reads the rows as the last import brought them; none before the first import. */
export async function readBaseline(manager: EntityManager): Promise<ImportRows> {
  const rows = noRows()
  const found = await manager.query<{ kind: keyof ImportRows; key: string; state: Fields }[]>(
    'SELECT kind, key, state FROM import_baseline',
  )
  for (const { kind, key, state } of found) rows[kind].set(key, state)
  return rows
}

const isoTime = (column: string) => `to_json(${column}) #>> '{}'`

const USERS = `
  SELECT id, username, email, first_name AS "firstName", last_name AS "lastName", is_active AS "isActive",
    is_superuser AS "isSuperuser", is_anonymous AS "isAnonymous", general_permissions AS "generalPermissions",
    encode(sha256(convert_to(password_hash, 'UTF8')), 'hex') AS password, ${isoTime('last_login_at')} AS "lastLoginAt",
    ${isoTime('created_at')} AS "createdAt", deleted_at IS NOT NULL AS "isDeleted",
    NOT is_active AND deactivation_reason IS NOT DISTINCT FROM 'import' AS "deactivatedByImport"
  FROM users`

const PERIODS = `
  SELECT id, group_id AS "groupId", max_inactivity::text AS "maxInactivity", message, comment FROM inactivity_periods`

const ROWS_WITH_ID = {
  user: USERS,
  group: 'SELECT id, name FROM groups',
  project: 'SELECT id, title FROM projects',
  inactivityPeriod: PERIODS,
}

const MEMBERSHIPS = `
  SELECT id AS "rowId", user_id AS "userId", group_id AS "groupId", source <> 'catmaid' AS "madeHere"
  FROM memberships WHERE project_id IS NULL`

const IS_PLAIN = `effect = 'allow' AND valid_from IS NULL AND valid_until IS NULL`

const GRANTS = `
  SELECT id AS "rowId", user_id AS "userId", group_id AS "groupId", project_id AS "projectId", permission,
    source <> 'catmaid' AS "madeHere"
  FROM grants WHERE ${IS_PLAIN}`

const PROFILES = `
  SELECT user_id AS "userId", settings, color, primary_group_id AS "primaryGroupId" FROM profiles`

const CONTACTS = `
  SELECT inactivity_period_id AS "periodId", user_id AS "userId" FROM inactivity_period_contacts`

const TOKENS = `
  SELECT encode(token_hash, 'hex') AS "tokenHash", id AS "rowId", user_id AS "userId",
    ${isoTime('created_at')} AS "createdAt", source <> 'catmaid' AS "madeHere"
  FROM api_tokens`

function profileOf({ settings, ...fields }: Profile): Fields {
  return { ...fields, ...Object.fromEntries(PROFILE_SWITCHES.map((name) => [name, settings[name] ?? null])) }
}

async function references(manager: EntityManager): Promise<HereState['references']> {
  const ids = async (sql: string) => new Set((await manager.query<{ id: number }[]>(sql)).map(({ id }) => id))
  return {
    group: await ids(`
      SELECT group_id AS id FROM group_maintainers
      UNION SELECT group_id FROM memberships WHERE project_id IS NOT NULL
      UNION SELECT group_id FROM grants WHERE group_id IS NOT NULL AND NOT (${IS_PLAIN})`),
    project: await ids(`
      SELECT project_id AS id FROM memberships WHERE project_id IS NOT NULL
      UNION SELECT project_id FROM grants WHERE NOT (${IS_PLAIN})`),
  }
}

function anonymousIdOf(rows: ImportRows): number | null {
  for (const [key, user] of rows.user) if (user.isAnonymous === true) return Number(key)
  return null
}
