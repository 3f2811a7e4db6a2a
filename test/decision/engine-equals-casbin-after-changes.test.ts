import t from 'tap'
import type { PolicyTables } from '../../src/decision/policy-state.ts'
import { type Snapshot, snapshotOf } from '../../src/decision/snapshot.ts'
import { engineDecides, firstDisagreement, randomChecks } from './engine-comparison.ts'
import { modelOf, policyAsShipped } from './policy-as-shipped.ts'
import { Chance, type RandomCheck, randomChange, randomTables } from './random-world.ts'

/** RANDOM_SEED repeats a run; without it every run tries other policies. */
const SEED = Number(process.env.RANDOM_SEED ?? Date.now() % 2 ** 31)
const WORLDS = 100
const ROUNDS = 7
const CHECKS = 51

t.test('35,000 random checks of a changing policy: changes applied give the answers of a fresh start', async (t) => {
  t.comment(`RANDOM_SEED=${SEED}`)
  const policy = policyAsShipped()
  const model = modelOf(policy)
  const chance = new Chance(SEED)
  let changed = 0
  for (
    let round = 0, tables = randomTables(chance), kept = snapshotOf(model, tables, 1);
    round < WORLDS * ROUNDS;
    round++
  ) {
    if (round % ROUNDS === 0) {
      tables = randomTables(chance)
      kept = snapshotOf(model, tables, 1)
    }
    changed += change(chance, tables, kept)
    const checks = randomChecks(chance, tables, CHECKS)
    const stale = firstUnlike(kept, snapshotOf(model, tables, 1), checks)
    if (stale) return t.fail(`RANDOM_SEED=${SEED}, round ${round}: unlike a fresh start`, { tables, ...stale })
    const disagreement = await firstDisagreement({ policy, model, tables, snapshot: kept }, checks)
    if (disagreement !== null) return t.fail(`RANDOM_SEED=${SEED}, round ${round}: ${disagreement}`)
  }
  t.ok(changed > 1000, `no difference after ${changed} changed rows`)
})

/** Changes the tables and tells the snapshot, a transaction at a time, some of several changes; how many rows changed. */
function change(chance: Chance, tables: PolicyTables, snapshot: Snapshot): number {
  let changed = 0
  for (let transactions = chance.between(1, 4); transactions > 0; transactions--) {
    const changes = Array.from({ length: chance.between(1, 3) }, () => randomChange(chance, tables)).flat()
    changed += changes.length
    snapshot.apply(structuredClone(changes))
  }
  return changed
}

function firstUnlike(kept: Snapshot, fresh: Snapshot, checks: readonly RandomCheck[]): RandomCheck | undefined {
  return checks.find(
    ({ request, instant }) =>
      engineDecides(kept, request, instant).reason !== engineDecides(fresh, request, instant).reason,
  )
}
