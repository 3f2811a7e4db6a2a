import type { ImportKind } from './import-row.ts'

/**
 * What creates rows of each kind, from a JSON array as the first parameter. Rows that say where they come from say
 * 'catmaid'; that is how the next import knows them from those made here.
 */
export const CREATE_ROWS: Record<ImportKind, string> = {
  user: `
    INSERT INTO users (id, username, email, first_name, last_name, is_active, is_superuser, is_anonymous,
      general_permissions, password_hash, last_login_at, created_at, deactivated_at, deactivation_reason)
    SELECT r.id, r.username, r.email, r."firstName", r."lastName", r."isActive", r."isSuperuser", r."isAnonymous",
      r."generalPermissions", r."passwordHash", r."lastLoginAt", r."createdAt",
      CASE WHEN NOT r."isActive" THEN now() END, CASE WHEN NOT r."isActive" THEN 'import' END
    FROM jsonb_to_recordset($1) AS r(id integer, username text, email text, "firstName" text, "lastName" text,
      "isActive" boolean, "isSuperuser" boolean, "isAnonymous" boolean, "generalPermissions" text[],
      "passwordHash" text, "lastLoginAt" timestamptz, "createdAt" timestamptz)`,
  group: `
    INSERT INTO groups (id, name) SELECT r.id, r.name FROM jsonb_to_recordset($1) AS r(id integer, name text)`,
  project: `
    INSERT INTO projects (id, title) SELECT r.id, r.title FROM jsonb_to_recordset($1) AS r(id integer, title text)`,
  inactivityPeriod: `
    INSERT INTO inactivity_periods (id, group_id, max_inactivity, message, comment)
    SELECT r.id, r."groupId", r."maxInactivity", r.message, r.comment
    FROM jsonb_to_recordset($1)
      AS r(id integer, "groupId" integer, "maxInactivity" interval, message text, comment text)`,
  membership: `
    INSERT INTO memberships (user_id, group_id, source) SELECT r."userId", r."groupId", 'catmaid'
    FROM jsonb_to_recordset($1) AS r("userId" integer, "groupId" integer)`,
  grant: `
    INSERT INTO grants (user_id, group_id, project_id, permission, source, granted_by)
    SELECT r."userId", r."groupId", r."projectId", r.permission, 'catmaid', 'command:import'
    FROM jsonb_to_recordset($1) AS r("userId" integer, "groupId" integer, "projectId" integer, permission text)`,
  profile: `
    INSERT INTO profiles (user_id, settings, color, primary_group_id)
    SELECT r."userId", r.settings, r.color, r."primaryGroupId"
    FROM jsonb_to_recordset($1) AS r("userId" integer, settings jsonb, color real[], "primaryGroupId" integer)`,
  inactivityContact: `
    INSERT INTO inactivity_period_contacts (inactivity_period_id, user_id) SELECT r."periodId", r."userId"
    FROM jsonb_to_recordset($1) AS r("periodId" integer, "userId" integer)`,
  apiToken: `
    INSERT INTO api_tokens (user_id, name, token_hash, scopes, source, created_at)
    SELECT r."userId", 'CATMAID', decode(r.key, 'hex'), '{check,account,projects}', 'catmaid', r."createdAt"
    FROM jsonb_to_recordset($1) AS r("userId" integer, key text, "createdAt" timestamptz)`,
}

/** What changes rows of each kind; null where a row of that kind can only be there or not. */
export const UPDATE_ROWS: Record<ImportKind, string | null> = {
  user: `
    UPDATE users u SET username = r.username, email = r.email, first_name = r."firstName", last_name = r."lastName",
      is_active = r."isActive", is_superuser = r."isSuperuser", general_permissions = r."generalPermissions",
      password_hash = CASE WHEN r."isPasswordChanged" THEN r."passwordHash" ELSE u.password_hash END,
      last_login_at = r."lastLoginAt", created_at = r."createdAt",
      deactivated_at = CASE WHEN r."isActive" THEN NULL WHEN u.is_active THEN now() ELSE u.deactivated_at END,
      deactivation_reason =
        CASE WHEN r."isActive" THEN NULL WHEN u.is_active THEN 'import' ELSE u.deactivation_reason END,
      deleted_at = CASE WHEN r."isDeleted" THEN coalesce(u.deleted_at, now()) END
    FROM jsonb_to_recordset($1) AS r(id integer, username text, email text, "firstName" text, "lastName" text,
      "isActive" boolean, "isSuperuser" boolean, "generalPermissions" text[], "isPasswordChanged" boolean,
      "passwordHash" text, "lastLoginAt" timestamptz, "createdAt" timestamptz, "isDeleted" boolean)
    WHERE u.id = r.id`,
  group: `
    UPDATE groups g SET name = r.name FROM jsonb_to_recordset($1) AS r(id integer, name text) WHERE g.id = r.id`,
  project: `
    UPDATE projects p SET title = r.title FROM jsonb_to_recordset($1) AS r(id integer, title text) WHERE p.id = r.id`,
  inactivityPeriod: `
    UPDATE inactivity_periods p SET group_id = r."groupId", max_inactivity = r."maxInactivity", message = r.message,
      comment = r.comment
    FROM jsonb_to_recordset($1)
      AS r(id integer, "groupId" integer, "maxInactivity" interval, message text, comment text)
    WHERE p.id = r.id`,
  membership: null,
  grant: null,
  profile: `
    UPDATE profiles p SET settings = p.settings || r.settings, color = r.color, primary_group_id = r."primaryGroupId"
    FROM jsonb_to_recordset($1) AS r("userId" integer, settings jsonb, color real[], "primaryGroupId" integer)
    WHERE p.user_id = r."userId"`,
  inactivityContact: null,
  apiToken: null,
}

/** What removes rows of each kind; users are never removed, for their logins stay reserved. */
export const REMOVE_ROWS: Record<ImportKind, string | null> = {
  user: null,
  group: removal('groups', 'id'),
  project: removal('projects', 'id'),
  inactivityPeriod: removal('inactivity_periods', 'id'),
  membership: removal('memberships', 'rowId'),
  grant: removal('grants', 'rowId'),
  profile: `
    DELETE FROM profiles p USING jsonb_to_recordset($1) AS r("userId" integer) WHERE p.user_id = r."userId"`,
  inactivityContact: `
    DELETE FROM inactivity_period_contacts c USING jsonb_to_recordset($1) AS r("periodId" integer, "userId" integer)
    WHERE c.inactivity_period_id = r."periodId" AND c.user_id = r."userId"`,
  apiToken: removal('api_tokens', 'rowId'),
}

function removal(table: string, field: string): string {
  return `DELETE FROM ${table} t USING jsonb_to_recordset($1) AS r("${field}" integer) WHERE t.id = r."${field}"`
}

/** Gives names away that others are about to take, so that rows may swap them: a name must be free at every moment. */
export const PARK_NAMES = {
  user: `UPDATE users SET username = 'renaming ' || gen_random_uuid() WHERE id = ANY ($1::integer[])`,
  group: `UPDATE groups SET name = 'renaming ' || gen_random_uuid() WHERE id = ANY ($1::integer[])`,
} as const

/** The baseline's own rows, from a JSON array as the first parameter. */
export const KEEP_BASELINE = `
  INSERT INTO import_baseline (kind, key, state) SELECT r.kind, r.key, r.fields
  FROM jsonb_to_recordset($1) AS r(kind text, key text, fields jsonb)
  ON CONFLICT (kind, key) DO UPDATE SET state = excluded.state`
export const DROP_BASELINE = `
  DELETE FROM import_baseline b USING jsonb_to_recordset($1) AS r(kind text, key text)
  WHERE b.kind = r.kind AND b.key = r.key`

/** Sequences that have to go on behind the ids which were brought. */
export const MOVE_SEQUENCES = ['users', 'groups', 'projects', 'inactivity_periods'].map(
  (table) => `
    SELECT setval('${table}_id_seq', max(id)) FROM ${table}
    HAVING max(id) >= (SELECT last_value FROM ${table}_id_seq)`,
)
