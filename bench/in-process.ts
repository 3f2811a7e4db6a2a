import { inChild } from './child-task.ts'
import type { Found } from './findings.ts'
import type { Stage } from './stage.ts'

/** What one process measures: one size, and how long each part may take. */
export type InProcessTask = {
  grants: number
  seed: number
  instant: number
  questions: number
  /** Passes over all questions. */
  passes: number
  /** How long node-casbin's enforcer is asked, in seconds; at least one question is always answered. */
  casbinSeconds: number
}

/** The engine without a server around it, beside the engines that run in a process too; one size after the other. */
export async function inProcess({ plan, instant, findings, progress }: Stage): Promise<void> {
  const { seed, questions, passes, casbinSeconds } = plan
  for (const grants of plan.sizes) {
    progress(`in process, ${grants} grants`)
    const task: InProcessTask = { grants, seed, questions, passes, casbinSeconds, instant }
    findings.add(await inChild<InProcessTask, Found>('in-process-task.ts', task, NODE_OPTIONS))
  }
}

const NODE_OPTIONS = ['--expose-gc', '--max-old-space-size=12288']
