import type { PolicyTables } from '../src/decision/policy-state.ts'
import type { Question } from './request-load.ts'

/** What a load is made of, in shares from 0 to 1. */
export type LoadProperties = {
  grants: number
  memberships: number
  users: number
  projects: number
  deniesAmongGrants: number
  allowed: number
  allowedThroughGroups: number
  withObject: number
  byToken: number
  refusedByDeny: number
}

/** Measures a load; nothing here trusts what the generator meant to do. */
export function propertiesOf(tables: PolicyTables, questions: Question[]): LoadProperties {
  const share = (part: number, whole: number) => part / Math.max(1, whole)
  const allowed = questions.filter(({ expected }) => expected.allowed)
  const counted = (test: (question: Question) => boolean) => share(questions.filter(test).length, questions.length)
  return {
    grants: tables.grants.length,
    memberships: tables.memberships.length,
    users: tables.users.length,
    projects: tables.projects.length,
    deniesAmongGrants: share(tables.grants.filter(({ effect }) => effect === 'deny').length, tables.grants.length),
    allowed: share(allowed.length, questions.length),
    allowedThroughGroups: share(allowed.filter(({ expected }) => expected.through === 'group').length, allowed.length),
    withObject: counted(({ check }) => check.object !== undefined),
    byToken: counted(({ check }) => check.via === 'token'),
    refusedByDeny: counted(({ expected }) => expected.deniedByGrant),
  }
}

/** The load that the targets are stated for; each bound is what the description says, with room for chance. */
const BOUNDS: Partial<Record<keyof LoadProperties, [least: number, most: number]>> = {
  deniesAmongGrants: [0.09, 0.11],
  allowed: [0.4, 0.8],
  allowedThroughGroups: [0.6, 1],
  withObject: [0.17, 0.23],
  byToken: [0.08, 0.12],
  refusedByDeny: [0.02, 0.3],
}

/** Throws, with every property that is out of bounds, when the load is not the one that the targets are stated for. */
export function assertDescribedLoad(properties: LoadProperties): void {
  const faults = Object.entries(BOUNDS).flatMap(([name, [least, most]]) => {
    const found = properties[name as keyof LoadProperties]
    return found < least || found > most ? [`${name} is ${found.toFixed(3)}, not ${least} to ${most}`] : []
  })
  if (faults.length > 0) throw new Error(`the load is not the one described: ${faults.join('; ')}`)
}
