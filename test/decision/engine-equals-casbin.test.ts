import t, { type Test } from 'tap'
import { snapshotOf } from '../../src/decision/snapshot.ts'
import { firstDisagreement, randomChecks, Tally } from './engine-comparison.ts'
import { ALL_SENTENCES, SENTENCES } from './oracle.ts'
import { modelOf, policyAsShipped } from './policy-as-shipped.ts'
import { Chance, randomTables } from './random-world.ts'

/** RANDOM_SEED repeats a run; without it every run tries other policies. */
const SEED = Number(process.env.RANDOM_SEED ?? Date.now() % 2 ** 31)
const WORLDS = 1000
const CHECKS = 100

t.test('100,000 random checks: the engine, Casbin and the rules give one answer', async (t) => {
  t.comment(`RANDOM_SEED=${SEED}`)
  const policy = policyAsShipped()
  const model = modelOf(policy)
  const chance = new Chance(SEED)
  const tally = new Tally()
  for (let world = 0; world < WORLDS; world++) {
    const tables = randomTables(chance)
    const checks = randomChecks(chance, tables, CHECKS)
    const snapshot = snapshotOf(model, tables, 1)
    const disagreement = await firstDisagreement({ policy, model, tables, snapshot }, checks)
    if (disagreement !== null) return t.fail(`RANDOM_SEED=${SEED}, policy ${world}: ${disagreement}`)
    for (const check of checks.slice(0, CHECKS / 4)) tally.count(tables, check)
  }
  t.pass('no difference')
  checkThatTheTestHasTeeth(t, tally)
})

function checkThatTheTestHasTeeth(t: Test, tally: Tally): void {
  const allowed = tally.share(tally.reasons, 'allowed')
  t.ok(allowed >= 0.2, `at least 20 % are allowed: ${percent(allowed)}`)
  for (const rule of new Set(Object.values(SENTENCES))) {
    const share = tally.share(tally.decisive, rule)
    t.ok(share >= 0.01, `${rule} is decisive in at least 1 %: ${percent(share)}`)
  }
  for (const sentence of ALL_SENTENCES) {
    const share = tally.share(tally.decisive, sentence)
    t.ok(share >= 0.001, `"${sentence}" is decisive: ${percent(share)}`)
  }
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}
