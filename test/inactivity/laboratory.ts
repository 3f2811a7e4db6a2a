import type { TestService } from '../harness/service.ts'

/** The period of everybody in a laboratory, in days, and its id. */
export const PERIOD = { days: 90, id: 100 }

/**
 * Fills a database with `active` accounts that are in use and `due` that are not, all subject to one period, with a
 * contact and two warnings. Ids count from 1000: first those in use, then those due.
 */
export async function laboratory(
  query: TestService['query'],
  { active, due }: { active: number; due: number },
): Promise<{ due: number[] }> {
  await query(
    `INSERT INTO users (id, username, email, first_name, created_at, last_login_at)
       SELECT 999 + n, 'user ' || n, 'u' || n || '@example.org', 'User', now() - interval '900 days',
         now() - CASE WHEN n <= $1 THEN interval '1 day' ELSE interval '91 days' END
       FROM generate_series(1, $1::integer + $2::integer) n`,
    [active, due],
  )
  await query(`INSERT INTO users (id, username, email, first_name, last_name, last_login_at)
    VALUES (900, 'grace', 'grace@example.org', 'Grace', 'Hopper', now())`)
  await query(`INSERT INTO groups (id, name) VALUES (100, 'students')`)
  await query(`INSERT INTO memberships (user_id, group_id) SELECT id, 100 FROM users WHERE id >= 1000`)
  await query(
    `INSERT INTO inactivity_periods (id, group_id, max_inactivity, message, warn_before)
       VALUES ($1, 100, make_interval(days => $2), 'Ask {{name}}' || chr(10) || 'or mail us.', '{3 days, 14 days}')`,
    [PERIOD.id, PERIOD.days],
  )
  await query('INSERT INTO inactivity_period_contacts VALUES ($1, 900)', [PERIOD.id])
  return { due: Array.from({ length: due }, (_, at) => 1000 + active + at) }
}

/** Ids of the users who are inactive for inactivity. */
export async function deactivated(query: TestService['query']): Promise<number[]> {
  const rows = await query<{ id: number }>(
    `SELECT id FROM users WHERE NOT is_active AND deactivation_reason = 'inactivity' ORDER BY id`,
  )
  return rows.map(({ id }) => id)
}
