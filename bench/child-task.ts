import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** What must not disturb, or be disturbed by, the rest of a run is measured in a process of its own, started here. */
export function inChild<Task extends object, Result extends object>(
  script: string,
  task: Task,
  nodeOptions: string[] = [],
): Promise<Result> {
  const child = fork(fileURLToPath(new URL(script, import.meta.url)), {
    execArgv: ['--import=tsx', ...nodeOptions],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const end = () => child.kill()
  process.once('exit', end)
  return new Promise((resolve, reject) => {
    child.once('message', (answer: { result: Result } | { failed: string }) => {
      process.off('exit', end)
      child.kill()
      if ('failed' in answer) reject(new Error(answer.failed))
      else resolve(answer.result)
    })
    child.once('exit', () => reject(new Error(`the process of ${script} ended without a result`)))
    child.send(task)
  })
}

/** The other side of {@link inChild}: performs the one task that comes. */
export function answerTask<Task, Result>(perform: (task: Task) => Promise<Result>): void {
  process.once('message', async (task: Task) => {
    try {
      process.send?.({ result: await perform(task) })
    } catch (cause) {
      process.send?.({ failed: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause) })
    }
  })
}
