import { type Measure, median } from './measure.ts'
import { figure, ratioText } from './report.ts'
import type { Results } from './results.ts'
import type { Verdict } from './targets.ts'

const WIDTH = 860
const MARGIN = 20
const LABELS = 430
const ROW = 24
const BAR = 14
/** Bars end here, ten times the target and a tenth of it; what lies beyond is drawn to the edge and named in figures. */
const DECADES = 1
const PLOT = WIDTH - LABELS - 2 * MARGIN - 70

/** The results as a picture: how many times each target is met, on a logarithmic scale, and requests a second. */
export function chartOf({ verdicts, measures, plan, machine, startedAt }: Results): string {
  const grants = Math.max(...plan.sizes)
  const aimed = verdicts.filter(({ aim, ratio }) => aim !== '' && ratio !== null)
  const peers = PEERS.flatMap(([peer, name]) => {
    const found = measures.find((each) => each.what === 'requests' && each.peer === peer && each.grants === grants)
    return found ? [{ name, found }] : []
  })
  const peersTop = 74 + aimed.length * ROW + 66
  const height = peersTop + peers.length * ROW + 44
  const most = Math.max(1, ...peers.flatMap(({ found }) => found.values))
  const where = `${grants.toLocaleString('en')} grants, ${machine.processors} × ${machine.model.trim()}`
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title">`,
    `<title id="title">Speed of Gatehouse against its targets and its peers</title>`,
    STYLE,
    `<rect class="page" width="${WIDTH}" height="${height}" rx="8"/>`,
    text(MARGIN, 30, 'Times the target is met (logarithmic; 1 = just met)', 'head'),
    ...scale(aimed.length),
    ...aimed.map((verdict, row) => targetBar(verdict, 74 + row * ROW)),
    text(
      MARGIN,
      peersTop - 18,
      'POST /check, requests a second, 50 connections (line: least to greatest round)',
      'head',
    ),
    ...peers.map(({ name, found }, row) => rateBar(name, found, most, peersTop + row * ROW)),
    text(MARGIN, height - 16, `${where}; medians of ${plan.rounds} rounds, ${startedAt.slice(0, 10)}`, 'small'),
    '</svg>',
  ].join('\n')}\n`
}

const PEERS: [peer: string, name: string][] = [
  ['bare route', 'bare Fastify route: no authentication, no decision'],
  ['gatehouse', 'Gatehouse'],
  ['gatehouse, grants written to its database', 'Gatehouse, while 1,000 grants a second are written'],
  ['cerbos', 'Cerbos'],
]

/** WHY a page of its own, in both schemes: a picture does not learn what is behind it. */
const STYLE = `<style>
  .page { fill: #ffffff; stroke: #d0d7de; }
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .head { font-weight: 600; }
  .small { font-size: 12px; }
  .line { stroke: #8c959f; }
  .just { stroke: #1f2328; stroke-width: 1.5; }
  .met, .self { fill: #1a7f5a; }
  .missed { fill: #c4561a; }
  .peer { fill: #6e7781; }
  .spread { stroke: #1f2328; stroke-width: 1.5; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; stroke: #30363d; }
    text { fill: #e6edf3; }
    .line { stroke: #57606a; }
    .just, .spread { stroke: #e6edf3; }
    .met, .self { fill: #3fb68b; }
    .missed { fill: #f0883e; }
    .peer { fill: #8b949e; }
  }
</style>`

const start = MARGIN + LABELS
const placeOf = (ratio: number) =>
  start + ((Math.max(-DECADES, Math.min(DECADES, Math.log10(ratio))) + DECADES) / (2 * DECADES)) * PLOT

function scale(rows: number): string[] {
  return [0.1, 0.2, 0.5, 1, 2, 5, 10].flatMap((ratio) => {
    const x = placeOf(ratio)
    const kind = ratio === 1 ? 'just' : 'line'
    return [
      `<line class="${kind}" x1="${round(x)}" x2="${round(x)}" y1="62" y2="${70 + rows * ROW}"/>`,
      text(x, 56, String(ratio), 'small', 'middle'),
    ]
  })
}

/** To the right of 1 where the target is met, to the left where it is missed. */
function targetBar({ what, ratio }: Verdict, y: number): string {
  const value = ratio ?? Number.NaN
  const [from, to] = [placeOf(1), placeOf(value)].sort((a, b) => a - b) as [number, number]
  const kind = value >= 1 ? 'met' : 'missed'
  return [
    text(MARGIN, y + 12, what),
    `<rect class="${kind}" x="${round(from)}" y="${y}" width="${round(Math.max(1, to - from))}" height="${BAR}"/>`,
    text(start + PLOT + 12, y + 12, value >= 100 ? figure(value) : ratioText(value)),
  ].join('')
}

function rateBar(name: string, { values }: Measure, most: number, y: number): string {
  const [middle, x] = [median(values), (rate: number) => round(start + (rate / most) * PLOT)]
  return [
    text(MARGIN, y + 12, name),
    `<rect class="${name.startsWith('Gatehouse') ? 'self' : 'peer'}" x="${start}" y="${y}" width="${round((middle / most) * PLOT)}" height="${BAR}"/>`,
    `<line class="spread" x1="${x(Math.min(...values))}" x2="${x(Math.max(...values))}" y1="${y + BAR / 2}" y2="${y + BAR / 2}"/>`,
    text(start + PLOT + 12, y + 12, figure(middle)),
  ].join('')
}

function text(x: number, y: number, content: string, kind = '', anchor = 'start'): string {
  const escaped = content.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`)
  const style = kind === '' ? '' : ` class="${kind}"`
  return `<text x="${round(x)}" y="${round(y)}"${style} text-anchor="${anchor}">${escaped}</text>`
}

const round = (value: number) => Math.round(value * 10) / 10
