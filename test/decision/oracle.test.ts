import t from 'tap'
import {
  ALL_SENTENCES,
  oracle,
  oraclePermissionsOf,
  oracleProjectsOf,
  oracleUsersOf,
  SENTENCES,
  type Sentence,
} from './oracle.ts'
import { Chance, INSTANT, randomRequest, randomTables } from './random-world.ts'
import { RULE_CASES, type RuleCase, tablesOf } from './rule-cases.ts'

const answer = (ruleCase: RuleCase, off: Sentence[] = []) =>
  oracle(tablesOf(ruleCase), ruleCase.request, INSTANT + (ruleCase.at ?? 0), new Set(off)).reason

t.test('the oracle answers every hand-made case as the rules say', async (t) => {
  for (const ruleCase of RULE_CASES) t.equal(answer(ruleCase), ruleCase.reason, `${ruleCase.rule}: ${ruleCase.says}`)
})

t.test('each sentence of the rules decides at least one hand-made case', async (t) => {
  for (const sentence of ALL_SENTENCES) {
    const decided = RULE_CASES.filter((ruleCase) => answer(ruleCase, [sentence]) !== ruleCase.reason)
    t.ok(decided.length > 0, `${sentence} (${decided.length})`)
    if (sentence.startsWith('D10')) continue
    t.ok(
      decided.some(({ rule }) => rule === SENTENCES[sentence]),
      `${sentence}: a case of its own rule among them`,
    )
  }
})

t.test('no two hand-made cases say the same', async (t) => {
  const names = RULE_CASES.map(({ rule, says }) => `${rule} ${says}`)
  t.equal(new Set(names).size, names.length)
})

t.test('the lists of the oracle are its single checks', async (t) => {
  const [first] = RULE_CASES
  if (!first) throw new Error('no cases')
  const tables = tablesOf({
    ...first,
    grants: [
      ['alice', 'can_administer', 2],
      ['alice', 'can_browse', 1],
      ['bob', 'can_annotate', 1],
      ['idle', 'can_browse', 1],
    ],
  })
  t.same(oracleProjectsOf(tables, 2, 'can_browse', 'session', INSTANT), [1, 2])
  t.same(oracleProjectsOf(tables, 2, 'can_administer', 'token', INSTANT), [])
  t.same(oracleProjectsOf(tables, 3, 'can_browse', 'session', INSTANT), [])
  t.same(oraclePermissionsOf(tables, 2, 1, 'session', INSTANT), ['can_browse'])
  t.same(oraclePermissionsOf(tables, 2, 3, 'session', INSTANT), [])
  t.same(oracleUsersOf(tables, 1, 'can_browse', 'session', INSTANT), [2, 6])
})

t.test('a seed gives the same policy and the same requests again', async (t) => {
  const made = () => {
    const chance = new Chance(7)
    const tables = randomTables(chance)
    return { tables, requests: Array.from({ length: 20 }, () => randomRequest(chance, tables)) }
  }
  t.same(made(), made())
})
