import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { LoadProperties } from './load-properties.ts'
import type { Fault, Measure } from './measure.ts'
import type { Plan } from './plan.ts'
import { STATED_FOR, type Verdict } from './targets.ts'

/** The last full run. */
export const RESULTS_FILE = new URL('results.json', import.meta.url)

const PEERS = ['fastify', 'cerbos', 'casbin', '@cedar-policy/cedar-wasm']

/** Everything that a run found, as it is kept; fields are added to it, never renamed. */
export type Results = {
  format: 1
  startedAt: string
  machine: { processors: number; model: string; memoryBytes: number; platform: string; node: string }
  versions: Record<string, string>
  quick: boolean
  plan: Plan
  loads: LoadProperties[]
  measures: Measure[]
  verdicts: Verdict[]
  faults: Fault[]
}

/** Where and with what a run took place. */
export function circumstances(): Pick<Results, 'machine' | 'versions' | 'startedAt'> {
  const processors = cpus()
  return {
    startedAt: new Date().toISOString(),
    machine: {
      processors: processors.length,
      model: processors[0]?.model ?? 'unknown',
      memoryBytes: totalmem(),
      platform: `${process.platform}-${process.arch}`,
      node: process.version,
    },
    versions: Object.fromEntries(PEERS.map((name) => [name, versionOf(name)])),
  }
}

/**
 * Keeps the results beside those of earlier runs, and those of a full run without a wrong answer in the files that are
 * committed; gives the paths.
 */
export function keep(results: Results): string[] {
  const folder = fileURLToPath(new URL('results', import.meta.url))
  mkdirSync(folder, { recursive: true })
  const path = `${folder}/${results.startedAt.replaceAll(':', '-')}${results.quick ? '-quick' : ''}.json`
  const text = `${JSON.stringify(results, null, 2)}\n`
  writeFileSync(path, text)
  if (results.quick || results.faults.length > 0 || !results.plan.sizes.includes(STATED_FOR)) return [path]
  writeFileSync(RESULTS_FILE, text)
  return [path, fileURLToPath(RESULTS_FILE)]
}

function versionOf(name: string): string {
  const file = new URL(`../node_modules/${name}/package.json`, import.meta.url)
  return String(JSON.parse(readFileSync(file, 'utf8')).version)
}
