import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { cloneDatabase } from '../harness/database.ts'
import { serving, workersOf } from '../harness/processes.ts'

const TWO = ['--workers', '2']

async function database(t: Test): Promise<string> {
  const { url, drop } = await cloneDatabase()
  t.teardown(drop)
  return url
}

t.test('workers that cannot listen, or end at once, end the command with the reason', async (t) => {
  const url = await database(t)
  const other = createServer().listen(0, '127.0.0.1')
  t.teardown(() => other.close())
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const taken = serving(t, { DATABASE_URL: url, PORT: String(port), LOG_LEVEL: 'error' }, TWO)
  t.equal(await taken.exit, 1)
  t.equal(
    taken.output(),
    `gatehouse: 127.0.0.1:${port} is in use: set PORT to another port, or end what listens there\n`,
  )
  const dying = t.testdir({ 'dying.mjs': `import cluster from 'node:cluster'; if (cluster.isWorker) process.exit(3)` })
  const NODE_OPTIONS = `--import=${join(dying, 'dying.mjs')}`
  const died = serving(t, { DATABASE_URL: url, LOG_LEVEL: 'error', NODE_OPTIONS }, TWO)
  t.equal(await died.exit, 1)
  t.equal(died.output(), 'gatehouse: a worker ended with 3\n')
})

t.test('when none is left, and none that is started gets ready, the command gives up', async (t) => {
  const url = await database(t)
  const folder = t.testdir({
    'dying.mjs': `import cluster from 'node:cluster'
      import { existsSync } from 'node:fs'
      if (cluster.isWorker && existsSync(new URL('die', import.meta.url))) process.exit(3)`,
  })
  const service = serving(t, { DATABASE_URL: url, NODE_OPTIONS: `--import=${join(folder, 'dying.mjs')}` }, TWO)
  await service.address()
  writeFileSync(join(folder, 'die'), '')
  for (const pid of workersOf(service).values()) process.kill(pid, 'SIGKILL')
  t.equal(await service.exit, 1)
  t.match(service.output(), /no worker is left, and 5 in a row did not start: a worker ended with 3/)
})
