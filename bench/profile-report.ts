import { grouped } from './grouped.ts'
import { table } from './report.ts'

/** What V8's profiler writes; times in microseconds. */
export type CpuProfile = {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[]
  samples: number[]
  timeDeltas: number[]
}

type Frame = CpuProfile['nodes'][number]['callFrame']

/** Who a function belongs to, the first that fits; what V8 itself does has a name in brackets and no file. */
const GROUPS: [group: string, fits: (frame: Frame) => boolean][] = [
  ['idle', ({ functionName }) => functionName === '(idle)'],
  ['garbage collection', ({ functionName }) => functionName === '(garbage collector)'],
  ['V8 and system calls', ({ url, functionName }) => url === '' && functionName.startsWith('(')],
  ['our code', ({ url }) => /\/dist\//.test(url) && !url.includes('/node_modules/')],
  [
    'fastify',
    ({ url }) =>
      /\/node_modules\/(@fastify|fastify|find-my-way|avvio|light-my-request|fast-[^/]+|secure-json-parse|reusify|ajv)\//.test(
        url,
      ),
  ],
  ['other packages', ({ url }) => url.includes('/node_modules/')],
  ['node: http', ({ url }) => /^node:(_http|http|internal\/http)/.test(url)],
  ['node: sockets and streams', ({ url }) => /^node:(net|_?stream|internal\/(streams|stream_base|net))/.test(url)],
  ['node: the rest', ({ url }) => url.startsWith('node:')],
  ['native functions', () => true],
]

/** Self time by group, and the functions with the most of it, with microseconds for each request; idle time left out. */
export function profileReport({ nodes, samples, timeDeltas }: CpuProfile, requests: number, top: number): string {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
  const spent = new Map<number, number>()
  for (const [place, id] of samples.entries()) spent.set(id, (spent.get(id) ?? 0) + (timeDeltas[place] ?? 0))
  const rows = [...spent].flatMap(([id, micros]) => {
    const frame = frames.get(id)
    return frame ? [{ group: groupOf(frame), name: nameOf(frame), micros }] : []
  })
  const busy = rows.filter(({ group }) => group !== 'idle')
  const whole = sum(busy)
  const sums = (key: 'group' | 'name') =>
    [...grouped(busy, (row) => row[key])]
      .map(([name, of]) => ({ name, group: of[0]?.group ?? '', micros: sum(of) }))
      .sort((a, b) => b.micros - a.micros)
  const figures = (micros: number) => [`${((micros / whole) * 100).toFixed(1)} %`, (micros / requests).toFixed(2)]
  const idle = sum(rows) - whole
  return [
    `${requests.toLocaleString('en')} requests, ${(whole / 1e6).toFixed(2)} s busy, ${(idle / 1e6).toFixed(2)} s idle`,
    table([
      ['group', 'self time', 'µs a request'],
      ...sums('group').map(({ name, micros }) => [name, ...figures(micros)]),
    ]),
    table([
      ['function', 'group', 'self time', 'µs a request'],
      ...sums('name')
        .slice(0, top)
        .map(({ name, group, micros }) => [name, group, ...figures(micros)]),
    ]),
  ].join('\n\n')
}

const sum = (rows: { micros: number }[]) => rows.reduce((all, { micros }) => all + micros, 0)

const groupOf = (frame: Frame): string => GROUPS.find(([, fits]) => fits(frame))?.[0] ?? ''

/** The function with where it stands, from the package's or our own folder on. */
function nameOf({ functionName, url, lineNumber }: Frame): string {
  const name = functionName === '' ? '(anonymous)' : functionName
  if (url === '') return name
  const file = url.replace(/^.*\/node_modules\//, '').replace(/^.*\/dist\//, 'dist/')
  return `${name} ${file}:${lineNumber + 1}`
}
