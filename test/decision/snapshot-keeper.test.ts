import t, { type Test } from 'tap'
import { decide } from '../../src/decision/decide.ts'
import type { PolicySource } from '../../src/decision/policy-state.ts'
import { SnapshotKeeper } from '../../src/decision/snapshot-keeper.ts'
import { PolicySourceStore } from '../../src/policy/policy-source-store.ts'
import { type TestDatabase, testDatabase } from '../harness/database.ts'
import { connected, testServer } from '../harness/server.ts'
import { modelOf, policyAsShipped } from './policy-as-shipped.ts'

const silent = { info: () => {}, warn: () => {}, error: () => {} }
const browse = { user: 'alice', project: 3, permission: 'can_browse' }

/** A keeper on a database of its own, in which alice may browse project 3; counts how often everything was read. */
async function started(t: Test, options: { maxStalenessMs?: number } = {}) {
  const database = await testDatabase(t)
  await database.query(`INSERT INTO users (id, username) VALUES (7, 'alice')`)
  await database.query(`INSERT INTO projects (id, title) VALUES (3, 'three')`)
  await database.query(`INSERT INTO grants (user_id, project_id, permission) VALUES (7, 3, 'can_browse')`)
  const { source, reads } = counting(new PolicySourceStore(database))
  const keeper = new SnapshotKeeper({
    source,
    model: modelOf(policyAsShipped()),
    log: silent,
    maxStalenessMs: 60_000,
    ...options,
  })
  await keeper.start()
  t.teardown(() => keeper.stop())
  return { database, keeper, reads }
}

function counting(source: PolicySource) {
  const reads = { whole: 0 }
  const counted: PolicySource = {
    readAll: (receive) => {
      reads.whole += 1
      return source.readAll(receive)
    },
    changesSince: (revision, limit) => source.changesSince(revision, limit),
    keepLost: (lost) => source.keepLost(lost),
    listen: (onNotice, onLost) => source.listen(onNotice, onLost),
    close: () => source.close(),
  }
  return { source: counted, reads }
}

/** On a connection of its own: after an outage the pool may not have heard yet which of its connections are broken. */
const headRevision = ({ connected }: TestDatabase): Promise<number> =>
  connected(async (client) => Number((await client.query('SELECT revision FROM policy_head')).rows[0]?.revision ?? 0))

/** What alice's check gives once the snapshot has the database's revision. */
async function reasonNow(database: TestDatabase, keeper: SnapshotKeeper, check = browse) {
  return decide(await keeper.atLeast(await headRevision(database)), check, Date.now()).reason
}

/** Shuts everybody out of the database, as if it were down; gives what lets them in again. */
async function outage({ url }: TestDatabase): Promise<() => Promise<void>> {
  const name = new URL(url.replace('@/', '@host/')).pathname.slice(1)
  const { maintenanceUrl } = await testServer()
  const admin = (sql: string) => connected(maintenanceUrl, async (client) => void (await client.query(sql)))
  await admin(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`)
  await admin(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`)
  return () => admin(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`)
}

/** Waits until something holds; tap's own timeout ends a wait for what never comes. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 20))
}

t.test('a row changed by hand reaches the snapshot without reading everything anew', async (t) => {
  const { database, keeper, reads } = await started(t)
  t.equal(await reasonNow(database, keeper), 'allowed')
  await database.query('UPDATE users SET is_active = false WHERE id = 7')
  t.equal(await reasonNow(database, keeper), 'inactive')
  await database.query('UPDATE users SET is_active = true WHERE id = 7')
  await database.query('DELETE FROM grants')
  t.equal(await reasonNow(database, keeper), 'no_grant')
  t.equal(reads.whole, 1)
})

t.test('many changes of one transaction are there together or not at all', async (t) => {
  const { database, keeper, reads } = await started(t)
  await database.connected(async (client) => {
    await client.query('BEGIN')
    await client.query(`INSERT INTO groups (id, name) VALUES (1, 'tracers')`)
    await client.query(`INSERT INTO memberships (user_id, group_id) VALUES (7, 1)`)
    await client.query(`INSERT INTO grants (group_id, project_id, permission) VALUES (1, 3, 'can_fork')`)
    await client.query(`UPDATE users SET username = 'alicia' WHERE id = 7`)
    t.equal(await reasonNow(database, keeper), 'allowed', 'nothing of it is seen before the commit')
    await client.query('COMMIT')
  })
  t.equal(await reasonNow(database, keeper), 'unknown_user', 'the old login is nobody')
  t.equal(await reasonNow(database, keeper, { user: 'alicia', project: 3, permission: 'can_fork' }), 'allowed')
  t.equal(reads.whole, 1)
})

t.test('ids that move within a transaction are followed, whatever order the cascade leaves', async (t) => {
  const { database, keeper, reads } = await started(t)
  await database.query('UPDATE users SET id = -1 WHERE id = 7')
  t.equal(await reasonNow(database, keeper), 'allowed')
  await database.query('DELETE FROM projects')
  t.equal(await reasonNow(database, keeper), 'unknown_project')
  t.equal(reads.whole, 1)
})

t.test('what the feed cannot tell is read anew: a truncated table, a pruned log, an older copy', async (t) => {
  const { database, keeper, reads } = await started(t)
  await database.query('TRUNCATE grants')
  t.equal(await reasonNow(database, keeper), 'no_grant')
  t.equal(reads.whole, 2)
  await keeper.stop()
  await database.query(`INSERT INTO grants (user_id, project_id, permission) VALUES (7, 3, 'can_browse')`)
  await database.query('DELETE FROM policy_changes')
  await database.query('DELETE FROM policy_change_sets')
  const { source, reads: later } = counting(new PolicySourceStore(database))
  const behind = new SnapshotKeeper({ source, model: modelOf(policyAsShipped()), log: silent, maxStalenessMs: 60_000 })
  await behind.start()
  t.teardown(() => behind.stop())
  await database.query('UPDATE policy_head SET revision = revision - 1')
  behind.refresh()
  await until(() => later.whole === 2 && behind.readiness().ready)
  t.equal(await reasonNow(database, behind), 'allowed')
})

t.test('a check waits for the revision it asks for, and is told when it does not come', async (t) => {
  const { database, keeper } = await started(t)
  const head = await headRevision(database)
  const waiting = keeper.atLeast(head + 1)
  await database.query('DELETE FROM grants')
  t.equal((await waiting).revision, head + 1)
  await t.rejects(keeper.atLeast(head + 1000), { code: 'revision-not-reached' })
})

t.test('while the database is away the last snapshot decides, and afterwards it catches up by itself', async (t) => {
  const { database, keeper, reads } = await started(t)
  const back = await outage(database)
  await t.rejects(headRevision(database), 'the database is gone')
  t.equal(decide(keeper.snapshot(), browse, Date.now()).reason, 'allowed')
  t.equal(keeper.readiness().ready, true)
  await back()
  await database.connected((client) => client.query('DELETE FROM grants'))
  await until(() => decide(keeper.snapshot(), browse, Date.now()).reason === 'no_grant')
  t.equal(reads.whole, 1, 'the log reached back far enough')
})

t.test('a reload that fails leaves the last good snapshot', async (t) => {
  const { database, keeper, reads } = await started(t)
  await database.query('TRUNCATE grants')
  const back = await outage(database)
  keeper.refresh()
  t.equal(keeper.snapshot().users.size, 2, 'whole, whether or not the news arrived in time')
  await back()
  t.equal(await reasonNow(database, keeper), 'no_grant')
  t.ok(reads.whole >= 2)
})

t.test('a snapshot older than allowed decides nothing, and readiness says so', async (t) => {
  const { database, keeper } = await started(t, { maxStalenessMs: 2500 })
  const back = await outage(database)
  await until(() => !keeper.readiness().ready)
  t.throws(() => keeper.snapshot(), { code: 'snapshot-unavailable' })
  await t.rejects(keeper.atLeast(1), { code: 'snapshot-unavailable' })
  t.match(keeper.readiness(), { ready: false, reason: /MAX_STALENESS/, revision: Number, ageSeconds: Number })
  await back()
  await until(() => keeper.readiness().ready)
  t.equal(await reasonNow(database, keeper), 'allowed')
})

t.test('before anything was read there is nothing to decide from', async (t) => {
  const database = await testDatabase(t)
  const keeper = new SnapshotKeeper({
    source: new PolicySourceStore(database),
    model: modelOf(policyAsShipped()),
    log: silent,
    maxStalenessMs: 60_000,
  })
  t.throws(() => keeper.snapshot(), { code: 'snapshot-unavailable' })
  t.match(keeper.readiness(), { ready: false })
  await keeper.noticed(5)
})
