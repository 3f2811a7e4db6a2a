import t from 'tap'
import { removeStale } from '../../src/database/housekeeping.ts'
import { PolicySourceStore } from '../../src/policy/policy-source-store.ts'
import { testDatabase } from '../harness/database.ts'

t.test('what nobody asks for any more goes, and what counts stays', async (t) => {
  const { dataSource, query } = await testDatabase(t)
  await query(`
    INSERT INTO users (id, username) VALUES (10, 'alice');
    INSERT INTO sessions (user_id, secret, network, expires_at)
      SELECT 10, sha256(n::text::bytea), '127.0.0.1', now() - n * interval '40 days' FROM generate_series(0, 1) n;
    INSERT INTO ended_sessions (id, reason) SELECT id, 'logout' FROM sessions;
    INSERT INTO refresh_tokens (token_hash, session_id, expires_at)
      SELECT sha256(n::text::bytea), min(id), now() + (n - 5) * interval '12 hours' FROM sessions, generate_series(1, 6) n
      GROUP BY n;
    INSERT INTO one_time_tokens (token_hash, purpose, user_id, address, expires_at)
      SELECT sha256(n::text::bytea), 'password-reset', 10, 'a@example.org', now() - n * interval '12 hours'
      FROM generate_series(0, 5) n;
    INSERT INTO throttles (key, count, first_at, last_at)
      SELECT 'login:' || n, 1, now(), now() - n * interval '1 day' FROM generate_series(0, 5) n;
    INSERT INTO mail_outbox (message_id, kind, recipient, subject, state, settled_at, body)
      SELECT n::text, 'welcome', 'a@example.org', 'x', state, now() - interval '91 days', 'x'
      FROM generate_series(1, 3) n, unnest(ARRAY['sent', 'cancelled', 'failed']) WITH ORDINALITY AS s(state, place)
      WHERE n = place`)
  const removed = await removeStale(dataSource)
  t.match(removed, { sessions: 1, 'refresh tokens': 3, 'one-time tokens': 4, throttles: 4, mails: 3 })
  t.same(await query('SELECT state FROM mail_outbox'), [])
  t.match(await query('SELECT count(*) FROM ended_sessions'), [{ count: 1 }])
})

t.test('a replica that was away for longer than the feed is kept is told to read everything', async (t) => {
  const database = await testDatabase(t)
  const { dataSource, query } = database
  const source = new PolicySourceStore(database)
  for (let n = 1; n <= 4; n += 1) await query('INSERT INTO projects (title) VALUES ($1)', [`Volume ${n}`])
  const [{ revision }] = (await query('SELECT revision FROM policy_head')) as [{ revision: number }]
  await query(`UPDATE policy_change_sets SET changed_at = now() - interval '25 hours' WHERE revision <= $1`, [
    revision - 2,
  ])
  t.equal((await source.changesSince(revision - 4, 100))?.length, 4)
  const { 'change sets': sets } = await removeStale(dataSource)
  t.equal(sets, 2)
  t.equal(await source.changesSince(revision - 4, 100), null, 'the log no longer reaches back')
  t.equal(await source.changesSince(revision - 3, 100), null)
  t.equal((await source.changesSince(revision - 2, 100))?.length, 2)
  t.match(
    await query('SELECT count(*) FROM policy_changes WHERE change_set NOT IN (SELECT id FROM policy_change_sets)'),
    [{ count: 0 }],
  )
})
