import { readFileSync } from 'node:fs'
import {
  preparsePolicySet,
  type StatefulAuthorizationCall,
  statefulIsAuthorized,
} from '@cedar-policy/cedar-wasm/nodejs'
import type { ExpectedAnswers } from '../expected.ts'
import type { Found } from '../findings.ts'
import { type Fault, median, quantile } from '../measure.ts'
import type { Load } from '../peer.ts'
import { at } from '../random.ts'
import type { Check } from '../request-load.ts'

const POLICY = new URL('cedar-policy.cedar', import.meta.url)
const POLICY_SET = 'gatehouse'
/** More answers than this in a pass change nothing in a median. */
const ENOUGH = 1_000

/**
 * Cedar, compiled to WebAssembly, in this process: the policy parsed beforehand, and each call made ready before it is
 * timed. It keeps no grants, so a call carries what the user holds on the asked project, and nothing else; finding that
 * out is not charged to it.
 */
export function measureCedar(load: Load, passes: number): Found {
  const parsed = preparsePolicySet(POLICY_SET, { staticPolicies: readFileSync(POLICY, 'utf8') })
  if (parsed.type !== 'success') throw new Error(`Cedar does not take its policy: ${JSON.stringify(parsed.errors)}`)
  const questions = load.questions.slice(0, ENOUGH)
  const calls = questions.map(({ check }) => callOf(check, load.answers))
  const faults: Fault[] = []
  const [medians, slow] = [[], []] as [number[], number[]]
  for (let pass = 0; pass < passes + 1; pass += 1) {
    const micros = Float64Array.from(calls, (call, place) => {
      const begun = performance.now()
      const answer = statefulIsAuthorized(call)
      const took = (performance.now() - begun) * 1000
      const allowed = answer.type === 'success' && answer.response.decision === 'allow'
      const { check, expected } = at(questions, place)
      if (answer.type !== 'success' || allowed !== expected.allowed) {
        faults.push({
          where: `cedar @ ${load.grants}`,
          fault: `${JSON.stringify(answer)} for ${JSON.stringify(check)}`,
        })
      }
      return took
    })
    if (pass === 0) continue
    medians.push(median(micros))
    slow.push(quantile(micros, 0.99))
  }
  const measure = (what: string, values: number[]) => ({ what, peer: 'cedar', grants: load.grants, unit: 'µs', values })
  return {
    measures: [measure('one decision, median', medians), measure('one decision, p99', slow)],
    faults: faults.slice(0, 5),
  }
}

function callOf(check: Check, answers: ExpectedAnswers): StatefulAuthorizationCall {
  const { user, allows, denies, groupNames } = answers.holdings(check)
  return {
    principal: { type: 'User', id: user.username },
    action: { type: 'Action', id: check.permission },
    resource: { type: 'Project', id: String(check.project) },
    context: {
      admitted: user.isActive && (!user.isAnonymous || user.generalPermissions.includes('can_browse')),
      superuser: user.isSuperuser,
      anonymous: user.isAnonymous,
      permission: check.permission,
      allows,
      denies,
      via: check.via ?? 'session',
      opening: [user.username, ...groupNames],
      ...check.object,
    },
    entities: [],
    preparsedPolicySetId: POLICY_SET,
    validateRequest: false,
  }
}
