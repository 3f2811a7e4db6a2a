import type { WriteOrder, Written } from './grant-writer.ts'
import type { Round } from './http-load.ts'
import type { Fault, Measure } from './measure.ts'
import type { Contender, Load } from './peer.ts'
import { askService, gatehouseContender } from './peers/gatehouse.ts'
import { faultsOf, turned } from './rounds.ts'
import type { Service, Stage } from './stage.ts'

const GRANTS_A_SECOND = 1_000

/**
 * The three kinds of a round, in turns. WHY one in which the same is written to a database that no service follows:
 * PostgreSQL and the writer take their time from the same processors as the service, and what that costs is not what
 * following the writes costs.
 */
const KINDS = ['nowhere', 'to another database', 'to its database'] as const
type Kind = (typeof KINDS)[number]
/** What the figures of a kind are kept under. */
export const writtenPeer = (kind: Kind): string => `gatehouse, grants written ${kind}`

/**
 * Checks while grants are written by SQL, one in a transaction. The answers stay those expected, because what is
 * written is not in force or not asked about; what is in force is asked about after each round, as of the revision
 * that was written last.
 */
export async function whileWriting(stage: Stage): Promise<void> {
  const { driver, writer, findings, plan, largest, serviceKey } = stage
  const contender = {
    ...gatehouseContender(largest.server, largest.load, serviceKey),
    peer: 'gatehouse, while written',
  }
  await driver.prepare(contender)
  const orders = await ordersOf(stage)
  for (let round = 0; round < plan.rounds; round += 1) {
    stage.progress(`while grants are written, round ${round + 1} of ${plan.rounds}`)
    for (const kind of turned(KINDS, round)) {
      const order = orders[kind]
      if (order) await writer.begin(order)
      const measured = await driver.run(contender, plan.secondsARound)
      const written = order ? await writer.end() : undefined
      findings.add({
        measures: measuresOf(contender, kind, measured, written),
        faults: faultsOf(contender, measured),
      })
      if (kind === 'to its database' && written) {
        findings.add({ measures: [], faults: await askedAfterwards(largest, serviceKey, written) })
      }
    }
  }
}

async function ordersOf(stage: Stage): Promise<Record<Kind, WriteOrder | undefined>> {
  const { databaseUrl, load } = stage.largest
  const order = { grantsASecond: GRANTS_A_SECOND }
  return {
    nowhere: undefined,
    'to another database': {
      ...order,
      databaseUrl: await stage.emptyDatabase('elsewhere'),
      users: [1],
      askedPairs: [],
    },
    'to its database': { ...order, databaseUrl, ...peopleAndPairs(load) },
  }
}

/** Whoever is let in where a grant says so; and who is asked about, where. */
function peopleAndPairs({ tables, questions }: Load): Pick<WriteOrder, 'users' | 'askedPairs'> {
  const users = tables.users.filter(({ isActive, isAnonymous }) => isActive && !isAnonymous).map(({ id }) => id)
  const idOf = new Map<string | number | null, number>(tables.users.map(({ id, username }) => [username, id]))
  const askedPairs = questions.flatMap(({ check: { user, project } }) => {
    const id = idOf.get(user)
    return id === undefined ? [] : [[id, project] as [number, number]]
  })
  return { users, askedPairs }
}

async function askedAfterwards({ server }: Service, serviceKey: string, written: Written): Promise<Fault[]> {
  const { inForce, revision } = written
  const checks = inForce.map(({ user, project, permission }) => ({ user, project, permission }))
  const body = { checks, atLeastRevision: revision }
  const { results } = await askService<{ results: { allowed: boolean }[] }>(server, serviceKey, '/checks', body)
  const refused = checks.filter((_, place) => results[place]?.allowed !== true)
  return refused.slice(0, 5).map((check) => ({
    where: `while written, ${refused.length} of ${checks.length} written grants not in force`,
    fault: JSON.stringify(check),
  }))
}

function measuresOf({ grants }: Contender, kind: Kind, round: Round, written: Written | undefined): Measure[] {
  const measure = (what: string, unit: string, value: number) => ({
    what,
    peer: writtenPeer(kind),
    grants,
    unit,
    values: [value],
  })
  const figures = [
    measure('requests', '/s', round.requests / round.seconds),
    measure('server CPU a request', 'µs', (round.serverCpuSeconds / round.requests) * 1e6),
    measure('server CPU', 'cores', round.serverCpuSeconds / round.seconds),
    measure('latency, p99', 'ms', round.latency.p99),
  ]
  if (!written) return figures
  return [
    ...figures,
    measure('grants written', '/s', written.grants / written.seconds),
    measure('CPU of PostgreSQL', 'cores', written.databaseCpuSeconds / written.seconds),
    measure('CPU of the writer', 'cores', written.writerCpuSeconds / written.seconds),
  ]
}
