import type { DataSource } from 'typeorm'

/** Few enough that no lock is held for long; what is left over goes in the next statement. */
const ROWS_A_STATEMENT = 5_000

/**
 * What nobody asks for any more, each by a statement that removes at most $1 rows of it.
 *
 * The change feed is kept for a day: a replica that was away for longer reads all policy anew, as it does at its start.
 */
const STALE: Record<string, string> = {
  'change sets': `
    WITH old AS (DELETE FROM policy_change_sets WHERE id IN (
      SELECT id FROM policy_change_sets WHERE revision IS NOT NULL AND changed_at < now() - interval '1 day'
      ORDER BY id LIMIT $1) RETURNING id),
    changes AS (DELETE FROM policy_changes USING old WHERE change_set = old.id)
    SELECT count(*) FROM old`,
  'refresh tokens': remove('refresh_tokens', 'token_hash', `expires_at < now() - interval '1 day'`),
  sessions: remove('sessions', 'id', `expires_at < now() - interval '30 days'`),
  'one-time tokens': remove('one_time_tokens', 'token_hash', `expires_at < now() - interval '1 day'`),
  // Many wrong passwords in a row are remembered for a month, see passwordRules of the session feature.
  throttles: remove(
    'throttles',
    'key',
    `last_at < now() - interval '2 days' AND (count <= 10 OR last_at < now() - interval '31 days')`,
  ),
  'requests about accounts': remove('account_requests', 'id', `requested_at < now() - interval '1 day'`),
  mails: remove('mail_outbox', 'id', `state <> 'queued' AND settled_at < now() - interval '90 days'`),
}

function remove(table: string, key: string, condition: string): string {
  return `WITH old AS (DELETE FROM ${table} WHERE ${key} IN (SELECT ${key} FROM ${table} WHERE ${condition} LIMIT $1)
    RETURNING 1) SELECT count(*) FROM old`
}

/** Removes all that is stale now, and tells how many rows of each kind. @throws what the database throws */
export async function removeStale(dataSource: DataSource): Promise<Record<string, number>> {
  const removed: Record<string, number> = {}
  for (const [kind, sql] of Object.entries(STALE)) removed[kind] = await removeAll(dataSource, sql)
  return removed
}

async function removeAll(dataSource: DataSource, sql: string): Promise<number> {
  for (let all = 0; ; ) {
    const [{ count }] = (await dataSource.query(sql, [ROWS_A_STATEMENT])) as [{ count: number }]
    all += count
    if (count < ROWS_A_STATEMENT) return all
  }
}
