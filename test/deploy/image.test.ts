import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { cloneDatabase } from '../harness/database.ts'
import { connected } from '../harness/server.ts'
import { imageStage, instructionOf } from './dockerfile.ts'
import { type BuiltImage, buildImage, RUNNER } from './image-build.ts'

type Running = { process: ChildProcess; output: () => string; exit: Promise<number | null> }

const project = join(import.meta.dirname, '..', '..')

/** Starts a program in the image, as its user, with nothing but the image's environment and `env`. */
function start(t: Test, image: BuiltImage, command: string[], env: Record<string, string>): Running {
  // In a read-only root there is no temporary folder, either.
  const all = { PATH: process.env.PATH ?? '', HOME: image.root, TMPDIR: image.root, ...image.env, ...env }
  // `env -i`, because the test runner puts something of its own into the environment of every process.
  const args = ['-i', ...Object.entries(all).map(([name, value]) => `${name}=${value}`), ...command]
  const child = spawn('env', args, { ...RUNNER, cwd: image.folder, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk))
  t.teardown(() => child.kill('SIGKILL'))
  return { process: child, output: () => output, exit: once(child, 'close').then(([code]) => code) }
}

/** Waits until the output has it; fails when the process ends before. */
async function said({ process: child, output }: Running, pattern: RegExp): Promise<string> {
  for (;;) {
    const [found] = pattern.exec(output()) ?? []
    if (found !== undefined) return found
    if (child.exitCode !== null) throw new Error(`it ended: ${output()}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** An empty database by a TCP address: the socket of the embedded server is in a folder that its owner alone may enter. */
async function databaseByTcp(t: Test): Promise<{ near: string; url: string }> {
  const { url: near, drop } = await cloneDatabase({ empty: true })
  t.teardown(drop)
  const { user, name, host, port } =
    /^postgres:\/\/(?<user>[^@]*)@\/(?<name>[^?]+)\?host=(?<host>[^&]+)&port=(?<port>\d+)$/.exec(near)?.groups ?? {}
  if (host === undefined) return { near, url: near }
  const open = new Set<Socket>()
  const relay = createServer((socket) => {
    const server = connect(join(decodeURIComponent(host), `.s.PGSQL.${port}`))
    for (const [from, to] of [
      [socket, server],
      [server, socket],
    ] as const) {
      open.add(from)
      from.on('error', () => to.destroy()).pipe(to)
    }
  }).listen(0, '127.0.0.1')
  t.teardown(() => {
    for (const socket of open) socket.destroy()
    relay.close()
  })
  await once(relay, 'listening')
  return { near, url: `postgres://${user}@127.0.0.1:${(relay.address() as AddressInfo).port}/${name}` }
}

async function untilSomebodyWaits(url: string): Promise<void> {
  await connected(url, async (client) => {
    for (;;) {
      const { rowCount } = await client.query(
        `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
      )
      if (rowCount) return
    }
  })
}

t.test('the image runs as an ordinary user, who may write nothing but DATA_DIR', async (t) => {
  const image = buildImage(t)
  t.match(instructionOf(imageStage(), 'USER'), /^[1-9]\d*:[1-9]\d*$/)
  t.equal(image.env.DATA_DIR, join(image.root, instructionOf(imageStage(), 'VOLUME')))
  for (const path of [image.root, image.folder, join(image.folder, 'dist'), join(image.folder, 'policies')]) {
    t.not(await start(t, image, ['touch', join(path, 'new')], {}).exit, 0, path)
  }
  t.not(await start(t, image, ['sh', '-c', 'echo >> model.conf'], {}).exit, 0)
  t.equal(await start(t, image, ['touch', join(image.env.DATA_DIR ?? '', 'new')], {}).exit, 0)

  const { near, url } = await databaseByTcp(t)
  // Any free port: several tests run at once.
  const env = { DATABASE_URL: url, HOST: '127.0.0.1', PORT: '0' }
  const gatehouse = (args: string[], more = {}) => start(t, image, [...image.entrypoint, ...args], { ...env, ...more })
  const serving = gatehouse(image.command)
  const address = await said(serving, /http:\/\/127\.0\.0\.1:\d+/)

  await t.test('it becomes ready, answers, and its health check says so', async (t) => {
    t.match(await (await fetch(`${address}/readyz`)).json(), { ready: true })
    t.equal((await fetch(`${address}/v1/users`)).status, 401)
    t.match(await (await fetch(`${address}/v1/me/profile`)).json(), { status: 401 })
    const healthy = (port: string) => start(t, image, image.healthcheck, { ...env, PORT: port }).exit
    t.equal(await healthy(new URL(address).port), 0)
    t.equal(await healthy('1'), 1)
  })

  await t.test('commands run beside it, the one of the CronJob among them', async (t) => {
    const manifest = readFileSync(join(project, 'deploy', 'kubernetes', 'cronjob.yaml'), 'utf8')
    const [{ args }] = parse(manifest).spec.jobTemplate.spec.template.spec.containers
    const { DATA_DIR: _none, ...withoutVolume } = image.env
    const run = start(t, { ...image, env: withoutVolume }, [...image.entrypoint, ...args], env)
    t.equal(await run.exit, 0, run.output())
    t.match(JSON.parse(run.output()), { run: { state: 'done', deactivated: 0 } })
    const tested = gatehouse(['policy', 'test'])
    t.equal(await tested.exit, 0, tested.output())
  })

  await t.test('on SIGTERM it finishes the request in flight, then ends with 0', async (t) => {
    const made = gatehouse(['service-key', 'create', 'image', '--scopes', 'admin', '--json'])
    t.equal(await made.exit, 0, made.output())
    const { key } = JSON.parse(made.output())
    const creation = await connected(near, async (client) => {
      await client.query('BEGIN; LOCK TABLE groups IN ACCESS EXCLUSIVE MODE')
      const waiting = fetch(`${address}/v1/groups`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ name: 'made while it ended' }),
      })
      await untilSomebodyWaits(near)
      serving.process.kill('SIGTERM')
      await said(serving, /finishing the requests in flight/)
      await client.query('COMMIT')
      return waiting
    })
    t.equal(creation.status, 201)
    t.match(await creation.json(), { name: 'made while it ended' })
    t.equal(await serving.exit, 0, serving.output())
    t.notMatch(serving.output(), /"level":[56]0/)
  })

  await t.test('without DATABASE_URL it says what is missing', async (t) => {
    const embedded = gatehouse(image.command, { DATABASE_URL: '' })
    t.equal(await embedded.exit, 1)
    t.match(embedded.output(), /^gatehouse: .*DATABASE_URL/)
  })
})
