import type { Contender, Load } from './peer.ts'
import { bareContender, startBareRoute } from './peers/bare-route.ts'
import { cerbosContender, startCerbos } from './peers/cerbos.ts'
import { batchContender, gatehouseContender, oneUserContender } from './peers/gatehouse.ts'
import { faultsOf, measuresOf, turned } from './rounds.ts'
import type { Stage } from './stage.ts'
import { memoryAfterLoad } from './start-and-memory.ts'

const contendersOf = new WeakMap<Stage, Contender[]>()

/**
 * Every server under load, in turns: each contender has its turn in every round, in another order each time, so that
 * what happens on the machine meanwhile hits all of them alike. Before that everything is asked once, which also warms
 * the servers up; nothing is measured where an answer is wrong.
 */
export async function underLoad(stage: Stage): Promise<void> {
  const { findings, driver, plan } = stage
  const contenders = contendersOf.get(stage) ?? (await readyContenders(stage))
  contendersOf.set(stage, contenders)
  if (findings.faults.length > 0) return
  for (let round = 0; round < plan.rounds; round += 1) {
    stage.progress(`round ${round + 1} of ${plan.rounds}`)
    for (const contender of turned(contenders, round)) {
      const measured = await driver.run(contender, plan.secondsARound)
      findings.add({ measures: measuresOf(contender, measured), faults: faultsOf(contender, measured) })
    }
  }
  memoryAfterLoad(stage)
}

async function readyContenders(stage: Stage): Promise<Contender[]> {
  stage.progress('starting the peers')
  const contenders = [...(await ours(stage)), ...(await peers(stage))]
  stage.progress('asking everything once, comparing answers')
  for (const contender of contenders) {
    await stage.driver.prepare(contender)
    const faults = faultsOf(contender, await stage.driver.run(contender, 'each once'))
    stage.findings.add({ measures: [], faults })
  }
  return contenders
}

async function ours({ services, largest, serviceKey }: Stage): Promise<Contender[]> {
  const { server, load } = largest
  return [
    ...services.map((service) => gatehouseContender(service.server, service.load, serviceKey)),
    batchContender(server, load, serviceKey),
    oneUserContender(server, load, serviceKey),
  ]
}

async function peers(stage: Stage): Promise<Contender[]> {
  const bare = await stage.kept(startBareRoute())
  const control = await stage.kept(startBareRoute())
  const cerbos = await stage.kept(startCerbos())
  const { load } = stage.largest
  return [
    bareContender('bare route', bare, load),
    bareContender('bare route, control', control, load),
    ...stage.loads.map((each: Load) => cerbosContender(cerbos, each)),
  ]
}
