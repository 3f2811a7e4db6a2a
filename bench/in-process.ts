import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Fault, Measure } from './measure.ts'

/** What one process measures: one size, and how long each part may take. */
export type InProcessTask = {
  grants: number
  seed: number
  instant: number
  questions: number
  /** Passes over all questions. */
  passes: number
  /** How long node-casbin's enforcer is asked, in seconds; at least one question is always answered. 0: not at all. */
  casbinSeconds: number
}
export type InProcessResult = { measures: Measure[]; faults: Fault[] }

/** Measures the engine without a server around it, and node-casbin's, in a process of their own. */
export function measureInProcess(task: InProcessTask): Promise<InProcessResult> {
  const script = fileURLToPath(new URL('in-process-task.ts', import.meta.url))
  const child = fork(script, {
    execArgv: ['--import=tsx', '--expose-gc', '--max-old-space-size=12288'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const end = () => child.kill()
  process.once('exit', end)
  return new Promise((resolve, reject) => {
    child.once('message', (result: InProcessResult | { failed: string }) => {
      process.off('exit', end)
      child.kill()
      if ('failed' in result) reject(new Error(result.failed))
      else resolve(result)
    })
    child.once('exit', () => reject(new Error(`the measuring process of ${task.grants} grants ended`)))
    child.send(task)
  })
}
