import type { EntityManager } from 'typeorm'
import type { ProjectRightsStore } from '../project-rights.ts'

/** D3: in force at this instant, to the millisecond, as a decision takes it. */
const IN_FORCE = `(g.valid_from IS NULL OR g.valid_from <= clock_timestamp())
  AND (g.valid_until IS NULL OR g.valid_until > clock_timestamp())`
/** D3: given to the user, or to a group that the user is in, everywhere or in the project of the grant. */
const HELD = `(g.user_id = u.id OR EXISTS (SELECT FROM memberships m WHERE m.user_id = u.id AND m.group_id = g.group_id
  AND (m.project_id IS NULL OR m.project_id = g.project_id)))`

const holds = (effect: 'allow' | 'deny') => `EXISTS (
  SELECT FROM grants g WHERE g.project_id = p.id AND g.permission = 'can_administer' AND g.effect = '${effect}'
    AND ${IN_FORCE} AND ${HELD})`

/** Users are looked up from the grants: few hold can_administer on a project, whoever else there is. */
const ADMINISTERED = `
  SELECT p.id FROM unnest($1::integer[]) AS p(id)
  WHERE EXISTS (
    SELECT FROM users u
    WHERE u.id IN (
        SELECT g.user_id FROM grants g
        WHERE g.project_id = p.id AND g.permission = 'can_administer' AND g.effect = 'allow' AND g.user_id IS NOT NULL
        UNION ALL
        SELECT m.user_id FROM grants g JOIN memberships m ON m.group_id = g.group_id
        WHERE g.project_id = p.id AND g.permission = 'can_administer' AND g.effect = 'allow')
      AND u.is_active AND NOT u.is_anonymous AND ${holds('allow')} AND NOT ${holds('deny')})
  ORDER BY p.id
`

/** The bounds of rights in person, in PostgreSQL. */
export class PgProjectRightsStore implements ProjectRightsStore {
  readonly #manager: EntityManager

  constructor(manager: EntityManager) {
    this.#manager = manager
  }

  async holdProjects(projectIds: readonly number[]): Promise<void> {
    await this.#ids('SELECT id FROM projects WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE', [projectIds])
  }

  administered(projectIds: readonly number[]): Promise<number[]> {
    return this.#ids(ADMINISTERED, [projectIds])
  }

  administeredByGroup(groupId: number): Promise<number[]> {
    return this.#ids(
      `SELECT DISTINCT project_id AS id FROM grants WHERE group_id = $1 AND permission = 'can_administer' ORDER BY id`,
      [groupId],
    )
  }

  holdingSuperusers(type: 'user' | 'group', ids: readonly number[], projectId: number): Promise<number[]> {
    return type === 'user'
      ? this.#ids('SELECT id FROM users WHERE id = ANY ($1) AND is_superuser', [ids])
      : this.#ids(
          `SELECT DISTINCT m.group_id AS id FROM memberships m JOIN users u ON u.id = m.user_id
           WHERE m.group_id = ANY ($1) AND u.is_superuser AND (m.project_id IS NULL OR m.project_id = $2)`,
          [ids, projectId],
        )
  }

  async isDenied(groupId: number, projectId: number | null): Promise<boolean> {
    const found = await this.#ids(
      `SELECT id FROM grants
       WHERE group_id = $1 AND effect = 'deny' AND ($2::integer IS NULL OR project_id = $2) LIMIT 1`,
      [groupId, projectId],
    )
    return found.length > 0
  }

  async #ids(statement: string, parameters: unknown[]): Promise<number[]> {
    const rows = await this.#manager.query<{ id: number }[]>(statement, parameters)
    return rows.map(({ id }) => id)
  }
}
