import { type Measure, median } from './measure.ts'
import type { Results } from './results.ts'

/** The results as tables for a person: medians, and in brackets the least and the greatest of the rounds. */
export function reportOf(results: Results): string {
  const { machine, versions, plan, loads, measures, verdicts } = results
  const sections = [
    `${machine.processors} × ${machine.model}, Node ${machine.node}, ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}; ${plan.rounds} rounds of ${plan.secondsARound} s, interleaved; seed ${plan.seed}`,
    `The load\n${table([
      ['grants', ...plan.sizes.map(grouped)],
      ...Object.keys(loads[0] ?? {})
        .filter((name) => name !== 'grants')
        .map((name) => [spaced(name), ...loads.map((load) => shareOrCount(load[name as keyof typeof load]))]),
    ])}`,
    `Measured\n${table([['', '', ...plan.sizes.map(grouped)], ...measureRows(measures, plan.sizes)])}`,
    `Compared, at ${grouped(Math.max(...plan.sizes))} grants\n${table([
      ['', 'median (least–greatest)', 'target', 'of the target', ''],
      ...verdicts.map(({ what, values, unit, aim, met, ratio }) => [
        what,
        withSpread(values, unit),
        aim,
        aim === '' ? '' : ratioText(ratio),
        met === null ? '' : met ? 'met' : 'not met',
      ]),
    ])}`,
  ]
  return `${sections.join('\n\n')}\n`
}

function measureRows(measures: Measure[], sizes: number[]): string[][] {
  const rows = new Map<string, Measure[]>()
  for (const measure of measures) {
    const key = `${measure.what}\n${measure.peer}`
    rows.set(key, [...(rows.get(key) ?? []), measure])
  }
  return [...rows]
    .sort(([a], [b]) => placeOf(a) - placeOf(b))
    .map(([key, cells]) => {
      const [what = '', peer = ''] = key.split('\n')
      const cellOf = (size: number) => {
        const found = cells.find(({ grants }) => grants === size)
        return found ? withSpread(found.values, found.unit) : ''
      }
      return [what, peer, ...sizes.map(cellOf)]
    })
}

/** What a row is about, in the order to read it. */
const ORDER = [
  'requests',
  'grants written',
  'latency, median',
  'latency, p99',
  'server CPU a request',
  'server CPU',
  'CPU of PostgreSQL',
  'CPU of the writer',
  'decisions a second',
  'decisions a CPU second',
  'one decision, median',
  'one decision, p99',
  'reading the clock, median',
  'decisions in a row',
  'decisions asked',
  'projects of a user, median',
  'projects of a user, p99',
]

function placeOf(key: string): number {
  const place = ORDER.indexOf(key.split('\n')[0] ?? '')
  return place < 0 ? ORDER.length : place
}

/** How many times a target is met; 1.00 is just met. */
export const ratioText = (ratio: number | null): string => (ratio === null ? '–' : ratio.toFixed(2))

/** The median, and in brackets the least and the greatest value. */
export function withSpread(values: number[], unit: string): string {
  if (values.length === 0) return '–'
  const spread = values.length === 1 ? '' : ` (${figure(Math.min(...values))}–${figure(Math.max(...values))})`
  return `${figure(median(values))}${spread} ${unit}`.trimEnd()
}

/** Three significant digits, whole numbers from a hundred on. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–'
  return Math.abs(value) >= 100 ? grouped(Math.round(value)) : String(Number(value.toPrecision(3)))
}

const grouped = (value: number) => value.toLocaleString('en')
const spaced = (name: string) => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
const shareOrCount = (value: number) => (value <= 1 ? `${(value * 100).toFixed(1)} %` : grouped(value))

/** Columns as wide as their widest cell. */
export function table(rows: string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  return rows
    .map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd())
    .join('\n')
}
