import type { EntityManager } from 'typeorm'
import { type UserRow, Users } from '../database/entities.ts'
import { readPage } from '../database/page-query.ts'
import type { User, UserFilter } from './user-schemas.ts'
import type { Belongings, UserFields, UserPage, UserReader, UserStore } from './user-service.ts'

/** Users in PostgreSQL. */
export class PgUserStore implements UserReader, UserStore {
  readonly #manager: EntityManager

  constructor(manager: EntityManager) {
    this.#manager = manager
  }

  async find(id: number): Promise<User | null> {
    return userOf(await this.#present({ id }).getOne())
  }

  async list(filter: UserFilter, page: UserPage): Promise<User[]> {
    const rows = await readPage(this.#present(filter), page)
    return rows.map(shown)
  }

  async hold(id: number): Promise<User | null> {
    return userOf(await this.#present({ id }).setLock('for_no_key_update').getOne())
  }

  async add(fields: UserFields): Promise<User> {
    const row = { ...fields, deactivatedAt: timeOf(fields.deactivatedAt) }
    const { identifiers, generatedMaps } = await this.#manager.insert(Users, row)
    return shown({
      ...row,
      lastLoginAt: null,
      emailConfirmedAt: null,
      ...identifiers[0],
      ...generatedMaps[0],
    } as UserRow)
  }

  async change(id: number, fields: Partial<UserFields>): Promise<void> {
    const { deactivatedAt, ...plain } = fields
    await this.#manager.update(
      Users,
      { id },
      { ...plain, ...(deactivatedAt !== undefined && { deactivatedAt: timeOf(deactivatedAt) }) },
    )
  }

  async remove(id: number): Promise<Belongings> {
    const [belongings] = await this.#manager.query<Belongings[]>(REMOVE_BELONGINGS, [id])
    await this.#manager.query(EMPTY, [id])
    return belongings ?? { memberships: [], grants: [], maintainedGroups: [] }
  }

  async activeSuperusers(): Promise<number[]> {
    const rows = await this.#present({ isActive: true, isSuperuser: true }).limit(2).getMany()
    return rows.map((row) => row.id)
  }

  #present(filter: UserFilter & { id?: number }) {
    return this.#manager.createQueryBuilder(Users, 'users').where(filter).andWhere('users.deletedAt IS NULL')
  }
}

/** Sessions stay, ended and empty, for as long as their access tokens could be shown; deactivation ends them. */
const REMOVE_BELONGINGS = `
  WITH membership AS (DELETE FROM memberships WHERE user_id = $1 RETURNING *),
       "grant" AS (DELETE FROM grants WHERE user_id = $1 RETURNING *),
       maintainer AS (DELETE FROM group_maintainers WHERE user_id = $1 RETURNING group_id),
       contact AS (DELETE FROM inactivity_period_contacts WHERE user_id = $1),
       profile AS (DELETE FROM profiles WHERE user_id = $1),
       token AS (DELETE FROM api_tokens WHERE user_id = $1),
       once AS (DELETE FROM one_time_tokens WHERE user_id = $1),
       activity AS (DELETE FROM account_activity WHERE user_id = $1),
       refresh AS (DELETE FROM refresh_tokens USING sessions WHERE session_id = id AND user_id = $1),
       "session" AS (UPDATE sessions SET device_name = '', network = '' WHERE user_id = $1),
       mail AS (UPDATE mail_outbox SET state = CASE WHEN state IN ('queued', 'failed') THEN 'cancelled' ELSE state END,
           settled_at = coalesce(settled_at, now()), body = NULL, subject = '', recipient = '', reply_to = NULL
         -- A mail on its way is held until the mail server has answered: nobody waits for that.
         WHERE id IN (SELECT id FROM mail_outbox WHERE user_id = $1 FOR UPDATE SKIP LOCKED))
  SELECT (SELECT coalesce(jsonb_agg(jsonb_build_object('groupId', group_id, 'projectId', project_id) ORDER BY id), '[]')
          FROM membership) AS memberships,
         (SELECT coalesce(jsonb_agg(jsonb_build_object('projectId', project_id, 'permission', permission,
            'effect', effect, 'validFrom', valid_from, 'validUntil', valid_until) ORDER BY id), '[]')
          FROM "grant") AS grants,
         (SELECT coalesce(jsonb_agg(group_id ORDER BY group_id), '[]') FROM maintainer) AS "maintainedGroups"
`

const EMPTY = `
  UPDATE users SET email = '', first_name = '', last_name = '', is_active = false, is_superuser = false,
    general_permissions = '{}', password_hash = NULL, last_login_at = NULL, deactivated_at = NULL,
    deactivation_reason = NULL, deactivation_message = NULL, email_confirmed_at = NULL, terms_version = NULL,
    terms_accepted_at = NULL, deleted_at = now()
  WHERE id = $1
`

const timeOf = (text: string | null): Date | null => (text === null ? null : new Date(text))

const userOf = (row: UserRow | null): User | null => (row === null ? null : shown(row))

function shown({ passwordHash: _secret, deletedAt: _gone, ...row }: UserRow): User {
  return {
    ...row,
    createdAt: row.createdAt.toISOString(),
    lastLoginAt: row.lastLoginAt?.toISOString() ?? null,
    deactivatedAt: row.deactivatedAt?.toISOString() ?? null,
    emailConfirmedAt: row.emailConfirmedAt?.toISOString() ?? null,
  }
}
