import type { PolicyModel } from '../../src/decision/policy-model.ts'
import { compiled } from '../compiled.ts'
import type { Found } from '../findings.ts'
import { type Fault, median, quantile } from '../measure.ts'
import type { Load } from '../peer.ts'

/** More answers than this change nothing in a median. */
const ENOUGH = 2_000

/**
 * node-casbin's own Enforcer on the full rule set with the same `model.conf`, asked synchronously, in this process.
 * At a million grants one answer takes seconds, so as many questions are asked as fit, the first one at least.
 */
export async function measureNodeCasbin(model: PolicyModel, load: Load, seconds: number): Promise<Found> {
  const { casbinEnforcer } =
    await compiled<typeof import('../../src/decision/casbin-enforcer.ts')>('decision/casbin-enforcer.ts')
  const filling = performance.now()
  const enforcer = casbinEnforcer(model, load.tables)
  const filled = (performance.now() - filling) / 1000
  const faults: Fault[] = []
  const micros: number[] = []
  const until = performance.now() + seconds * 1000
  for (const { check, expected } of load.questions) {
    const begun = performance.now()
    const allowed = enforcer.allowed(check, load.instant)
    micros.push((performance.now() - begun) * 1000)
    if (allowed !== expected.allowed) {
      faults.push({ where: `node-casbin @ ${load.grants}`, fault: `${allowed} for ${JSON.stringify(check)}` })
    }
    if (performance.now() > until || micros.length === ENOUGH) break
  }
  const measure = (what: string, unit: string, value: number) => ({
    what,
    peer: 'node-casbin',
    grants: load.grants,
    unit,
    values: [value],
  })
  return {
    measures: [
      measure('snapshot filled', 's', filled),
      measure('one decision, median', 'µs', median(micros)),
      measure('one decision, p99', 'µs', quantile(micros, 0.99)),
      measure('decisions asked', '', micros.length),
    ],
    faults: faults.slice(0, 5),
  }
}
