import type { PolicyTables } from '../src/decision/policy-state.ts'
import type { ExpectedAnswers } from './expected.ts'
import type { AnswerShape, Exchange } from './http-load.ts'
import type { LoadProperties } from './load-properties.ts'
import type { Question } from './request-load.ts'

/** Policy of one size with the questions asked of it; times count at `instant` (epoch milliseconds). */
export type Load = {
  grants: number
  tables: PolicyTables
  answers: ExpectedAnswers
  questions: Question[]
  properties: LoadProperties
  instant: number
}

/** How many connections ask at once, as the targets say. */
export const CONNECTIONS = 50

/** A server under load and the requests that ask it the questions of one load. */
export type Contender = {
  peer: string
  grants: number
  port: number
  pid: number
  shape: AnswerShape
  connections: number
  exchanges: Exchange[]
}
