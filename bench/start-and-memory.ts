import { residentBytesOf } from './process-figures.ts'
import type { ServerProcess } from './server-process.ts'
import type { Stage } from './stage.ts'

/**
 * Starts the service on each size, the last of several starts stays; tells how long a start takes and what the policy
 * holds in memory.
 *
 * WHY held memory, after a collection of garbage: what was read once to be indexed lies about until V8 finds it worth
 * collecting, so resident memory tells when that was, not what the policy needs, and differs from start to start by
 * more than the target. Heap and what lies beside it (external, array buffers among them) is what cannot be given back.
 * Resident memory is measured beside it.
 */
export async function startAndMemory(stage: Stage): Promise<void> {
  await stage.open()
  const empty = await stage.startService(await stage.emptyDatabase('empty'))
  const emptyMemory = await memoryOf(empty)
  await empty.stop()
  for (const grants of stage.plan.sizes) {
    stage.progress(`filling a database with ${grants} grants`)
    const { load, databaseUrl } = await stage.filled(grants)
    stage.progress(`starting the service on ${grants} grants`)
    const server = await startedOften(stage, grants, databaseUrl)
    stage.services.push({ load, databaseUrl, server })
    const memory = await memoryOf(server)
    for (const [what, part] of Object.entries(MEMORY)) note(stage, what, grants, 'MB', memory[part] - emptyMemory[part])
  }
}

/** Resident memory once everything was asked for a while. */
export function memoryAfterLoad(stage: Stage): void {
  for (const { load, server } of stage.services) {
    note(stage, 'resident memory after the load', load.grants, 'MB', residentBytesOf(server.pid) / 1e6)
  }
}

async function startedOften(stage: Stage, grants: number, databaseUrl: string): Promise<ServerProcess> {
  for (let start = 1; ; start += 1) {
    const server = await stage.startService(databaseUrl)
    note(stage, 'start to ready', grants, 's', server.readySeconds)
    if (start >= stage.plan.starts) return server
    await server.stop()
  }
}

/** What each figure is made of. */
const MEMORY = {
  'memory held above the empty service': 'held',
  'resident memory above the empty service': 'resident',
  'resident memory above it, after a collection': 'residentAfter',
} as const

/** Megabytes. */
async function memoryOf({ pid, ask }: ServerProcess) {
  const resident = residentBytesOf(pid)
  const { heapUsed, external } = await ask<NodeJS.MemoryUsage>({ kind: 'memory' })
  const [held, residentAfter] = [heapUsed + external, residentBytesOf(pid)]
  return { held: held / 1e6, resident: resident / 1e6, residentAfter: residentAfter / 1e6 }
}

function note({ findings }: Stage, what: string, grants: number, unit: string, value: number): void {
  findings.add({ measures: [{ what, peer: 'gatehouse', grants, unit, values: [value] }] })
}
