import { type ChildProcess, spawn } from 'node:child_process'
import { createServer } from 'node:net'

/** What `inside-service.mjs` does when asked, where the server was started with it. */
export type Order = { kind: 'memory' } | { kind: 'profile' } | { kind: 'profiled'; path: string }

/** A server started for the benchmark, in a process of its own, listening on loopback. */
export type ServerProcess = {
  pid: number
  port: number
  readySeconds: number
  /** Asks `inside-service.mjs`; one order at a time. Rejects when the server ends before it answers. */
  ask<Answer>(order: Order): Promise<Answer>
  stop(): Promise<void>
}

/** What the Dockerfile sets for speed, for every server alike, the peers among them. */
const AS_IN_THE_IMAGE = { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' }

/**
 * Starts a command and waits until `readyPath` answers 200; `readySeconds` counts from the start of the process.
 *
 * @throws when the process ends before it is ready, or `patience` seconds pass; with the end of what it printed
 */
export async function startServer(options: {
  command: string
  args: string[]
  port: number
  readyPath: string
  env?: Record<string, string>
  patience?: number
}): Promise<ServerProcess> {
  const begun = performance.now()
  const child = spawn(options.command, options.args, {
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...AS_IN_THE_IMAGE, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      printed = (printed + chunk).slice(-4000)
    })
  }
  const until = begun + (options.patience ?? 60) * 1000
  while (!(await answers(`http://127.0.0.1:${options.port}${options.readyPath}`))) {
    if (child.exitCode !== null || child.signalCode !== null || performance.now() > until) {
      child.kill('SIGKILL')
      throw new Error(`${options.command} ${options.args.join(' ')} did not become ready\n${printed}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  const { pid } = child
  if (pid === undefined) throw new Error(`${options.command} did not start`)
  return {
    pid,
    port: options.port,
    readySeconds: (performance.now() - begun) / 1000,
    ask: (order) => ask(child, order),
    stop: () => stop(child),
  }
}

/** A port that nobody listens on just now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      )
    })
  })
}

async function answers(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url)
    await answer.arrayBuffer()
    return answer.status === 200
  } catch {
    return false
  }
}

function ask<Answer>(child: ChildProcess, order: Order): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const ended = () => reject(new Error(`the server ended before it answered to ${order.kind}`))
    child.once('exit', ended)
    child.once('message', (answer: Answer) => {
      child.off('exit', ended)
      resolve(answer)
    })
    child.send(order)
  })
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const impatience = setTimeout(() => child.kill('SIGKILL'), 15_000)
  child.kill('SIGTERM')
  await ended
  clearTimeout(impatience)
}
