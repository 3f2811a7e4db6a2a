import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { client } from '../harness/client.ts'
import { cloneDatabase } from '../harness/database.ts'
import { keyOf } from '../harness/keys.ts'
import { started } from '../harness/processes.ts'
import { connected } from '../harness/server.ts'
import { ALICE_MAY_BROWSE } from './followed.ts'

const PAUSED_MS = 2500
const CHECK = { user: 'alice', project: 3, permission: 'can_browse' }

/** A replica in a process of its own, which can be stopped as a machine that stands still. */
async function replica(t: Test, env: Record<string, string>) {
  const { url, drop } = await cloneDatabase()
  t.teardown(drop)
  const { key } = await keyOf(url)
  await connected(url, (sql) => sql.query(ALICE_MAY_BROWSE))
  const service = started(t, { DATABASE_URL: url, ...env }, [join(import.meta.dirname, 'replica-process.ts')])
  const { ask, end } = client(await service.address(), key)
  t.teardown(end)
  /** Revokes while it is paused; asks before it goes on, so that the question is the first thing that it finds. */
  const askedAcross = async (checks: (revision: number) => object[]) => {
    service.process.kill('SIGSTOP')
    const revision = await connected(url, async (sql) => {
      await sql.query('DELETE FROM grants')
      return Number((await sql.query('SELECT revision FROM policy_head')).rows[0].revision)
    })
    const answers = checks(revision).map((check) => ask('POST', '/check', check))
    await wait(PAUSED_MS)
    service.process.kill('SIGCONT')
    return Promise.all(answers)
  }
  return { ask, url, askedAcross, process: service.process }
}

t.test('a replica that was paused never allows what it is asked with the revision of the revocation', async (t) => {
  const { ask, askedAcross } = await replica(t, {})
  t.match(await ask('POST', '/check', CHECK), { status: 200, body: { allowed: true } })
  const answers = await askedAcross((revision) =>
    Array.from({ length: 20 }, () => ({ ...CHECK, atLeastRevision: revision })),
  )
  for (const { status, body } of answers)
    t.ok(status === 503 || body.allowed === false, `${status} ${JSON.stringify(body)}`)
  await caughtUp(ask)
})

t.test('one that was paused for longer than MAX_STALENESS refuses until it has caught up', async (t) => {
  const { ask, askedAcross } = await replica(t, { MAX_STALENESS: 'PT2S' })
  t.match(await ask('POST', '/check', CHECK), { status: 200, body: { allowed: true } })
  const answers = await askedAcross(() => Array.from({ length: 20 }, () => CHECK))
  for (const { status, body } of answers)
    t.ok(status === 503 || body.allowed === false, `${status} ${JSON.stringify(body)}`)
  await caughtUp(ask)
})

/** It comes back by itself. */
async function caughtUp(
  ask: (method: string, path: string, body?: unknown) => Promise<{ status: number; body: unknown }>,
) {
  for (;;) {
    const { status, body } = await ask('POST', '/check', CHECK)
    if (status === 200 && (body as { allowed: boolean }).allowed === false) break
    await wait(20)
  }
  for (;;) {
    if ((await ask('GET', '/readyz')).status === 200) return
    await wait(20)
  }
}

t.test('a writer that is paused with the revision taken holds the others up for seconds only', async (t) => {
  const { ask, url, process } = await replica(t, {})
  const answers: { status: number; body: { code?: string } }[] = []
  let isDone = false
  const writer = async (lane: number) => {
    for (let count = 0; !isDone; count += 1) answers.push(await ask('POST', '/v1/groups', { name: `${lane}.${count}` }))
  }
  const writing = Promise.all([writer(1), writer(2), writer(3)])
  await connected(url, async (sql) => {
    const held = async () => {
      const holders = await sql.query(`SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND state = 'idle in transaction'
          AND (query LIKE '%policy_revision_at_commit IMMEDIATE' OR query LIKE '%FROM policy_head)) AS revision')`)
      return holders.rowCount !== 0
    }
    for (;;) {
      process.kill('SIGSTOP')
      await wait(20)
      if (await held()) break
      process.kill('SIGCONT')
      await wait(5)
    }
    await sql.query(`INSERT INTO groups (name) VALUES ('of somebody else')`)
    t.pass('the other writer has come through')
    process.kill('SIGCONT')
  })
  isDone = true
  await writing
  const odd = answers.filter(({ status, body }) => status !== 201 && body.code !== 'database-unavailable')
  t.same(odd, [], 'whose write was broken off is told so')
  t.ok(answers.some(({ status }) => status === 503))
  t.equal((await ask('POST', '/v1/groups', { name: 'after all' })).status, 201)
})
