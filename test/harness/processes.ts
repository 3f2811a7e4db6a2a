import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Test } from 'tap'

const MAIN = join(import.meta.dirname, '../../src/main.ts')

/** The service as a process of its own. */
export type Serving = {
  process: ChildProcess
  /** All that it has written. */
  output(): string
  exit: Promise<number | null>
  /** Where it listens, once it does. @throws Error with its output when it ends instead */
  address(): Promise<string>
}

/** Starts `gatehouse serve`, on any free port unless `env` says which; it is killed when the test ends. */
export function serving(t: Test, env: Record<string, string>, args: readonly string[] = []): Serving {
  return started(t, env, [MAIN, 'serve', ...args])
}

/** Starts another program that prints where it listens. */
export function started(t: Test, env: Record<string, string>, command: readonly string[]): Serving {
  const child = spawn(process.execPath, ['--import=tsx', ...command], {
    env: { PATH: process.env.PATH ?? '', PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk))
  t.teardown(() => child.kill('SIGKILL'))
  const exit = once(child, 'exit').then(([code]) => code as number | null)
  const address = async () => {
    for (;;) {
      const [found] = /http:\/\/127\.0\.0\.1:\d+/.exec(output) ?? []
      if (found !== undefined) return found
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`it ended: ${output}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  return { process: child, output: () => output, exit, address }
}

/** The processes of the workers so far, by the workers' numbers, from what they log. */
export function workersOf({ output }: Serving): Map<number, number> {
  const found = new Map<number, number>()
  for (const [, pid, worker] of output().matchAll(/"pid":(\d+),"hostname":"[^"]*","worker":(\d+)/g)) {
    found.set(Number(worker), Number(pid))
  }
  return found
}
