import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { EmbeddedPostgresError, embeddedBinaries, SERVER_ENVIRONMENT } from './embedded-binaries.ts'
import {
  EMBEDDED_NAME,
  isRunning,
  makeCluster,
  makeFolder,
  ownFolder,
  runningServer,
  serverUser,
} from './embedded-cluster.ts'
import { isLeased, joinLease, LEASED_SERVER, type Lease, newLease } from './embedded-lease.ts'

/** How to reach the embedded server; the host is the folder of its Unix socket. */
export type EmbeddedConnection = { host: string; port: number; user: string; database: string }

export type EmbeddedPostgres = {
  connection: EmbeddedConnection
  /** True when another process had started the server. */
  joined: boolean
  /**
   * Gives up this process's share in the server. When no process is left that uses it, the server stops, and this
   * resolves once it has. Connections must be closed before.
   */
  stop(): Promise<void>
}

export type EmbeddedOptions = {
  dataDir: string
  /** False trades the safety of the data against speed, for tests. */
  durable?: boolean
}

const PORT = 5432
const POLL_MS = 20
const PATIENCE_MS = 60_000
const DOUBT_MS = 1000
/** A server that starts has its lock sooner; where nothing runs for so long, the lease has outlived its server. */
const SERVERLESS_MS = 2000
/** A path to a Unix socket holds no more bytes than this on any system we know. */
const SOCKET_PATH_BYTES = 100
/** The server's log starts anew when it is longer than this. */
const LOG_BYTES = 1_000_000

/**
 * A real PostgreSQL with its data in `dataDir`, reached by a Unix socket in the same place, and by nothing else. The
 * first process starts it, others join it; it stops when the last of them ends, be it by `kill -9`.
 * Throws {@link EmbeddedPostgresError}.
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const folder = join(options.dataDir, 'postgres')
  await makeFolder(folder)
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    const lease = await joinRunning(folder)
    if (lease) return serverOf(folder, lease, true)
    const pid = await runningServer(join(folder, 'data'))
    if (pid === undefined) {
      const own = await start(folder, options.durable ?? true)
      if (own) return serverOf(folder, own.lease, own.joined)
    }
    if (Date.now() > deadline) {
      throw new EmbeddedPostgresError(`another PostgreSQL (process ${pid}) holds ${folder}/data: stop it first`)
    }
    await sleep(POLL_MS)
  }
}

/** Undefined when there is no server that will stay. */
async function joinRunning(folder: string): Promise<Lease | undefined> {
  const leaseFile = join(folder, 'lease')
  const lease = joinLease(leaseFile)
  if (!lease) return undefined
  const cluster = join(folder, 'data')
  let seenAt = Date.now()
  // WHY more than the lease: by our own share in it we may be what keeps the watcher of a killed server waiting.
  const hope = async () => {
    if ((await runningServer(cluster)) !== undefined) seenAt = Date.now()
    return isLeased(leaseFile) && Date.now() - seenAt < SERVERLESS_MS
  }
  try {
    if (await answers(cluster, hope)) return lease
  } catch (error) {
    lease.release()
    throw error
  }
  lease.release()
  return undefined
}

/**
 * Undefined when another server holds the cluster, be it for a moment only. Of two that start at once, the slower one
 * may find the other's server answering before its own has given up; the lease is the same.
 */
async function start(folder: string, durable: boolean): Promise<{ lease: Lease; joined: boolean } | undefined> {
  const cluster = join(folder, 'data')
  const user = await serverUser(cluster)
  const bin = await embeddedBinaries(user)
  await makeCluster(bin, cluster, user, durable)
  const { lease, watched } = await newLease(join(folder, 'lease'))
  const log = openLog(join(folder, 'server.log'))
  const command = [join(bin, 'postgres'), '-D', ownFolder(cluster), ...settings(durable)]
  const server = spawn('/bin/sh', ['-c', LEASED_SERVER, 'sh', ...command], {
    ...user,
    cwd: cluster,
    env: SERVER_ENVIRONMENT,
    stdio: ['ignore', log.descriptor, log.descriptor, watched],
    // A session of its own: Ctrl-C in a terminal is for us, who stop the server when we are done with it.
    detached: true,
  })
  const end = endOf(server)
  closeSync(watched)
  closeSync(log.descriptor)
  try {
    if (await answers(cluster, () => end.fault === undefined)) {
      return { lease, joined: (await runningServer(cluster)) !== server.pid }
    }
  } catch (error) {
    lease.release()
    throw error
  }
  lease.release()
  const words = log.added()
  if (/postmaster\.pid|pre-existing shared memory/.test(words)) return undefined
  throw new EmbeddedPostgresError(`the embedded PostgreSQL did not start: ${end.fault}\n${words}`)
}

function openLog(path: string): { descriptor: number; added(): string } {
  const before = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  const kept = before < LOG_BYTES ? before : 0
  const descriptor = openSync(path, kept === before ? 'a' : 'w', 0o600)
  return { descriptor, added: () => readFileSync(path, 'utf8').slice(kept).trim().slice(-2000) }
}

function serverOf(folder: string, lease: Lease, joined: boolean): EmbeddedPostgres {
  const cluster = join(folder, 'data')
  const socket = socketFolder(cluster)
  const connection = connectionTo(socket.path)
  return {
    connection,
    joined,
    async stop() {
      const used = await hasOtherClients(connection)
      const pid = await runningServer(cluster)
      lease.release()
      socket.close()
      if (!used) await ending(folder, pid)
    },
  }
}

/** Waits for the server to stop, unless it turns out that somebody else holds a share in it. */
async function ending(folder: string, pid: number | undefined): Promise<void> {
  const doubtful = Date.now() + DOUBT_MS
  while (isLeased(join(folder, 'lease'))) {
    if (Date.now() > doubtful) return
    await sleep(POLL_MS)
  }
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    const running = await runningServer(join(folder, 'data'))
    if (running === undefined) break
    if (Date.now() > deadline) process.kill(running, 'SIGQUIT')
    await sleep(POLL_MS)
  }
  // It gives up its lock a moment before it ends; where nobody collects ended processes, it never does altogether.
  const ended = Date.now() + DOUBT_MS
  while (pid !== undefined && isRunning(pid) && Date.now() < ended) await sleep(POLL_MS)
}

/** Watches a server process without keeping ours alive; takes its watcher along when it ends. */
function endOf(server: ChildProcess): { fault?: string } {
  const end: { fault?: string } = {}
  server.unref()
  server.once('error', (error) => {
    end.fault = error.message
  })
  server.once('exit', (code, signal) => {
    end.fault = `it ended with ${signal ?? code}`
    try {
      process.kill(-(server.pid as number), 'SIGKILL')
    } catch {
      // Nothing of its group is left.
    }
  })
  return end
}

function settings(durable: boolean): string[] {
  const values = {
    listen_addresses: '',
    port: PORT,
    unix_socket_directories: '.',
    unix_socket_permissions: '0700',
    max_connections: 200,
    // Containers give 64 MB of shared memory, too little for parallel queries; nothing here needs those.
    max_parallel_workers_per_gather: 0,
    jit: 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
  }
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

/** Waits until the server takes connections; false once `hope` is gone. */
async function answers(cluster: string, hope: () => boolean | Promise<boolean>): Promise<boolean> {
  while (await hope()) {
    const socket = socketFolder(cluster)
    try {
      const client = new pg.Client({ ...connectionTo(socket.path), database: 'postgres' })
      // A connection that breaks while it is made reports it twice, the second time as an event.
      client.on('error', () => undefined)
      await client.connect()
      await makeDatabase(client).finally(() => client.end())
      if (await hope()) return true
    } catch (error) {
      if (!isPassing(error)) throw error
    } finally {
      socket.close()
    }
    await sleep(POLL_MS)
  }
  return false
}

function connectionTo(host: string): EmbeddedConnection {
  return { host, port: PORT, user: EMBEDDED_NAME, database: EMBEDDED_NAME }
}

/** The folder of the socket by a path short enough for one, if need be through an open descriptor of it. */
function socketFolder(cluster: string): { path: string; close(): void } {
  const bytes = Buffer.byteLength(join(cluster, `.s.PGSQL.${PORT}`))
  if (bytes <= SOCKET_PATH_BYTES) return { path: cluster, close: () => undefined }
  if (!existsSync('/proc/self/fd')) {
    throw new EmbeddedPostgresError(`${cluster} is too long a path for a Unix socket: choose a shorter DATA_DIR`)
  }
  const descriptor = openSync(cluster, 'r')
  return { path: `/proc/self/fd/${descriptor}`, close: () => closeSync(descriptor) }
}

async function makeDatabase(client: pg.Client): Promise<void> {
  const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [EMBEDDED_NAME])
  if (rowCount) return
  await client.query(`CREATE DATABASE ${EMBEDDED_NAME}`).catch((error: { code?: string }) => {
    // Two processes that join at once both find none: duplicate_database, or unique_violation in the very moment.
    if (error.code !== '42P04' && error.code !== '23505') throw error
  })
}

async function hasOtherClients(connection: EmbeddedConnection): Promise<boolean> {
  const client = new pg.Client(connection)
  client.on('error', () => undefined)
  try {
    await client.connect()
    const { rowCount } = await client.query(
      `SELECT FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() LIMIT 1`,
    )
    return rowCount !== 0
  } catch {
    return false
  } finally {
    await client.end().catch(() => undefined)
  }
}

/** Whether an attempt to connect failed for a reason that goes away while a server starts, recovers or stops. */
function isPassing(error: unknown): boolean {
  const { code, message } = error as Error & { code?: string }
  return (
    ['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE', '57P01', '57P02', '57P03'].includes(code ?? '') ||
    message.includes('Connection terminated')
  )
}
