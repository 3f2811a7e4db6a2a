import { Agent, get } from 'node:http'
import t, { type Test } from 'tap'
import { buildApp } from '../../src/app.ts'
import { type TestService, testService } from '../harness/service.ts'

/** Another listener over the parts of a running service, so that it can be closed by itself. */
async function listener({ parts }: TestService) {
  const app = await buildApp(parts, { eventLoopDelay: 0 })
  return { app, url: await app.listen({ host: '127.0.0.1', port: 0 }) }
}

function ask(t: Test, url: string, agent: Agent): Promise<{ status: number; connection: string | undefined }> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (answer) => {
      answer.resume()
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, connection: answer.headers.connection }))
    }).on('error', reject)
  }).catch((error) => t.fail(error)) as never
}

t.test('a client that keeps its connection does not hold up the end', async (t) => {
  const { app, url } = await listener(await testService(t))
  const agent = new Agent({ keepAlive: true })
  t.match(await ask(t, `${url}/healthz`, agent), { status: 200, connection: 'keep-alive' })
  await app.close()
  agent.destroy()
  t.pass('it ended')
})

t.test('a request in flight is answered before the end, and its connection closed', async (t) => {
  const service = await testService(t)
  const { app, url } = await listener(service)
  const locking = service.parts.database.dataSource.createQueryRunner()
  await locking.startTransaction()
  await locking.query('LOCK TABLE groups IN ACCESS EXCLUSIVE MODE')
  const waiting = fetch(`${url}/v1/groups`, { headers: { authorization: `Bearer ${service.keys.admin}` } })
  await untilSomebodyWaits(service)
  const closed = app.close()
  await locking.commitTransaction()
  await locking.release()
  const answer = await waiting
  t.equal(answer.status, 200)
  t.match(await answer.json(), { items: [], nextCursor: null })
  await closed
  await t.rejects(fetch(`${url}/healthz`), 'nobody listens any more')
})

async function untilSomebodyWaits({ query }: TestService): Promise<void> {
  for (;;) {
    const waiting = await query(
      `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
    )
    if (waiting.length > 0) return
  }
}
