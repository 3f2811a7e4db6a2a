import { execFile } from 'node:child_process'
import { closeSync, constants, openSync } from 'node:fs'
import { promisify } from 'node:util'
import { EmbeddedPostgresError } from './embedded-binaries.ts'

const execute = promisify(execFile)

/**
 * The lease keeps an embedded server alive: a named pipe that every process using the server holds open for writing,
 * and that a watcher beside the server reads. When the last of them ends, however it ends, the kernel closes the
 * pipe, and the watcher stops the server. Nothing is ever written to it.
 */
export type Lease = { release(): void }

/** A share in the lease that a watcher reads now; undefined when none does, then no server is to be joined. */
export function joinLease(path: string): Lease | undefined {
  try {
    return leaseOf(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENXIO' || code === 'ENOENT') return undefined
    throw new EmbeddedPostgresError(`cannot open ${path}: ${(error as Error).message}`, { cause: error })
  }
}

/** Whether a watcher reads the lease, so that a server runs or starts. */
export function isLeased(path: string): boolean {
  const lease = joinLease(path)
  lease?.release()
  return lease !== undefined
}

/** A new lease: a share in it, and the descriptor that the watcher has to read; the caller closes the latter. */
export async function newLease(path: string): Promise<{ lease: Lease; watched: number }> {
  await execute('mkfifo', ['-m', '600', path]).catch(() => undefined)
  // Opening one end of a pipe alone waits for the other; opening both at once does not.
  const both = openSync(path, constants.O_RDWR)
  const lease = leaseOf(openSync(path, constants.O_WRONLY))
  const watched = openSync(path, constants.O_RDONLY)
  closeSync(both)
  return { lease, watched }
}

function leaseOf(descriptor: number): Lease {
  let held = true
  return {
    release() {
      if (held) closeSync(descriptor)
      held = false
    },
  }
}

/**
 * Shell program for the server: its arguments are the server's command line, descriptor 3 the lease. It becomes the
 * server (so the process id is the server's) after it has put the watcher beside it, whose parent is not the server.
 * The watcher leaves the lease first, so that nobody joins a server that is about to stop.
 */
export const LEASED_SERVER = `
  ( (
    trap '' HUP INT TERM
    while read -r nothing <&3; do :; done
    exec 3<&-
    pid=$$
    [ -r postmaster.pid ] && read -r pid <postmaster.pid
    [ "$pid" = "$$" ] && kill -INT "$$"
  ) & )
  exec 3<&-
  exec "$@"
`
