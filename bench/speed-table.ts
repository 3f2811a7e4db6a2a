import { withSpread } from './report.ts'
import type { Results } from './results.ts'
import type { Verdict } from './targets.ts'

/** What the README shows of the last full run: where and how it was measured, and each figure against its target. */
export function speedSection({ machine, versions, plan, startedAt, verdicts }: Results): string {
  const rows = verdicts.map((verdict) => `| ${verdict.what} | ${cells(verdict).join(' | ')} |`)
  const size = Math.max(...plan.sizes).toLocaleString('en')
  const peers = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return `${size} grants on ${machine.processors} processors (${machine.model.trim()}), shared with the load and PostgreSQL;
Node ${machine.node}, ${peers.join(', ')}; ${startedAt.slice(0, 10)}. Medians of ${plan.rounds} interleaved rounds of
${plan.secondsARound} s, in brackets the least and the greatest. “Of the target” is 1.00 where it is just met, and bold where it is met.

| what | measured | target | of the target |
|---|---|---|---|
${rows.join('\n')}
`
}

function cells({ values, unit, aim, ratio, met }: Verdict): string[] {
  const share = aim === '' || ratio === null ? '' : ratio.toFixed(2)
  return [withSpread(values, unit), aim, met === true ? `**${share}**` : share]
}
