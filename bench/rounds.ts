import type { Round } from './http-load.ts'
import type { LoadDriver } from './load-driver.ts'
import { nameOf } from './load-driver.ts'
import type { Fault, Measure } from './measure.ts'
import type { Contender } from './peer.ts'
import type { Plan } from './plan.ts'

/** Asks everything once, which also warms the servers up; gives what was answered wrong. */
export async function verify(driver: LoadDriver, contenders: Contender[]): Promise<Fault[]> {
  const faults: Fault[] = []
  for (const contender of contenders) {
    await driver.prepare(contender)
    faults.push(...faultsOf(contender, await driver.run(contender, 'each once')))
  }
  return faults
}

/**
 * Lets every contender have its turn in every round, in another order each time: what happens on the machine meanwhile
 * then hits all of them alike.
 */
export async function measureRounds(
  driver: LoadDriver,
  contenders: Contender[],
  plan: Plan,
  progress: (text: string) => void,
): Promise<{ measures: Measure[]; faults: Fault[] }> {
  const rounds = new Map(contenders.map((contender) => [contender, [] as Round[]]))
  const faults: Fault[] = []
  for (let round = 0; round < plan.rounds; round += 1) {
    progress(`round ${round + 1} of ${plan.rounds}`)
    for (const contender of turned(contenders, round)) {
      const measured = await driver.run(contender, plan.secondsARound)
      rounds.get(contender)?.push(measured)
      faults.push(...faultsOf(contender, measured))
    }
  }
  return { measures: contenders.flatMap((contender) => measuresOf(contender, rounds.get(contender) ?? [])), faults }
}

function turned<T>(list: T[], by: number): T[] {
  const start = (by * 3) % list.length
  const order = [...list.slice(start), ...list.slice(0, start)]
  return by % 2 === 0 ? order : order.reverse()
}

function faultsOf(contender: Contender, { wrong, faults }: Round): Fault[] {
  if (wrong === 0) return []
  return faults.map((fault) => ({ where: `${nameOf(contender)}, ${wrong} wrong answers`, fault }))
}

function measuresOf({ peer, grants, shape }: Contender, rounds: Round[]): Measure[] {
  const measure = (what: string, unit: string, figureOf: (round: Round) => number) => ({
    what,
    peer,
    grants,
    unit,
    values: rounds.map(figureOf),
  })
  if (shape === 'gatehouse-batch') {
    return [
      measure('decisions a CPU second', '/s', (round) => (round.requests * 1000) / round.serverCpuSeconds),
      measure('decisions a second', '/s', (round) => (round.requests * 1000) / round.seconds),
    ]
  }
  return [
    measure('requests', '/s', (round) => round.requests / round.seconds),
    measure('server CPU a request', 'µs', (round) => (round.serverCpuSeconds / round.requests) * 1e6),
    measure('server CPU', 'cores', (round) => round.serverCpuSeconds / round.seconds),
    measure('latency, median', 'ms', (round) => round.latency.p50),
    measure('latency, p99', 'ms', (round) => round.latency.p99),
  ]
}
