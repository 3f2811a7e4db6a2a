import { type Measure, median } from './measure.ts'
import { writtenPeer } from './while-writing.ts'

/**
 * A figure held against what is aimed at. `met` is null where no aim is stated, or not for this size. `ratio` says how
 * many times the aim is met (1: just); of a comparison without an aim it is the figure itself; null where there is
 * neither. Only `comparable` ratios are the same on every machine, and are held against the baseline.
 */
export type Verdict = {
  what: string
  grants: number
  values: number[]
  unit: string
  aim: string
  met: boolean | null
  ratio: number | null
  comparable: boolean
}

/** The targets are stated for this many grants. */
export const STATED_FOR = 1_000_000

type Aim = { least?: number; most?: number }
type Row = Pick<Verdict, 'what' | 'values' | 'unit'> & { aim?: Aim; comparable?: boolean }
/** The values of one figure, one a round. */
type Of = (what: string, peer: string, grants?: number) => number[]

/** Compares what was measured at the largest size, round by round where both sides were in the same rounds. */
export function verdictsOf(measures: Measure[], sizes: number[]): Verdict[] {
  const [smallest, largest] = [Math.min(...sizes), Math.max(...sizes)]
  const of: Of = (what, peer, grants = largest) =>
    measures.find((each) => each.what === what && each.peer === peer && each.grants === grants)?.values ?? []
  const rows = [
    ...againstBare(of),
    ...againstSize(of, smallest),
    ...againstCerbos(of),
    ...inProcess(of),
    ...inBatches(of),
    ...ofTheProcess(of),
    ...ofWrites(of),
    ...ofImports(of),
  ]
  return rows.map(({ aim = {}, comparable = false, ...row }) => ({
    ...row,
    grants: largest,
    aim: worded(aim, row.unit),
    met: largest === STATED_FOR ? fits(median(row.values), aim) : null,
    ratio: ratioTo(aim, median(row.values), row.unit),
    comparable,
  }))
}

const [RATE, CPU] = ['requests', 'server CPU a request']
const DECISION = 'one decision, median'

function againstBare(of: Of): Row[] {
  const bare = (what: string) => pairwise(of(what, 'bare route'), of(what, 'bare route, control'), mean)
  return [
    compared('requests a second, of a bare route', of(RATE, 'gatehouse'), bare(RATE), { least: 0.9 }),
    compared('requests a CPU second, of a bare route', bare(CPU), of(CPU, 'gatehouse'), { least: 0.9 }),
    {
      ...compared('control: one bare route of the other', of(RATE, 'bare route, control'), of(RATE, 'bare route')),
      comparable: false,
    },
  ]
}

function againstSize(of: Of, smallest: number): Row[] {
  const aim = { least: 0.95, most: 1.05 }
  const name = 'at the fewest grants, of those at the most'
  const [rate, cpu] = [of(RATE, 'gatehouse', smallest), of(CPU, 'gatehouse', smallest)]
  return [
    compared(`requests a second ${name}`, rate, of(RATE, 'gatehouse'), aim),
    compared(`requests a CPU second ${name}`, of(CPU, 'gatehouse'), cpu, aim),
  ]
}

const againstCerbos = (of: Of): Row[] => [
  compared('requests a second, of Cerbos', of(RATE, 'gatehouse'), of(RATE, 'cerbos'), { least: 6 }),
  compared('requests a CPU second, of Cerbos', of(CPU, 'cerbos'), of(CPU, 'gatehouse')),
]

function inProcess(of: Of): Row[] {
  const engine = median(of(DECISION, 'engine'))
  const timesEngine = (peer: string) => of(DECISION, peer).map((micros) => micros / engine)
  return [
    { what: 'one decision in process, median', values: of(DECISION, 'engine'), unit: 'µs', aim: { most: 1 } },
    { what: 'one decision in process, p99', values: of('one decision, p99', 'engine'), unit: 'µs', aim: { most: 5 } },
    {
      what: 'decisions in process, of node-casbin',
      values: timesEngine('node-casbin'),
      unit: '×',
      aim: { least: 1_000_000 },
      comparable: true,
    },
    { what: 'decisions in process, of Cedar', values: timesEngine('cedar'), unit: '×', comparable: true },
    {
      what: 'projects of a user, median',
      values: of('projects of a user, median', 'engine'),
      unit: 'ms',
      aim: { most: 2 },
    },
  ]
}

function inBatches(of: Of): Row[] {
  const [decisions, bare] = ['decisions a CPU second', of(CPU, 'bare route')]
  const kind = (name: string, least: number): Row[] => {
    const values = of(decisions, `gatehouse, batches of ${name}`)
    return [
      { what: `decisions in batches of ${name}, a CPU second`, values, unit: '/s', aim: { least } },
      {
        what: `decisions in batches of ${name}, for one request of a bare route`,
        values: pairwise(values, bare, (rate, micros) => (rate * micros) / 1e6),
        unit: '×',
        comparable: true,
      },
    ]
  }
  return [...kind('random users', 450_000), ...kind('one user', 1_000_000)]
}

const ofTheProcess = (of: Of): Row[] => [
  {
    what: 'memory held above the empty service',
    values: of('memory held above the empty service', 'gatehouse'),
    unit: 'MB',
    aim: { most: 100 },
    comparable: true,
  },
  {
    what: 'resident memory above the empty service',
    values: of('resident memory above the empty service', 'gatehouse'),
    unit: 'MB',
  },
  { what: 'start to ready', values: of('start to ready', 'gatehouse'), unit: 's', aim: { most: 4 } },
]

const WRITTEN = ['to its database', 'to another database', 'nowhere'] as const

function ofWrites(of: Of): Row[] {
  const [here, elsewhere, nowhere] = WRITTEN.map(writtenPeer) as [string, string, string]
  return [
    {
      what: 'grant written → effective on another replica, p99',
      values: of('grant written → effective elsewhere, p99', 'gatehouse'),
      unit: 'ms',
      aim: { most: 20 },
    },
    {
      what: 'grant asked for → effective on another replica, p99',
      values: of('grant asked for → effective elsewhere, p99', 'gatehouse'),
      unit: 'ms',
    },
    compared('requests a second while 1,000 grants a second are written, of idle', of(RATE, here), of(RATE, nowhere), {
      least: 0.9,
    }),
    compared('requests a CPU second while they are written, of idle', of(CPU, nowhere), of(CPU, here), {
      least: 0.9,
    }),
    {
      what: 'server CPU for each grant that it follows meanwhile',
      values: ofFollowing(of, here, nowhere),
      unit: 'µs',
    },
    compared(
      'requests a second while they are written, of while they are written elsewhere',
      of(RATE, here),
      of(RATE, elsewhere),
    ),
  ]
}

const ofImports = (of: Of): Row[] =>
  ['API', 'command'].map((way) => {
    const what = `import of 100,000 grants by the ${way}`
    return { what, values: of(what, 'gatehouse'), unit: 's', aim: { most: 5 } }
  })

/** What the service used beside what the same requests cost without writing, round by round. */
function ofFollowing(of: Of, here: string, nowhere: string): number[] {
  const [cores, rate, written] = [of('server CPU', here), of(RATE, here), of('grants written', here)]
  return of(CPU, nowhere).flatMap((micros, round) => {
    const [used, requests, grants] = [cores[round], rate[round], written[round]]
    if (used === undefined || requests === undefined || grants === undefined) return []
    return [(used * 1e6 - requests * micros) / grants]
  })
}

/** `a` in units of `b`, round by round. */
function compared(what: string, a: number[], b: number[], aim: Aim = {}): Row {
  return { what, values: pairwise(a, b, (one, other) => one / other), unit: '×', aim, comparable: true }
}

const mean = (a: number, b: number) => (a + b) / 2

function pairwise(a: number[], b: number[], combine: (a: number, b: number) => number): number[] {
  return a.flatMap((value, round) => {
    const other = b[round]
    return other === undefined ? [] : [combine(value, other)]
  })
}

function fits(value: number, { least, most }: Aim): boolean | null {
  if (Number.isNaN(value) || (least === undefined && most === undefined)) return null
  return value >= (least ?? -Infinity) && value <= (most ?? Infinity)
}

function ratioTo({ least, most }: Aim, value: number, unit: string): number | null {
  if (Number.isNaN(value)) return null
  if (least === undefined && most === undefined) return unit === '×' ? value : null
  return Math.min(least === undefined ? Infinity : value / least, most === undefined ? Infinity : most / value)
}

function worded({ least, most }: Aim, unit: string): string {
  if (least !== undefined && most !== undefined) return `${least} to ${most} ${unit}`
  if (least !== undefined) return `≥ ${least.toLocaleString('en')} ${unit}`
  return most === undefined ? '' : `≤ ${most.toLocaleString('en')} ${unit}`
}
