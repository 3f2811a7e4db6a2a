import t from 'tap'
import { casbinEnforcer } from '../../src/decision/casbin-enforcer.ts'
import { explain } from '../../src/decision/explain.ts'
import { snapshotOf } from '../../src/decision/snapshot.ts'
import { casbinReference } from './casbin-reference.ts'
import { engineDecides } from './engine-comparison.ts'
import { modelOf, policyAsShipped } from './policy-as-shipped.ts'
import { INSTANT } from './random-world.ts'
import { RULE_CASES, tablesOf } from './rule-cases.ts'

const POLICY = policyAsShipped()
const MODEL = modelOf(POLICY)

t.test('the engine answers every hand-made case as the rules say, and explains the same', async (t) => {
  for (const ruleCase of RULE_CASES) {
    const snapshot = snapshotOf(MODEL, tablesOf(ruleCase), 1)
    const instant = INSTANT + (ruleCase.at ?? 0)
    const decision = engineDecides(snapshot, ruleCase.request, instant)
    const expected = { allowed: ruleCase.reason === 'allowed', reason: ruleCase.reason }
    t.same(decision, expected, `${ruleCase.rule}: ${ruleCase.says}`)
    const explained = explain(snapshot, ruleCase.request, instant)
    t.same({ allowed: explained.allowed, reason: explained.reason.code }, expected, `explained: ${ruleCase.says}`)
  }
})

t.test("Casbin's own Enforcer decides every hand-made case as the rules say", async (t) => {
  for (const ruleCase of RULE_CASES) {
    const tables = tablesOf(ruleCase)
    const instant = INSTANT + (ruleCase.at ?? 0)
    const casbin = await casbinReference(POLICY, tables)
    const expected = ruleCase.reason === 'allowed'
    t.equal(casbin.allows(ruleCase.request, instant), expected, `${ruleCase.rule}: ${ruleCase.says}`)
    t.equal(casbinEnforcer(MODEL, tables).allowed(ruleCase.request, instant), expected, `in full: ${ruleCase.says}`)
  }
})
