import type { ProblemCode } from '../errors.ts'
import type { Access } from './access.ts'

const OF_CALLERS: ProblemCode[] = ['unauthenticated', 'two-credentials', 'insufficient-scope', 'snapshot-unavailable']

/** The security requirements of an operation in the OpenAPI document; either of them will do. */
export function securityOf(access: Access): Record<string, string[]>[] {
  if (access === 'public') return []
  if ('self' in access) return [{ user: access.self === 'token' ? ['account'] : [] }]
  if (access.scope === 'metrics') return [{ serviceKey: ['metrics'] }]
  return [{ serviceKey: [access.scope] }, { user: [access.orInPerson === undefined ? access.scope : 'projects'] }]
}

const OF_SELF = {
  token: 'For users in person, with a session or an API token of scope `account`.',
  session: 'For users in person, with a session.',
  fresh: 'For users in person, with a session whose password was given in the last 10 minutes.',
}
const OF_SCOPE = {
  check: 'Takes the scope `check`; users in person ask about themselves, superusers about everybody.',
  admin: 'Takes the scope `admin`; of users in person, a superuser.',
  metrics: 'Takes the scope `metrics`.',
}
const IN_PERSON = {
  project: 'or, in person, `can_administer` on the project.',
  member:
    'or, in person, a maintainer of the group, or `can_administer` on the project that the membership is limited to.',
}

/** Who may call an operation, as its description says; empty for anybody. */
export function accessInWords(access: Access): string {
  if (access === 'public') return ''
  if ('self' in access) return OF_SELF[access.self]
  if (access.orInPerson === undefined) return OF_SCOPE[access.scope]
  return `Takes the scope \`${access.scope}\`; ${IN_PERSON[access.orInPerson]}`
}

/** The problems that checking the access can end in; what needs the database or can be refused for load among them. */
export function problemsOfAccess(access: Access): ProblemCode[] {
  if (access === 'public') return []
  // Metrics are answered however busy the service is, and decisions are made from memory.
  if ('scope' in access && access.scope === 'metrics') return OF_CALLERS
  if ('scope' in access && access.scope === 'check') return [...OF_CALLERS, 'not-permitted', 'overloaded']
  const stale: ProblemCode[] = 'self' in access && access.self === 'fresh' ? ['reauthentication-required'] : []
  return [...OF_CALLERS, 'not-permitted', ...stale, 'overloaded', 'database-unavailable']
}
