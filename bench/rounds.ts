import type { Round } from './http-load.ts'
import { nameOf } from './load-driver.ts'
import type { Fault, Measure } from './measure.ts'
import type { Contender } from './peer.ts'

/** The same in another order each round, so that nobody has always the same neighbour. */
export function turned<T>(list: readonly T[], round: number): T[] {
  const start = (round * 3) % list.length
  const order = [...list.slice(start), ...list.slice(0, start)]
  return round % 2 === 0 ? order : order.reverse()
}

/** What was answered wrong in a round. */
export function faultsOf(contender: Contender, { wrong, faults }: Round): Fault[] {
  if (wrong === 0) return []
  return faults.map((fault) => ({ where: `${nameOf(contender)}, ${wrong} wrong answers`, fault }))
}

/** The figures of a round, each with one value. */
export function measuresOf({ peer, grants, shape }: Contender, round: Round): Measure[] {
  const measure = (what: string, unit: string, value: number) => ({ what, peer, grants, unit, values: [value] })
  const { requests, seconds, serverCpuSeconds, latency } = round
  if (shape === 'gatehouse-batch') {
    return [
      measure('decisions a CPU second', '/s', (requests * 1000) / serverCpuSeconds),
      measure('decisions a second', '/s', (requests * 1000) / seconds),
    ]
  }
  return [
    measure('requests', '/s', requests / seconds),
    measure('server CPU a request', 'µs', (serverCpuSeconds / requests) * 1e6),
    measure('server CPU', 'cores', serverCpuSeconds / seconds),
    measure('latency, median', 'ms', latency.p50),
    measure('latency, p99', 'ms', latency.p99),
  ]
}
