import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { pino } from 'pino'
import t from 'tap'
import { compose } from '../../src/compose.ts'
import { loadConfig } from '../../src/config.ts'
import { cloneDatabase } from '../harness/database.ts'
import { connected } from '../harness/server.ts'

const MAIN = join(import.meta.dirname, '../../src/main.ts')
const WRITERS = 6
const ACKNOWLEDGED_BEFORE_KILL = 120

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

async function adminKey(databaseUrl: string): Promise<string> {
  const parts = await compose(loadConfig({ DATABASE_URL: databaseUrl }), pino({ level: 'silent' }))
  const context = { caller: 'command:test', requestId: null, inPerson: null }
  const { value } = await parts.serviceKeys.create(context, { name: 'writer', scopes: ['admin'] })
  await parts.close()
  return value.key
}

/** The service in a process of its own, as an operator starts it; resolves once it is ready. */
async function served(databaseUrl: string, port: number): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--import=tsx', MAIN, 'serve'], {
    env: { ...process.env, DATABASE_URL: databaseUrl, PORT: String(port), HOST: '127.0.0.1', LOG_LEVEL: 'warn' },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the service ended with ${child.exitCode}`)
    const ready = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null)
    if (ready?.ok) return child
    await wait(50)
  }
}

t.test(
  'kill -9 in the middle of many writes loses none that was acknowledged, and leaves one event each',
  async (t) => {
    const clone = await cloneDatabase()
    t.teardown(() => clone.drop())
    const key = await adminKey(clone.url)
    const port = await freePort()
    const service = await served(clone.url, port)
    t.teardown(() => service.kill('SIGKILL'))

    const acknowledged = new Map<number, { name: string; revision: number }>()
    const write = async (name: string) => {
      const response = await fetch(`http://127.0.0.1:${port}/v1/groups`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ name }),
      })
      if (response.status === 503) return
      if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`)
      const { id, revision } = (await response.json()) as { id: number; revision: number }
      acknowledged.set(id, { name, revision })
    }
    const writers = Array.from({ length: WRITERS }, async (_, writer) => {
      for (let count = 0; ; count += 1) {
        try {
          await write(`group ${writer}.${count}`)
        } catch (error) {
          return error
        }
        if (acknowledged.size >= ACKNOWLEDGED_BEFORE_KILL) service.kill('SIGKILL')
      }
    })
    const [ended] = await Promise.all([once(service, 'exit'), ...writers])

    t.same(ended, [null, 'SIGKILL'])
    for (const error of await Promise.all(writers))
      t.match(error, TypeError, 'the connection broke; no answer was wrong')
    t.ok(acknowledged.size >= ACKNOWLEDGED_BEFORE_KILL)
    await connected(clone.url, async (client) => {
      const { rows } = await client.query(`
      SELECT g.id, g.name, count(e.id)::integer AS events, max(e.revision)::integer AS revision
      FROM groups g LEFT JOIN audit_events e ON e.target = 'group:' || g.id AND e.action = 'group.create'
      GROUP BY g.id ORDER BY g.id`)
      t.same(
        rows.filter(({ events }) => events !== 1),
        [],
        'one event for every group that is there',
      )
      const kept = new Map(rows.map(({ id, name, revision }) => [id, { name, revision }]))
      const lost = [...acknowledged].filter(([id, told]) => {
        const found = kept.get(id)
        return found?.name !== told.name || found.revision !== told.revision
      })
      t.same(lost, [], 'every acknowledged group is there, at the revision that was answered')
      const { rows: orphans } = await client.query(`
      SELECT target FROM audit_events
      WHERE action = 'group.create' AND NOT EXISTS (SELECT FROM groups WHERE 'group:' || id = target)`)
      t.same(orphans, [], 'no event without its group')
      const { rows: unnumbered } = await client.query('SELECT id FROM policy_change_sets WHERE revision IS NULL')
      t.same(unnumbered, [], 'no change without its revision')
    })

    const again = await served(clone.url, port)
    t.teardown(() => again.kill('SIGKILL'))
    await write('after the restart')
  },
)
