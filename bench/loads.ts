import { assertDescribedLoad, propertiesOf } from './load-properties.ts'
import type { Load } from './peer.ts'
import { policyOf } from './policy-load.ts'
import { questionsOf } from './request-load.ts'

/** The load of one size: the same in every process that makes it from the same seed. Throws if it is not as described. */
export function loadOf(grants: number, questionCount: number, seed: number, instant: number): Load {
  const tables = policyOf(grants, seed)
  const questions = questionsOf(tables, questionCount, seed + 1, instant)
  const properties = propertiesOf(tables, questions)
  assertDescribedLoad(properties)
  return { grants, tables, questions, properties, instant }
}
