import { type Measure, median } from './measure.ts'

/** A figure held against what is aimed at; `met` is null where no aim is stated, or not for this size. */
export type Verdict = { what: string; values: number[]; unit: string; aim: string; met: boolean | null }

/** The targets are stated for this many grants. */
const STATED_FOR = 1_000_000

type Aim = { least?: number; most?: number }

/** Compares what was measured, round by round where both sides were in the same rounds. */
export function verdictsOf(measures: Measure[], sizes: number[]): Verdict[] {
  const [smallest, largest] = [Math.min(...sizes), Math.max(...sizes)]
  const of = (what: string, peer: string, grants = largest) =>
    measures.find((each) => each.what === what && each.peer === peer && each.grants === grants)?.values ?? []
  const bare = (what: string) => pairwise(of(what, 'bare route'), of(what, 'bare route, control'), mean)
  const verdict = (what: string, values: number[], unit: string, aim: Aim): Verdict => ({
    what,
    values,
    unit,
    aim: worded(aim, unit),
    met: largest === STATED_FOR && values.length > 0 ? fits(median(values), aim) : null,
  })
  const [rate, cpu] = ['requests', 'server CPU a request']
  const decision = 'one decision, median'
  return [
    verdict('requests a second, of a bare route', pairwise(of(rate, 'gatehouse'), bare(rate), ratio), '×', {
      least: 0.9,
    }),
    verdict('requests a CPU second, of a bare route', pairwise(bare(cpu), of(cpu, 'gatehouse'), ratio), '×', {
      least: 0.9,
    }),
    verdict(
      'control: one bare route of the other',
      pairwise(of(rate, 'bare route, control'), of(rate, 'bare route'), ratio),
      '×',
      {},
    ),
    verdict(
      `requests a second at ${smallest}, of those at ${largest}`,
      pairwise(of(rate, 'gatehouse', smallest), of(rate, 'gatehouse'), ratio),
      '×',
      { least: 0.95, most: 1.05 },
    ),
    verdict('requests a second, of Cerbos', pairwise(of(rate, 'gatehouse'), of(rate, 'cerbos'), ratio), '×', {
      least: 6,
    }),
    verdict('requests a CPU second, of Cerbos', pairwise(of(cpu, 'cerbos'), of(cpu, 'gatehouse'), ratio), '×', {}),
    verdict('one decision, median', of(decision, 'engine'), 'µs', { most: 1 }),
    verdict('one decision, p99', of('one decision, p99', 'engine'), 'µs', { most: 5 }),
    verdict(
      'one decision, of node-casbin',
      of(decision, 'node-casbin').map((micros) => micros / median(of(decision, 'engine'))),
      '×',
      { least: 1_000_000 },
    ),
    verdict(
      'decisions in batches, random users',
      of('decisions a CPU second', 'gatehouse, batches of random users'),
      '/s',
      {
        least: 450_000,
      },
    ),
    verdict('decisions in batches, one user', of('decisions a CPU second', 'gatehouse, batches of one user'), '/s', {
      least: 1_000_000,
    }),
    verdict('projects of a user, median', of('projects of a user, median', 'engine'), 'ms', { most: 2 }),
    verdict('memory above the empty service', of('memory above the empty service', 'gatehouse'), 'MB', { most: 100 }),
    verdict('start to ready', of('start to ready', 'gatehouse'), 's', { most: 4 }),
  ]
}

const ratio = (a: number, b: number) => a / b
const mean = (a: number, b: number) => (a + b) / 2

function pairwise(a: number[], b: number[], combine: (a: number, b: number) => number): number[] {
  return a.flatMap((value, round) => {
    const other = b[round]
    return other === undefined ? [] : [combine(value, other)]
  })
}

function fits(value: number, { least, most }: Aim): boolean | null {
  if (least === undefined && most === undefined) return null
  return value >= (least ?? -Infinity) && value <= (most ?? Infinity)
}

function worded({ least, most }: Aim, unit: string): string {
  if (least !== undefined && most !== undefined) return `${least} to ${most} ${unit}`
  if (least !== undefined) return `≥ ${least.toLocaleString('en')} ${unit}`
  return most === undefined ? '' : `≤ ${most.toLocaleString('en')} ${unit}`
}
