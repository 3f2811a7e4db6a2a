import type { EntityManager } from 'typeorm'
import type { NamedGroup, NameStore } from './edit-rights.ts'

/** Chosen once, so that it collides with no other advisory lock of this service. */
const NAME_LOCK = 5_370_001

/** Logins and names of groups in PostgreSQL, as the guards of names see them. */
export class PgNameStore implements NameStore {
  readonly #manager: EntityManager

  constructor(manager: EntityManager) {
    this.#manager = manager
  }

  async lock(): Promise<void> {
    await this.#manager.query('SELECT pg_advisory_xact_lock($1)', [NAME_LOCK])
  }

  async isLogin(name: string): Promise<boolean> {
    const found = await this.#manager.query<object[]>('SELECT FROM users WHERE username = $1', [name])
    return found.length > 0
  }

  async groupNamed(name: string): Promise<NamedGroup | null> {
    const [group] = await this.#manager.query<NamedGroup[]>(
      `SELECT id, name, EXISTS (SELECT FROM memberships m WHERE m.group_id = g.id) AS "hasMembers"
       FROM groups g WHERE name = $1`,
      [name],
    )
    return group ?? null
  }
}
