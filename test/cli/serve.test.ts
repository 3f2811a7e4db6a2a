import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { cloneDatabase } from '../harness/database.ts'
import { serving } from '../harness/processes.ts'

const project = join(import.meta.dirname, '..', '..')
t.test('serve brings an empty database up to date, answers, and ends in order on SIGTERM', async (t) => {
  const { url, drop } = await cloneDatabase({ empty: true })
  t.teardown(drop)
  const service = serving(t, { DATABASE_URL: url })
  const address = await service.address()
  t.match(await (await fetch(`${address}/readyz`)).json(), { ready: true })
  t.equal((await fetch(`${address}/v1/users`)).status, 401)
  service.process.kill('SIGTERM')
  t.equal(await service.exit, 0, service.output())
  t.match(service.output(), /brought the schema up to date/)
  t.notMatch(service.output(), /"level":50/)
})

t.test('serve that cannot listen says so in one line and ends', async (t) => {
  const { url, drop } = await cloneDatabase()
  t.teardown(drop)
  const other = createServer().listen(0, '127.0.0.1')
  t.teardown(() => other.close())
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const service = serving(t, { DATABASE_URL: url, PORT: String(port), LOG_LEVEL: 'error' })
  t.equal(await service.exit, 1)
  t.equal(
    service.output(),
    `gatehouse: 127.0.0.1:${port} is in use: set PORT to another port, or end what listens there\n`,
  )
})

t.test(
  'serve with a model that is not there, or names what there is not, ends with a line that says where',
  async (t) => {
    const { url, drop } = await cloneDatabase()
    t.teardown(drop)
    const folder = t.testdir({
      'model.conf': (await readFile(join(project, 'model.conf'), 'utf8')).replace('r.via', 'r.vai'),
    })
    for (const [model, told] of [
      ['absent.conf', /^gatehouse: cannot use [^\n]*absent\.conf: there is no such file or folder\n$/],
      ['model.conf', /^gatehouse: [^\n]*model\.conf[^\n]*vai[^\n]*\n$/],
    ] as const) {
      const service = serving(t, { DATABASE_URL: url, MODEL_FILE: join(folder, model) })
      t.equal(await service.exit, 1, model)
      t.match(service.output(), told)
    }
  },
)
