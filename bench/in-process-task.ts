/** The process behind {@link inProcess}: takes one task, sends one result. */
import { answerTask } from './child-task.ts'
import { shippedModel } from './compiled.ts'
import { EngineFigures } from './engine-figures.ts'
import type { Found } from './findings.ts'
import type { InProcessTask } from './in-process.ts'
import { loadOf } from './loads.ts'
import { measureCedar } from './peers/cedar.ts'
import { measureNodeCasbin } from './peers/node-casbin.ts'

answerTask(async (task: InProcessTask): Promise<Found> => {
  const load = loadOf(task.grants, task.questions, task.seed, task.instant)
  const model = await shippedModel()
  const engine = new EngineFigures(load, task.passes)
  await engine.fill(model)
  await engine.decide()
  await engine.list()
  const peers = [measureCedar(load, task.passes), await measureNodeCasbin(model, load, task.casbinSeconds)]
  return {
    measures: [engine, ...peers].flatMap(({ measures }) => measures),
    faults: [engine, ...peers].flatMap(({ faults = [] }) => faults),
  }
})
