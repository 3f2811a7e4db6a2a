import { type CheckRequest, resolve, userOf } from './decide.ts'
import { FullEnforcer } from './full-enforcer.ts'
import type { PolicyModel } from './policy-model.ts'
import { PERMISSIONS, type PolicyTables } from './policy-state.ts'
import { snapshotOf } from './snapshot.ts'

/**
 * Casbin's own enforcer asked in the words of a check: the second opinion that policy tests and the property tests
 * hold the index against. Users, projects and permissions that do not exist are denied beforehand, as D1 says, and
 * several objects are the AND of the single answers.
 */
export function casbinEnforcer(
  model: PolicyModel,
  tables: PolicyTables,
): { allowed(request: CheckRequest, instant: number): boolean } {
  const snapshot = snapshotOf(model, tables, 0)
  const enforcer = new FullEnforcer(snapshot)
  return {
    allowed(request, instant) {
      const user = userOf(snapshot, request.user)
      if (user === undefined || !(PERMISSIONS as readonly string[]).includes(request.permission)) return false
      const { dom, permission, objects, via, now } = resolve(snapshot, user, request, instant)
      return objects.every((obj) => enforcer.allows({ sub: user.sub, dom, act: permission, obj, via, now }))
    },
  }
}
