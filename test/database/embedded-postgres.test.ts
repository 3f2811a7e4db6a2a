import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import t, { type Test } from 'tap'
import { isRunning } from '../../src/database/embedded-cluster.ts'
import { joinLease } from '../../src/database/embedded-lease.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/database/embedded-postgres.ts'

const PROGRAM = join(import.meta.dirname, 'embedded-process.ts')
const isRoot = process.getuid?.() === 0

/** A folder of the test's own, whose name makes trouble; gone with the test, once no server holds it. */
async function folderOf(t: Test, name = `it's "data" of $HOME`): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), 'gatehouse-embedded-'))
  const folder = join(parent, name)
  await mkdir(folder, { recursive: true })
  t.teardown(async () => {
    await ended(folder)
    await rm(parent, { recursive: true, force: true })
  })
  return folder
}

const lockFile = (folder: string) => join(folder, 'postgres/data/postmaster.pid')

async function serverPid(folder: string): Promise<number | undefined> {
  const text = await readFile(lockFile(folder), 'utf8').catch(() => '')
  return text === '' ? undefined : Number.parseInt(text, 10)
}

/** Resolves once no server runs in the folder. */
async function ended(folder: string): Promise<void> {
  for (;;) {
    const pid = await serverPid(folder)
    if (pid === undefined || !isRunning(pid)) return
    await sleep(20)
  }
}

async function asked<Row>({ connection }: Pick<EmbeddedPostgres, 'connection'>, sql: string): Promise<Row[]> {
  const client = new pg.Client(connection)
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

type Said = { joined?: boolean; acknowledged?: number; stopped?: boolean } & EmbeddedPostgres['connection']

/** Another process on the same folder; whatever it says can be awaited line by line. */
function another(t: Test, folder: string, task = '', user: { uid?: number; gid?: number } = {}) {
  const child = spawn(process.execPath, ['--import=tsx', PROGRAM, folder, task], {
    ...user,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  let errors = ''
  child.stderr.on('data', (chunk) => {
    errors += chunk
  })
  return {
    child,
    async line(): Promise<Said> {
      const { value, done } = await lines.next()
      if (done) throw new Error(`the process ended: ${errors}`)
      return JSON.parse(value) as Said
    },
  }
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

t.test('the server is a real one, reached by its socket alone, and ends with its only user', async (t) => {
  const folder = await folderOf(t)
  process.env.SMTP_PASSWORD = 'canary'
  const server = await startEmbeddedPostgres({ dataDir: folder })
  t.equal(server.joined, false)
  t.match(await asked(server, 'SELECT version() AS v, current_user AS u, current_database() AS d'), [
    { v: /^PostgreSQL 18/, u: 'gatehouse', d: 'gatehouse' },
  ])
  t.match(
    await asked(server, `SELECT setting FROM pg_settings WHERE name IN ('listen_addresses', 'fsync') ORDER BY 1`),
    [{ setting: '' }, { setting: 'on' }],
  )
  t.equal((await stat(join(folder, 'postgres'))).mode & 0o777, 0o700)
  const pid = (await serverPid(folder)) as number
  if (isRoot) t.not((await stat(join(folder, 'postgres/data'))).uid, 0)
  if (process.platform === 'linux') {
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8')
    t.notMatch(environment, /canary/, 'nothing of our environment')
  }
  await server.stop()
  t.notOk(isRunning(pid))
  t.same(await readdir(join(folder, 'postgres')), ['data', 'lease', 'server.log'])
})

t.test('what was written is there after the next start', async (t) => {
  const folder = await folderOf(t)
  const first = await startEmbeddedPostgres({ dataDir: folder })
  await asked(first, 'CREATE TABLE kept AS SELECT 1 AS n')
  await first.stop()
  const second = await startEmbeddedPostgres({ dataDir: folder })
  t.same(await asked(second, 'SELECT n FROM kept'), [{ n: 1 }])
  await second.stop()
})

t.test('a path longer than a socket may have works all the same', { skip: process.platform !== 'linux' }, async (t) => {
  const folder = await folderOf(t, 'ä'.repeat(60))
  const server = await startEmbeddedPostgres({ dataDir: folder, durable: false })
  t.same(await asked(server, 'SELECT 1 AS n'), [{ n: 1 }])
  await server.stop()
  t.equal(await serverPid(folder), undefined)
})

t.test('data below a folder that only root may enter works', { skip: !isRoot }, async (t) => {
  const folder = await folderOf(t, 'closed/data')
  await chmod(join(folder, '..'), 0o700)
  const server = await startEmbeddedPostgres({ dataDir: folder, durable: false })
  t.same(await asked(server, 'SELECT 1 AS n'), [{ n: 1 }])
  await server.stop()
})

t.test('a second process joins, and keeps the server when the first is killed', async (t) => {
  const folder = await folderOf(t)
  const first = another(t, folder)
  t.equal((await first.line()).joined, false)
  const second = another(t, folder)
  const connection = await second.line()
  t.equal(connection.joined, true)
  const pid = (await serverPid(folder)) as number
  await killed(first.child)
  t.same(await asked({ connection }, 'SELECT 1 AS n'), [{ n: 1 }])
  t.ok(isRunning(pid))
  await killed(second.child)
  await ended(folder)
  t.pass('the server ended with the last of them')
})

t.test('processes that start at once share one server', async (t) => {
  const folder = await folderOf(t)
  const many = [1, 2, 3].map(() => another(t, folder))
  const said = await Promise.all(many.map(({ line }) => line()))
  t.equal(said.filter(({ joined }) => !joined).length, 1)
  for (const connection of said) t.same(await asked({ connection }, 'SELECT 1 AS n'), [{ n: 1 }])
  for (const { child } of many) child.stdin.end()
  for (const { line } of many) t.match(await line(), { stopped: true })
  await ended(folder)
  t.same(await readdir(join(folder, 'postgres')), ['data', 'lease', 'server.log'])
})

t.test('kill -9 in the middle of writing loses nothing that was acknowledged and keeps nothing else', async (t) => {
  const folder = await folderOf(t)
  const writer = another(t, folder, 'write')
  await writer.line()
  let acknowledged = 0
  while (acknowledged < 20) acknowledged = (await writer.line()).acknowledged ?? 0
  await killed(writer.child)
  const server = await startEmbeddedPostgres({ dataDir: folder })
  const [{ kept, foreign }] = (await asked(
    server,
    'SELECT count(*) FILTER (WHERE n > 0)::int AS kept, count(*) FILTER (WHERE n < 0)::int AS foreign FROM kept',
  )) as [{ kept: number; foreign: number }]
  t.ok(kept >= acknowledged, `${kept} rows for ${acknowledged} acknowledged`)
  t.equal(foreign, 0, 'the open transaction left nothing')
  await server.stop()
})

t.test('the server killed along with its user recovers', async (t) => {
  const folder = await folderOf(t)
  const writer = another(t, folder, 'write')
  await writer.line()
  let acknowledged = 0
  while (acknowledged < 20) acknowledged = (await writer.line()).acknowledged ?? 0
  process.kill((await serverPid(folder)) as number, 'SIGKILL')
  await killed(writer.child)
  const server = await startEmbeddedPostgres({ dataDir: folder })
  const rows = await asked<{ n: number }>(server, 'SELECT n FROM kept ORDER BY n')
  t.same(
    rows.slice(0, acknowledged).map(({ n }) => n),
    Array.from({ length: acknowledged }, (_, n) => n + 1),
  )
  await server.stop()
})

t.test('a lease that outlives its server does not keep the next from starting', async (t) => {
  const folder = await folderOf(t)
  const first = another(t, folder)
  await first.line()
  // Whoever else uses the server, or starts in the moment in which it ends.
  const share = joinLease(join(folder, 'postgres/lease'))
  t.ok(share, 'there is a lease to share')
  process.kill((await serverPid(folder)) as number, 'SIGKILL')
  await killed(first.child)
  const server = await startEmbeddedPostgres({ dataDir: folder, durable: false })
  t.same(await asked(server, 'SELECT 1 AS n'), [{ n: 1 }])
  share?.release()
  await server.stop()
})

t.test('a process id that now belongs to another program does not keep the server from starting', async (t) => {
  const folder = await folderOf(t)
  await (await startEmbeddedPostgres({ dataDir: folder, durable: false })).stop()
  await writeFile(lockFile(folder), `${process.pid}\n/proc/self/cwd\n1\n5432\n.\n*\n  1  1\n`)
  const server = await startEmbeddedPostgres({ dataDir: folder, durable: false })
  t.same(await asked(server, 'SELECT 1 AS n'), [{ n: 1 }])
  await server.stop()
})

t.test('a start that is killed half-way, at whatever moment, leaves nothing that troubles the next', async (t) => {
  const folder = await folderOf(t)
  const postgres = join(folder, 'postgres')
  const moments: [string, () => Promise<boolean>][] = [
    ['while the cluster is made', async () => (await names(postgres)).some((name) => name.startsWith('data.new-'))],
    ['once the cluster is there', async () => (await names(postgres)).includes('data')],
    ['once the server has its lock', async () => (await serverPid(folder)) !== undefined],
  ]
  for (const [moment, reached] of moments) {
    const { child } = another(t, folder)
    while (!(await reached())) await sleep(1)
    await killed(child)
    t.pass(`killed ${moment}`)
  }
  const server = await startEmbeddedPostgres({ dataDir: folder })
  t.same(await asked(server, 'SELECT 1 AS n'), [{ n: 1 }])
  await server.stop()
  await ended(folder)
  t.same(await readdir(postgres), ['data', 'lease', 'server.log'])
})

const names = (folder: string): Promise<string[]> => readdir(folder).catch(() => [])

t.test('an unprivileged user has a server of its own', { skip: !isRoot || !isOpen(PROGRAM) }, async (t) => {
  const folder = await folderOf(t)
  await chmod(join(folder, '..'), 0o755)
  await chown(folder, 65534, 65534)
  const process = another(t, folder, '', { uid: 65534, gid: 65534 })
  const connection = await process.line()
  t.equal((await lstat(join(folder, 'postgres/data'))).uid, 65534)
  t.same(await asked({ connection }, 'SELECT 1 AS n'), [{ n: 1 }])
  process.child.stdin.end()
  t.match(await process.line(), { stopped: true })

  const server = await startEmbeddedPostgres({ dataDir: folder, durable: false })
  t.same(await asked(server, 'SELECT 1 AS n'), [{ n: 1 }], 'root takes over as the owner of the data')
  await server.stop()
})

/** Whether another account can read a file of ours: no folder above it is closed. */
function isOpen(file: string): boolean {
  try {
    execFileSync(process.execPath, ['-e', 'require("fs").readFileSync(process.argv[1])', file], {
      uid: 65534,
      gid: 65534,
      cwd: '/',
      stdio: 'ignore',
    })
    return true
  } catch {
    return false
  }
}

t.test('data of another version, of another user, or of nobody we know is refused with a reason', async (t) => {
  const folder = await folderOf(t)
  await (await startEmbeddedPostgres({ dataDir: folder, durable: false })).stop()
  const data = join(folder, 'postgres/data')
  const version = await readFile(join(data, 'PG_VERSION'))
  await writeFile(join(data, 'PG_VERSION'), '17\n')
  await t.rejects(startEmbeddedPostgres({ dataDir: folder, durable: false }), {
    name: 'EmbeddedPostgresError',
    message: /made by PostgreSQL 17, the embedded one is postgres \(PostgreSQL\) 18/,
  })
  await writeFile(join(data, 'PG_VERSION'), version)
  await writeFile(join(data, 'postgresql.conf'), 'shared_buffers = nonsense')
  await t.rejects(startEmbeddedPostgres({ dataDir: folder, durable: false }), {
    name: 'EmbeddedPostgresError',
    message: /did not start: it ended with 1\n(.|\n)*shared_buffers/,
  })
  if (isRoot) {
    await chown(data, 0, 0)
    await t.rejects(startEmbeddedPostgres({ dataDir: folder, durable: false }), { message: /belongs to root/ })
  }
})

t.test('a folder that cannot be made is named', async (t) => {
  const folder = await folderOf(t)
  await writeFile(join(folder, 'file'), '')
  await t.rejects(startEmbeddedPostgres({ dataDir: join(folder, 'file/data') }), {
    name: 'EmbeddedPostgresError',
    message: /cannot make the folder .*file\/data\/postgres/,
  })
})
