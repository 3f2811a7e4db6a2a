import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { cloneDatabase } from '../harness/database.ts'

const project = join(import.meta.dirname, '..', '..')
const main = join(project, 'src', 'main.ts')

type Serving = { process: ChildProcess; output: () => string; exit: Promise<number | null> }

/** Starts `gatehouse serve` as a process of its own. */
function serve(t: Test, env: Record<string, string>): Serving {
  const child = spawn(process.execPath, ['--import=tsx', main, 'serve'], {
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk))
  t.teardown(() => child.kill('SIGKILL'))
  return { process: child, output: () => output, exit: once(child, 'exit').then(([code]) => code) }
}

async function addressOf({ process: child, output }: Serving): Promise<string> {
  for (;;) {
    const [address] = /http:\/\/127\.0\.0\.1:\d+/.exec(output()) ?? []
    if (address !== undefined) return address
    if (child.exitCode !== null) throw new Error(`it ended: ${output()}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

t.test('serve brings an empty database up to date, answers, and ends in order on SIGTERM', async (t) => {
  const { url, drop } = await cloneDatabase({ empty: true })
  t.teardown(drop)
  const serving = serve(t, { DATABASE_URL: url, PORT: '0' })
  const address = await addressOf(serving)
  t.match(await (await fetch(`${address}/readyz`)).json(), { ready: true })
  t.equal((await fetch(`${address}/v1/users`)).status, 401)
  serving.process.kill('SIGTERM')
  t.equal(await serving.exit, 0, serving.output())
  t.match(serving.output(), /brought the schema up to date/)
  t.notMatch(serving.output(), /"level":50/)
})

t.test('serve that cannot listen says so in one line and ends', async (t) => {
  const { url, drop } = await cloneDatabase()
  t.teardown(drop)
  const other = createServer().listen(0, '127.0.0.1')
  t.teardown(() => other.close())
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const serving = serve(t, { DATABASE_URL: url, PORT: String(port), LOG_LEVEL: 'error' })
  t.equal(await serving.exit, 1)
  t.equal(
    serving.output(),
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
      const serving = serve(t, { DATABASE_URL: url, MODEL_FILE: join(folder, model) })
      t.equal(await serving.exit, 1, model)
      t.match(serving.output(), told)
    }
  },
)
