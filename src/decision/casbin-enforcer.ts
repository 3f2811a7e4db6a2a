import { allowedByCasbin } from './casbin-comparison.ts'
import type { CheckRequest } from './decide.ts'
import { FullEnforcer } from './full-enforcer.ts'
import type { PolicyModel } from './policy-model.ts'
import type { PolicyTables } from './policy-state.ts'
import { snapshotOf } from './snapshot.ts'

/** Casbin's own enforcer over whole tables: the second opinion of policy test files, property tests and benchmarks. */
export function casbinEnforcer(
  model: PolicyModel,
  tables: PolicyTables,
): { allowed(request: CheckRequest, instant: number): boolean } {
  const snapshot = snapshotOf(model, tables, 0)
  const enforcer = FullEnforcer.over(snapshot)
  return { allowed: (request, instant) => allowedByCasbin(snapshot, enforcer, request, instant) }
}
