import { inChild } from './child-task.ts'
import type { Fault } from './measure.ts'
import { quantile } from './measure.ts'
import { askService } from './peers/gatehouse.ts'
import { at } from './random.ts'
import type { Stage } from './stage.ts'

const WRITES_A_SECOND = 100
/** Each is given and taken away in turns; the fewest users that a load has are fifty, one of them anonymous. */
const USERS = 40

/** Grants to write by the API of one replica, and to watch on the other. */
export type PropagationTask = {
  writingPort: number
  watchedPort: number
  serviceKey: string
  project: number
  users: number[]
  /** Written and watched first, without being counted. */
  warmUp: number
  writes: number
  writesASecond: number
}

/** Milliseconds of each write, until the other replica answered by it. */
export type PropagationResult = { fromRequest: number[]; fromAnswer: number[]; polls: number; faults: Fault[] }

/**
 * One grant written by the API of one replica, until it decides on another: two services on one PostgreSQL with the
 * most grants. Grants and their removal take turns. From the request to write on, so that the write itself is in it,
 * and from its answer on.
 */
export async function propagation(stage: Stage): Promise<void> {
  const { plan, largest, serviceKey, findings } = stage
  const { load, server, databaseUrl } = largest
  stage.progress('starting a second replica')
  const replica = await stage.startService(databaseUrl)
  const { id: project } = await askService<{ id: number }>(server, serviceKey, '/v1/projects', { title: 'Propagation' })
  const people = load.tables.users.filter((user) => user.isActive && !user.isAnonymous && !user.isSuperuser)
  const users = Array.from({ length: USERS }, (_, place) => at(people, place % people.length).id)
  const task = { writingPort: server.port, watchedPort: replica.port, serviceKey, project, users: [...new Set(users)] }
  for (let round = 0; round < plan.propagationRounds; round += 1) {
    stage.progress(`from replica to replica, round ${round + 1} of ${plan.propagationRounds}`)
    const { fromRequest, fromAnswer, faults } = await inChild<PropagationTask, PropagationResult>(
      'propagation-task.ts',
      {
        ...task,
        warmUp: round === 0 ? WRITES_A_SECOND : 0,
        writes: plan.writesARound,
        writesASecond: WRITES_A_SECOND,
      },
    )
    const measure = (what: string, millis: number[], share: number) => ({
      what: `${what}, ${share === 0.5 ? 'median' : 'p99'}`,
      peer: 'gatehouse',
      grants: load.grants,
      unit: 'ms',
      values: [quantile(millis, share)],
    })
    const measures = [0.5, 0.99].flatMap((share) => [
      measure('grant asked for → effective elsewhere', fromRequest, share),
      measure('grant written → effective elsewhere', fromAnswer, share),
    ])
    findings.add({ measures, faults })
  }
  await replica.stop()
}
