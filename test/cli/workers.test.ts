import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { runCommand } from '../../src/cli/program.ts'
import { client } from '../harness/client.ts'
import { cloneDatabase } from '../harness/database.ts'
import { keyOf } from '../harness/keys.ts'
import { serving, workersOf } from '../harness/processes.ts'
import { connected } from '../harness/server.ts'

const TWO = ['--workers', '2']

async function database(t: Test): Promise<string> {
  const { url, drop } = await cloneDatabase()
  t.teardown(drop)
  return url
}

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

t.test('the number of workers is a whole one above zero; anything else is wrong usage', async (t) => {
  for (const count of ['0', '-1', '1.5', 'many', '', '100']) {
    const said: string[] = []
    const terminal = { out: () => undefined, progress: (text: string) => said.push(text) }
    t.equal(await runCommand(['serve', '--workers', count], {}, terminal), 2, count)
    t.match(said.join(), /whole number from 1 to 99|argument missing/, count)
  }
})

t.test('several workers answer on one port', async (t) => {
  const url = await database(t)
  const { id, key } = await keyOf(url)
  const otherKey = (await keyOf(url, 'other')).key
  const service = serving(t, { DATABASE_URL: url }, TWO)
  const address = await service.address()
  // Connections are dealt out in turn, so each request of this one comes to another worker than the last.
  const { ask } = client(address, key, { fresh: true, patienceMs: 1000 })
  const requestsOf = async () => {
    const { body } = await ask('GET', '/metrics')
    return [...body.matchAll(/http_requests_total\{.*worker="(\d+)"\} (\d+)/g)].map(([, worker]) => Number(worker))
  }

  await t.test('a write that one has answered holds at once on the others that are asked for it', async (t) => {
    const user = (await ask('POST', '/v1/users', { username: 'alice' })).body.id
    await ask('POST', '/v1/projects', { id: 3, title: 'three' })
    for (let round = 0; round < 20; round += 1) {
      const permissions = round % 2 === 0 ? ['can_browse'] : []
      const { body: written } = await ask('PUT', `/v1/projects/3/grants/user/${user}`, { permissions })
      const check = { user: 'alice', project: 3, permission: 'can_browse', atLeastRevision: written.revision }
      const { body } = await ask('POST', '/check', check)
      t.match(body, { allowed: round % 2 === 0, revision: written.revision })
    }
  })

  await t.test('the metrics of all are in each answer, a metric once, a sample of each worker', async (t) => {
    const { body } = await ask('GET', '/metrics')
    t.same(new Set(await requestsOf()), new Set([1, 2]))
    t.equal(body.match(/^# HELP gatehouse_snapshot_revision /gm)?.length, 1)
    t.equal(body.match(/^gatehouse_snapshot_revision\{worker="[12]"\} \d+$/gm)?.length, 2)
    t.equal(body.match(/_bucket\{.*worker="1".*le=|_bucket\{.*le=.*worker="1"/g)?.length > 0, true)
  })

  await t.test('one that is killed is replaced, and the others go on', async (t) => {
    const pid = workersOf(service).get(1) ?? 0
    process.kill(pid, 'SIGKILL')
    for (;;) {
      // The one connection that was being handed to it is lost, and nobody says so.
      const answer = await ask('GET', '/readyz').catch(() => undefined)
      if (answer !== undefined) t.equal(answer.status, 200)
      if ((await requestsOf().catch((): number[] => [])).includes(3)) break
      await wait(50)
    }
    t.match(service.output(), /a worker ended; another is started/)
  })

  await t.test('a key that one has revoked soon opens nothing on any', async (t) => {
    const other = client(address, otherKey, { fresh: true })
    t.equal((await other.ask('DELETE', `/v1/service-keys/${id}`)).status, 200)
    for (let refused = 0; refused < 4; ) refused = (await ask('GET', '/metrics')).status === 401 ? refused + 1 : 0
    for (let round = 0; round < 4; round += 1) t.equal((await ask('GET', '/metrics')).status, 401)
  })

  await t.test('on SIGTERM a request in flight is answered, then all end', async (t) => {
    const other = client(address, otherKey, { fresh: true })
    await connected(url, async (holder) => {
      await holder.query('BEGIN; LOCK TABLE groups IN ACCESS EXCLUSIVE MODE')
      let isAnswered = false
      const asking = other.ask('GET', '/v1/groups').finally(() => {
        isAnswered = true
      })
      const waiting = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
      while ((await holder.query(waiting)).rowCount === 0) await holder.query('SELECT pg_stat_clear_snapshot()')
      service.process.kill('SIGTERM')
      while (!/finish the requests in flight/.test(service.output())) await wait(5)
      t.notOk(isAnswered, 'it waits')
      await holder.query('COMMIT')
      t.equal((await asking).status, 200)
    })
    t.equal(await service.exit, 0, service.output())
    t.same([...workersOf(service).values()].filter(isAlive), [], 'no process is left')
  })
})

t.test('workers share the embedded PostgreSQL, which ends with them', async (t) => {
  const service = serving(t, { DATA_DIR: t.testdir() }, TWO)
  const address = await service.address()
  for (let round = 0; round < 4; round += 1) {
    t.equal((await fetch(`${address}/readyz`, { headers: { connection: 'close' } })).status, 200)
  }
  service.process.kill('SIGTERM')
  t.equal(await service.exit, 0, service.output())
})
