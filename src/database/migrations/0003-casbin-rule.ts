import type { MigrationInterface, QueryRunner } from 'typeorm'

/**
 * The same policy in Casbin's standard columns, for any tool that speaks Casbin.
 *
 * The cells stand in the order of the shipped model.conf: p = sub, dom, act, eft, from, until (epoch milliseconds, ''
 * for an open end) and g = user, group or role, domain ('*' for every project). Cells hold ids, never names. The id
 * tells the rows of the three sources apart: 3n grants, 3n+1 memberships, 3n+2 superusers.
 */
export class CasbinRule1763800000003 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE VIEW casbin_rule AS
        SELECT 3 * id::bigint AS id, 'p' AS ptype,
          CASE WHEN user_id IS NOT NULL THEN 'user:' || user_id ELSE 'group:' || group_id END AS v0,
          project_id::text AS v1, permission AS v2, effect AS v3,
          coalesce(((extract(epoch FROM valid_from) * 1000)::bigint)::text, '') AS v4,
          coalesce(((extract(epoch FROM valid_until) * 1000)::bigint)::text, '') AS v5,
          NULL::text AS v6
        FROM grants
        UNION ALL
        SELECT 3 * id::bigint + 1, 'g', 'user:' || user_id, 'group:' || group_id, coalesce(project_id::text, '*'),
          NULL, NULL, NULL, NULL
        FROM memberships
        UNION ALL
        SELECT 3 * id::bigint + 2, 'g', 'user:' || id, 'role:superuser', '*', NULL, NULL, NULL, NULL
        FROM users WHERE is_superuser
    `)
  }

  async down(): Promise<void> {
    throw new Error('migrations only go forward: restore the backup made before `gatehouse migrate`')
  }
}
