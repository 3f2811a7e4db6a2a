import t, { type Test } from 'tap'
import { testDatabase } from '../harness/database.ts'
import { proxyTo } from '../harness/proxy.ts'
import { ALICE_MAY_BROWSE, followed, until } from './followed.ts'

/** A keeper that reaches its database by a way that can be made bad; `query` takes another. */
async function behindProxy(t: Test, options: Parameters<typeof followed>[2] = {}) {
  const database = await testDatabase(t)
  await database.query(ALICE_MAY_BROWSE)
  const proxy = await proxyTo(t, database.url)
  const head = async () => (await database.query<{ revision: number }>('SELECT revision FROM policy_head'))[0]?.revision
  return { ...(await followed(t, proxy.url, options)), proxy, head, query: database.query }
}

const REVOKED = 'DELETE FROM grants WHERE user_id = 7'

t.test('an answer that breaks off in the middle is asked for again, and nothing of it is half there', async (t) => {
  const { keeper, counts, reason, proxy, query, head } = await behindProxy(t)
  const sizes = new Set<number>()
  const watch = setInterval(() => sizes.add(keeper.snapshot().grants.size), 1)
  t.teardown(() => clearInterval(watch))
  proxy.cutNextAnswer()
  await query(`${REVOKED};
    INSERT INTO projects (id, title) SELECT n, 'p' FROM generate_series(101, 3100) n;
    INSERT INTO grants (user_id, project_id, permission) SELECT 7, n, 'can_fork' FROM generate_series(101, 3100) n`)
  const revision = (await head()) ?? 0
  await until(() => keeper.snapshot().revision === revision)
  clearInterval(watch)
  sizes.add(keeper.snapshot().grants.size)
  t.equal(reason(), 'no_grant')
  t.same([...sizes].sort(), [1, 3000])
  t.equal(counts.whole, 1, 'the feed went on where it was')
})

t.test('connections that are cut again and again do not keep news away, nor ask to read everything', async (t) => {
  const { keeper, counts, reason, proxy, query, head } = await behindProxy(t)
  for (let round = 0; round < 5; round += 1) {
    await query('INSERT INTO groups (name) VALUES ($1)', [`group ${round}`])
    proxy.cut()
  }
  await query(REVOKED)
  const revision = (await head()) ?? 0
  await until(() => keeper.snapshot().revision === revision)
  t.equal(reason(), 'no_grant')
  t.equal(counts.whole, 1)
})

t.test('a slow database makes news late, and nothing else', async (t) => {
  const { keeper, counts, reason, proxy, query } = await behindProxy(t)
  proxy.delay(400)
  await query(REVOKED)
  await until(() => reason() === 'no_grant')
  t.match(keeper.readiness(), { ready: true })
  t.equal(counts.whole, 1)
})

t.test('a database that hangs makes the service unready once policy is too old, and is asked anew', async (t) => {
  const { keeper, counts, reason, proxy, query } = await behindProxy(t, { patienceMs: 500, maxStalenessMs: 1500 })
  proxy.swallow()
  await query(REVOKED)
  await until(() => !keeper.readiness().ready)
  t.throws(() => keeper.snapshot(), { code: 'snapshot-unavailable' })
  await t.rejects(keeper.atLeast(1), { code: 'snapshot-unavailable' })
  t.match(keeper.readiness().reason, /MAX_STALENESS/)
  proxy.open()
  await until(() => keeper.readiness().ready)
  t.equal(reason(), 'no_grant', 'the first snapshot that may be used again knows of the revocation')
  t.equal(counts.whole, 1)
})

t.test(
  'where notices never come, asking every second brings the news, and the dead listener is found out',
  async (t) => {
    const { counts, reason, proxy, query } = await behindProxy(t, { patienceMs: 500 })
    await until(() => counts.listens === 1)
    proxy.swallowListeners()
    await query(REVOKED)
    await until(() => reason() === 'no_grant')
    t.equal(counts.whole, 1)
    await until(() => counts.listens === 2)
    t.pass('it listens again')
  },
)

t.test('a keeper ends although its database does not answer any more', async (t) => {
  const { keeper, proxy } = await behindProxy(t, { patienceMs: 500 })
  proxy.swallow()
  await keeper.stop()
  t.pass('it ended')
})

t.test('a notice too many changes nothing; a hole in the log is closed by reading everything', async (t) => {
  const { keeper, counts, reason, proxy, query, head } = await behindProxy(t)
  const before = keeper.snapshot().generation
  const last = (await head()) ?? 0
  for (const revision of [last, last, last - 1, last + 5])
    await query(`SELECT pg_notify('gatehouse_policy', '${revision}')`)
  await keeper.atLeast(last)
  t.same([counts.whole, keeper.snapshot().generation], [1, before])
  proxy.refuse()
  for (const change of [`INSERT INTO groups (name) VALUES ('p')`, REVOKED, `INSERT INTO groups (name) VALUES ('q')`]) {
    await query(change)
  }
  await query('DELETE FROM policy_change_sets WHERE revision = $1', [last + 2])
  proxy.open()
  await until(() => reason() === 'no_grant')
  t.same([counts.whole, keeper.snapshot().revision], [2, last + 3])
})
