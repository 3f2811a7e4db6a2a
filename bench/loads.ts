import { ExpectedAnswers } from './expected.ts'
import { assertDescribedLoad, propertiesOf } from './load-properties.ts'
import type { Load } from './peer.ts'
import { policyOf } from './policy-load.ts'
import { questionsOf } from './request-load.ts'

/** The load of one size: the same in every process that makes it from the same seed. Throws if it is not as described. */
export function loadOf(grants: number, questionCount: number, seed: number, instant: number): Load {
  const tables = policyOf(grants, seed)
  const answers = new ExpectedAnswers(tables, instant)
  const questions = questionsOf(tables, answers, questionCount, seed + 1)
  const properties = propertiesOf(tables, questions)
  assertDescribedLoad(properties)
  return { grants, tables, answers, questions, properties, instant }
}
