import type { EntityManager } from 'typeorm'

type GrantCounts = { direct: number; throughGroups: number; denies: number }

/** What is counted about a project, in PostgreSQL. */
export class PgProjectStatistics {
  readonly #manager: EntityManager

  constructor(manager: EntityManager) {
    this.#manager = manager
  }

  /** The grants on a project, in force or not, by their permission. */
  async grantCounts(projectId: number): Promise<Map<string, GrantCounts>> {
    const rows = await this.#manager.query<(GrantCounts & { permission: string })[]>(
      `SELECT permission,
         (count(*) FILTER (WHERE effect = 'allow' AND user_id IS NOT NULL))::integer AS direct,
         (count(*) FILTER (WHERE effect = 'allow' AND group_id IS NOT NULL))::integer AS "throughGroups",
         (count(*) FILTER (WHERE effect = 'deny'))::integer AS denies
       FROM grants WHERE project_id = $1 GROUP BY permission`,
      [projectId],
    )
    return new Map(rows.map(({ permission, ...counts }) => [permission, counts]))
  }

  /** The last login, refresh or use of an API token of each user who had one, by the user's id. */
  async lastActivity(userIds: readonly number[]): Promise<Map<number, string>> {
    const rows = await this.#manager.query<{ id: number; at: Date }[]>(
      `SELECT u.id, greatest(u.last_login_at, a.token_used_at, a.refreshed_at) AS at
       FROM users u LEFT JOIN account_activity a ON a.user_id = u.id
       WHERE u.id = ANY ($1) AND greatest(u.last_login_at, a.token_used_at, a.refreshed_at) IS NOT NULL`,
      [userIds],
    )
    return new Map(rows.map(({ id, at }) => [id, at.toISOString()]))
  }
}
