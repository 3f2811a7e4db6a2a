/** `npm run bench`: measures this service beside its peers, on one machine in one run. */
import { type Baseline, type Fallen, fallenBelow, readBaseline, wordedFallen } from './baseline.ts'
import { importOfGrants } from './import-of-grants.ts'
import { inProcess } from './in-process.ts'
import { optionsOf, USAGE } from './plan.ts'
import { propagation } from './propagation.ts'
import { reportOf } from './report.ts'
import { circumstances, keep, type Results } from './results.ts'
import { Stage } from './stage.ts'
import { startAndMemory } from './start-and-memory.ts'
import { verdictsOf } from './targets.ts'
import { underLoad } from './under-load.ts'
import { whileWriting } from './while-writing.ts'

/** What a run measures, in this order: later parts ask the services that earlier ones started. */
const PARTS: { measure: (stage: Stage) => Promise<void>; repeatable: boolean }[] = [
  { measure: inProcess, repeatable: true },
  { measure: startAndMemory, repeatable: false },
  { measure: underLoad, repeatable: true },
  { measure: whileWriting, repeatable: true },
  { measure: propagation, repeatable: true },
  { measure: importOfGrants, repeatable: false },
]
/** How often a part is measured again where a ratio seems to have fallen: a busy machine looks like that, too. */
const REPEATS = 2

async function main(): Promise<void> {
  const options = optionsOf(process.argv.slice(2))
  const baseline = readBaseline()
  const begun = circumstances()
  const stage = new Stage(options, progress)
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void stage.end().then(() => process.exit(1)))
  try {
    await measureAll(stage, baseline)
  } finally {
    await stage.end()
  }
  const { measures, faults } = stage.findings
  const verdicts = verdictsOf(measures, options.plan.sizes)
  const results: Results = {
    format: 1,
    ...begun,
    quick: options.quick,
    plan: options.plan,
    loads: stage.loads.map(({ properties }) => properties),
    measures,
    verdicts,
    faults,
  }
  const kept = keep(results)
  console.log(options.json ? JSON.stringify(results, null, 2) : reportOf(results))
  progress(`kept in ${kept.join(', ')}`)
  for (const { where, fault } of faults) console.error(`WRONG: ${where}: ${fault}`)
  const fallen = faults.length > 0 ? [] : fallenBelow(baseline, verdicts)
  for (const one of fallen) console.error(wordedFallen(one))
  if (faults.length > 0 || fallen.length > 0) process.exitCode = 1
}

/** Part by part. After a wrong answer nothing more is measured. */
async function measureAll(stage: Stage, baseline: Baseline): Promise<void> {
  let known: Fallen[] = []
  for (const { measure, repeatable } of PARTS) {
    await measure(stage)
    for (let repeat = 0; repeatable && repeat < REPEATS && stage.findings.faults.length === 0; repeat += 1) {
      const news = fallenSoFar(stage, baseline).filter(({ what }) => !known.some((before) => before.what === what))
      if (news.length === 0) break
      progress(`once more, to be sure: ${news.map(({ what }) => what).join('; ')}`)
      await measure(stage)
    }
    if (stage.findings.faults.length > 0) return
    known = fallenSoFar(stage, baseline)
  }
}

/** What was measured and has fallen; what has not been measured yet has not. */
const fallenSoFar = ({ findings, plan }: Stage, baseline: Baseline): Fallen[] =>
  fallenBelow(baseline, verdictsOf(findings.measures, plan.sizes)).filter(({ ratio }) => ratio !== null)

function progress(text: string): void {
  process.stderr.write(`${(performance.now() / 1000).toFixed(0).padStart(4)} s  ${text}\n`)
}

try {
  await main()
} catch (cause) {
  console.error(cause instanceof Error ? (cause.stack ?? cause.message) : cause)
  if (String((cause as { code?: string }).code).startsWith('ERR_PARSE_ARGS')) console.error(USAGE)
  process.exitCode = 2
}
