import { withSpread } from './report.ts'
import type { Results } from './results.ts'
import type { Verdict } from './targets.ts'

/** What the README shows of the last full run: where and how it was measured, and each figure against its target. */
export function speedSection({ machine, versions, plan, startedAt, verdicts }: Results): string {
  const rows = verdicts.map((verdict) => `| ${verdict.what} | ${cells(verdict).join(' | ')} |`)
  return `${[
    `${Math.max(...plan.sizes).toLocaleString('en')} grants, ${machine.processors} processors (${machine.model.trim()}) shared with the`,
    `load and PostgreSQL, Node ${machine.node}, ${startedAt.slice(0, 10)}; median of ${plan.rounds} interleaved rounds of`,
    `${plan.secondsARound} s (least–greatest). “Of the target” is 1.00 where it is just met, more where it is exceeded.`,
    `Peers: ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}.`,
  ].join('\n')}

| what | measured | target | of the target |
|---|---|---|---|
${rows.join('\n')}
`
}

function cells({ values, unit, aim, ratio, met }: Verdict): string[] {
  const share = aim === '' || ratio === null ? '' : ratio.toFixed(2)
  return [withSpread(values, unit), aim, met === true ? `**${share}**` : share]
}
