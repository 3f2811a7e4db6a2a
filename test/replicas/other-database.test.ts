import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { connectionOptions, openClient } from '../../src/database/connection.ts'
import { migrate, openDatabase } from '../../src/database/data-source.ts'
import { startEmbeddedPostgres } from '../../src/database/embedded-postgres.ts'
import { cloneDatabase, silentLog } from '../harness/database.ts'
import { connected, testServer, urlOf } from '../harness/server.ts'
import { ALICE_MAY_BROWSE, followed, until } from './followed.ts'

const REVOKED = 'DELETE FROM grants WHERE user_id = 7'
const group = (name: string) => `INSERT INTO groups (name) VALUES ('${name}')`

/** A database that can be replaced by a copy made earlier, under the same address, as a failover does. */
async function replaceable(t: Test) {
  const { url, drop } = await cloneDatabase()
  t.teardown(drop)
  const { maintenanceUrl } = await testServer()
  const name = new URL(url.replace('@/', '@host/')).pathname.slice(1)
  const asAdmin = (...statements: string[]) =>
    connected(maintenanceUrl, async (client) => {
      for (const sql of statements) await client.query(sql)
    })
  const alone = [
    `ALTER DATABASE ${name} ALLOW_CONNECTIONS false`,
    `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '${name}'`,
  ]
  return {
    url,
    write: (sql: string) => connected(url, async (client) => void (await client.query(sql))),
    head: () =>
      connected(url, async (client) =>
        Number((await client.query('SELECT revision FROM policy_head')).rows[0].revision),
      ),
    copied: async () => {
      await asAdmin(
        ...alone,
        `CREATE DATABASE ${name}_copy TEMPLATE ${name}`,
        `ALTER DATABASE ${name} ALLOW_CONNECTIONS true`,
      )
      t.teardown(() => asAdmin(`DROP DATABASE IF EXISTS ${name}_copy WITH (FORCE)`))
    },
    /** `meanwhile` is done to the copy before anybody can reach it. */
    failOver: async (...meanwhile: string[]) => {
      await asAdmin(...alone)
      await connected(urlOf(maintenanceUrl, `${name}_copy`), async (client) => {
        for (const sql of meanwhile) await client.query(sql)
      })
      await asAdmin(`DROP DATABASE ${name} WITH (FORCE)`, `ALTER DATABASE ${name}_copy RENAME TO ${name}`)
    },
  }
}

const failovers: [string, string[]][] = [
  ['an older copy', []],
  ['a copy that has meanwhile given the same revision to something else', [group('x'), group('y')]],
  ['a copy that has gone further by another way', [group('x'), group('y'), group('z')]],
]
for (const [what, meanwhile] of failovers) {
  t.test(`${what} is noticed: nothing of what was lost is served, and nobody is told that it holds`, async (t) => {
    const database = await replaceable(t)
    await database.write(ALICE_MAY_BROWSE)
    await database.copied()
    const { keeper, counts, reason } = await followed(t, database.url)
    const kept = await database.head()
    await database.write(group('lost'))
    await database.write(REVOKED)
    await keeper.atLeast(kept + 2)
    t.equal(reason(), 'no_grant')
    await database.failOver(...meanwhile)
    await until(() => counts.whole === 2 && keeper.readiness().ready)
    t.equal(reason(), 'allowed', 'as the database says now')
    t.notOk(keeper.snapshot().groupNamed('lost'))
    for (const revision of [kept + 1, kept + 2])
      await t.rejects(keeper.atLeast(revision), { code: 'revision-not-reached' })
    t.equal((await keeper.atLeast(kept)).groupNamed('lost'), undefined, 'what both have is no question')

    const fresh = await followed(t, database.url)
    for (let n = 0; n < 3; n += 1) await database.write(group(`later ${n}`))
    const head = await database.head()
    t.ok(head > kept + 4, 'numbers that were lost are not given again')
    for (const replica of [keeper, fresh.keeper]) {
      t.ok((await replica.atLeast(head)).groupNamed('later 2'))
      await t.rejects(replica.atLeast(kept + 2), { code: 'revision-not-reached' }, 'nor after its number was passed')
    }
  })
}

t.test('several replicas that have seen different parts of what was lost agree, and come to rest', async (t) => {
  const database = await replaceable(t)
  await database.write(ALICE_MAY_BROWSE)
  await database.copied()
  const kept = await database.head()
  const one = await followed(t, database.url)
  await database.write(group('lost'))
  await one.keeper.atLeast(kept + 1)
  await one.keeper.stop()
  const others = [await followed(t, database.url), await followed(t, database.url)]
  await database.write(REVOKED)
  for (const { keeper } of others) await keeper.atLeast(kept + 2)
  await database.failOver()
  await until(() => others.every(({ counts, keeper }) => counts.whole > 1 && keeper.readiness().ready))
  await database.write(group('new'))
  const head = await database.head()
  for (const { keeper, reason } of others) {
    await keeper.atLeast(head)
    t.equal(reason(), 'allowed')
    await t.rejects(keeper.atLeast(kept + 1), { code: 'revision-not-reached' })
  }
  t.equal(await database.head(), head, 'nobody writes any more')
})

t.test('a server that is killed and started again is found again, and no check waits for it', async (t) => {
  const dataDir = t.testdir()
  const server = await startEmbeddedPostgres({ dataDir })
  let again: typeof server | undefined
  t.teardown(async () => {
    await again?.stop()
    await server.stop()
  })
  const connection = connectionOptions(server.connection)
  const schema = await openDatabase({ databaseUrl: undefined, dataDir }, silentLog)
  await migrate(schema.dataSource)
  await schema.close()
  const write = async (sql: string) => {
    const client = await openClient(connection, () => undefined)
    await client.query(sql)
    await client.end()
  }
  await write(ALICE_MAY_BROWSE)
  const { keeper, counts, reason } = await followed(t, connection)
  const pid = Number.parseInt(await readFile(join(dataDir, 'postgres', 'data', 'postmaster.pid'), 'utf8'), 10)
  process.kill(pid, 'SIGKILL')
  await t.rejects(async () => {
    for (;;) await write('SELECT 1')
  }, 'it is gone')
  t.equal(reason(), 'allowed')
  again = await startEmbeddedPostgres({ dataDir })
  await write(REVOKED)
  await until(() => reason() === 'no_grant')
  t.match(keeper.readiness(), { ready: true })
  t.equal(counts.whole, 1, 'nothing that was committed was lost, so the feed went on')
})
