/** A time of the database as RFC 3339, to the microsecond. */
export const exactTime = (column: string) => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`

/**
 * Who is subject to which period, as a chain of WITH queries over the instant `$1` (null: now). Meant to be finished by
 * a SELECT from `subject`:
 *
 * - a period applies to whoever is in its group, by any membership; of several, the shortest counts, then the first;
 * - activity is the latest of login, use of an API token, refresh of a session, reactivation and creation;
 * - due is who has been inactive for longer than the period, strictly and to the microsecond;
 * - `spared` is the superuser who stays when all active superusers would go: of them the one with the latest activity,
 *   then the lowest id.
 *
 * The anonymous user, inactive and deleted accounts are no subjects.
 *
 * @param periods condition on the periods `p` that count
 * @param users condition on the users `u` to look at; who is spared is found among all superusers anyway
 */
export const subjects = (periods: string, users: string) => `
  WITH clock AS (SELECT coalesce($1::timestamptz, now()) AS at),
  -- A union, not a condition with OR, so that looking at one user does not read all memberships.
  looked_at AS (
    SELECT id FROM users WHERE is_superuser UNION SELECT u.id FROM users u WHERE ${users}
  ),
  applying AS (
    SELECT DISTINCT ON (m.user_id) m.user_id, p.id AS period_id, p.max_inactivity
    FROM looked_at
    JOIN users u ON u.id = looked_at.id AND u.is_active AND NOT u.is_anonymous AND u.deleted_at IS NULL
    JOIN memberships m ON m.user_id = u.id
    JOIN inactivity_periods p ON p.group_id = m.group_id
    WHERE ${periods}
    ORDER BY m.user_id, p.max_inactivity, p.id
  ),
  measured AS (
    SELECT u.id, u.username, u.is_superuser, applying.period_id, applying.max_inactivity,
      greatest(u.created_at, u.last_login_at, a.token_used_at, a.refreshed_at, a.reactivated_at) AS last_activity_at,
      e.user_id IS NOT NULL AS is_exempt, e.exempt_until
    FROM applying
    JOIN users u ON u.id = applying.user_id
    LEFT JOIN account_activity a ON a.user_id = u.id
    LEFT JOIN inactivity_exemptions e ON e.user_id = u.id
      AND (e.exempt_until IS NULL OR e.exempt_until > (SELECT at FROM clock))
  ),
  timed AS (
    SELECT measured.*, last_activity_at + exact_interval(max_inactivity) AS due_at,
      (SELECT at FROM clock) - last_activity_at > max_inactivity AS is_due
    FROM measured
  ),
  spared AS (
    SELECT id FROM timed
    WHERE is_superuser AND is_due AND NOT is_exempt
      AND NOT EXISTS (
        SELECT FROM users other
        WHERE other.is_superuser AND other.is_active AND other.deleted_at IS NULL
          AND NOT EXISTS (SELECT FROM timed due WHERE due.id = other.id AND due.is_due AND NOT due.is_exempt))
    ORDER BY last_activity_at DESC, id LIMIT 1
  ),
  subject AS (
    SELECT u.*, CASE WHEN is_exempt THEN 'exempt' WHEN id IN (SELECT id FROM spared) THEN 'last-superuser' END AS stays
    FROM timed u WHERE ${users}
  )`

/** The parts of an interval, as JSON keeps them: exact, and no driver's idea of an interval between. */
export const intervalParts = (column: string) =>
  `json_build_object('months', (extract(year FROM ${column}) * 12 + extract(month FROM ${column}))::integer,
    'days', extract(day FROM ${column})::integer,
    'microseconds', ((extract(hour FROM ${column}) * 3600 + extract(minute FROM ${column}) * 60) * 1000000
      + extract(microseconds FROM ${column}))::bigint::text)`

/**
 * To be said in a transaction that asks for the subject of one account: PostgreSQL expects many rows and compiles the
 * query each time, which made a run over 100,000 accounts take 85 s and not 28 s on a busy machine.
 */
export const NO_COMPILING = 'SET LOCAL jit = off'
