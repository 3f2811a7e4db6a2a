import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { EmbeddedPostgresError, SERVER_ENVIRONMENT, type ServerUser } from './embedded-binaries.ts'

/** The superuser of the embedded cluster, and the database in it that is ours. */
export const EMBEDDED_NAME = 'gatehouse'

const execute = promisify(execFile)

/**
 * The folder of the cluster as its own process names it: it is started inside, so that nothing above has to be open
 * to the account it runs as (a closed home folder).
 */
export function ownFolder(cluster: string): string {
  return existsSync('/proc/self/cwd') ? '/proc/self/cwd' : cluster
}

/**
 * The account for the server of a cluster: PostgreSQL refuses to run as root, so root lends it the owner of the
 * cluster that is there, or `nobody`. No account of the system is made or changed.
 */
export async function serverUser(cluster: string): Promise<ServerUser> {
  const own = process.getuid?.()
  const found = await stat(cluster).catch(() => undefined)
  if (own !== 0) {
    if (found && found.uid !== own) {
      throw new EmbeddedPostgresError(
        `${cluster} belongs to another user (uid ${found.uid}): start as that user or root`,
      )
    }
    return undefined
  }
  if (found?.uid === 0) throw new EmbeddedPostgresError(`${cluster} belongs to root, as whom PostgreSQL cannot run`)
  if (found) return { uid: found.uid, gid: found.gid }
  const accounts = await readFile('/etc/passwd', 'utf8').catch(() => '')
  const [, uid = '65534', gid = '65534'] = /^nobody:[^:]*:(\d+):(\d+):/m.exec(accounts) ?? []
  return { uid: Number(uid), gid: Number(gid) }
}

/**
 * Makes the cluster unless it is there. It appears whole or not at all, also when the machine dies meanwhile or two
 * processes try at once. Throws {@link EmbeddedPostgresError} when one of another major version is there.
 */
export async function makeCluster(bin: string, cluster: string, user: ServerUser, durable: boolean): Promise<void> {
  const version = await readFile(join(cluster, 'PG_VERSION'), 'utf8').catch(() => undefined)
  if (version !== undefined) return checkVersion(bin, cluster, version.trim())
  const fresh = await mkdtemp(`${cluster}.new-${process.pid}-`)
  try {
    await removeRemains(cluster)
    await chmod(fresh, 0o700)
    if (user) await chown(fresh, user.uid, user.gid)
    await execute(join(bin, 'initdb'), initdbArguments(fresh, durable), {
      ...user,
      cwd: fresh,
      env: SERVER_ENVIRONMENT,
    })
    await rename(fresh, cluster)
  } catch (cause) {
    await rm(fresh, { recursive: true, force: true })
    if (existsSync(join(cluster, 'PG_VERSION'))) return
    const { stderr, message } = cause as Error & { stderr?: string }
    throw new EmbeddedPostgresError(`cannot make the embedded database: ${(stderr || message).trim()}`, { cause })
  }
}

function initdbArguments(folder: string, durable: boolean): string[] {
  return [
    `--pgdata=${ownFolder(folder)}`,
    `--username=${EMBEDDED_NAME}`,
    '--auth=trust',
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--no-instructions',
    ...(durable ? [] : ['--no-sync']),
  ]
}

async function checkVersion(bin: string, cluster: string, version: string): Promise<void> {
  const { stdout } = await execute(join(bin, 'postgres'), ['--version'], { cwd: '/', env: SERVER_ENVIRONMENT })
  if (stdout.includes(` ${version}.`)) return
  const message = `${cluster} was made by PostgreSQL ${version}, the embedded one is ${stdout.trim()}`
  throw new EmbeddedPostgresError(`${message}: dump it with the old version and restore it with this one`)
}

/** What starts that were killed half-way left beside the cluster; those of processes that live are theirs. */
async function removeRemains(cluster: string): Promise<void> {
  const parent = join(cluster, '..')
  for (const name of await readdir(parent)) {
    const [, pid] = /\.new-(\d+)-\w+$/.exec(name) ?? []
    if (pid !== undefined && !isRunning(Number(pid))) await rm(join(parent, name), { recursive: true, force: true })
  }
}

/**
 * The process id of the server that runs on the cluster; undefined when none does. A lock file whose process id
 * meanwhile belongs to another program (usual after a container is started anew) is taken away.
 */
export async function runningServer(cluster: string): Promise<number | undefined> {
  const lockFile = join(cluster, 'postmaster.pid')
  const text = await readFile(lockFile, 'utf8').catch(() => '')
  const pid = Number.parseInt(text, 10)
  if (!(pid > 0) || !isRunning(pid)) return undefined
  const program = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => 'postgres')
  if (program.trim() === 'postgres') return pid
  await rm(lockFile, { force: true })
  return undefined
}

/** Whether a process with this id lives, whoever owns it. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** The folder for the cluster and what belongs to it, closed to others. */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new EmbeddedPostgresError(`cannot make the folder ${folder}: ${(cause as Error).message}`, { cause })
  }
}
