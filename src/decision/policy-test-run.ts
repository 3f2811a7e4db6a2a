import { casbinEnforcer } from './casbin-enforcer.ts'
import { decide } from './decide.ts'
import type { PolicyModel } from './policy-model.ts'
import { PolicyModelError } from './policy-model-error.ts'
import type { GrantState, PolicyTables } from './policy-state.ts'
import type { PolicyTestCase, PolicyTestFile } from './policy-test-file.ts'
import type { ReasonCode } from './reasons.ts'
import { type Snapshot, snapshotOf } from './snapshot.ts'

/** What a case gave; `casbin` is what Casbin's own enforcer says of it. Passed: as expected, and both agree. */
export type PolicyTestResult = {
  file: string
  says: string
  expected: ReasonCode
  actual: ReasonCode
  casbin: boolean
  passed: boolean
}

/**
 * Runs the cases of a policy test file through the same engine as the service, and through Casbin's own enforcer.
 *
 * @throws PolicyModelError where the file names a user, group or project that it does not list, or a user of whom no
 * case asks anything
 */
export function runPolicyTests(model: PolicyModel, file: string, content: PolicyTestFile): PolicyTestResult[] {
  const tables = tablesOf(file, content)
  const snapshot = snapshotOf(model, tables, 1)
  const casbin = casbinEnforcer(model, tables)
  refuseUnaskedUsers(file, content, snapshot)
  return content.cases.map(({ says, check, at, expect }) => {
    const instant = instantOf(file, at ?? content.at)
    const { allowed, reason } = decide(snapshot, check, instant)
    const byCasbin = casbin.allowed(check, instant)
    return {
      file,
      says,
      expected: expect,
      actual: reason,
      casbin: byCasbin,
      passed: reason === expect && byCasbin === allowed,
    }
  })
}

function tablesOf(file: string, content: PolicyTestFile): PolicyTables {
  const logins = Object.keys(content.users)
  const idOf = (names: readonly (string | number)[], name: string | number, kind: string): number => {
    const place = names.indexOf(name)
    if (place < 0) throw new PolicyModelError(`${file}: there is no ${kind} \`${name}\` in this file`)
    return place + 1
  }
  const projectId = (id: number) => {
    idOf(content.projects, id, 'project')
    return id
  }
  return {
    users: Object.entries(content.users).map(([username, user], index) => ({
      id: index + 1,
      username,
      isActive: user.isDeleted !== true,
      isSuperuser: false,
      isAnonymous: false,
      isDeleted: false,
      generalPermissions: [],
      ...user,
    })),
    groups: content.groups.map((name, index) => ({ id: index + 1, name })),
    projects: content.projects.map((id) => ({ id, title: `project ${id}` })),
    memberships: content.memberships.map(({ user, group, project }, index) => ({
      id: index + 1,
      userId: idOf(logins, user, 'user'),
      groupId: idOf(content.groups, group, 'group'),
      projectId: project === undefined ? null : projectId(project),
    })),
    grants: content.grants.map((grant, index): GrantState => {
      const group = /^group (.+)$/s.exec(grant.to)?.[1]
      return {
        id: index + 1,
        userId: group === undefined ? idOf(logins, grant.to, 'user') : null,
        groupId: group === undefined ? null : idOf(content.groups, group, 'group'),
        projectId: projectId(grant.project),
        permission: grant.permission,
        effect: grant.effect ?? 'allow',
        validFrom: grant.validFrom === undefined ? null : instantOf(file, grant.validFrom),
        validUntil: grant.validUntil === undefined ? null : instantOf(file, grant.validUntil),
      }
    }),
    serviceKeys: [],
  }
}

function instantOf(file: string, text: string): number {
  const instant = Date.parse(text)
  if (Number.isNaN(instant)) throw new PolicyModelError(`${file}: \`${text}\` is no RFC 3339 time`)
  return instant
}

/** A user without an expectation was forgotten, or is not needed; a misspelt one must be meant to be unknown. */
function refuseUnaskedUsers(file: string, content: PolicyTestFile, snapshot: Snapshot): void {
  const asked = new Set(content.cases.map(({ check }) => check.user ?? snapshot.users.anonymous?.username))
  const owners = content.cases.flatMap(({ check }: PolicyTestCase) =>
    (check.objects ?? (check.object ? [check.object] : [])).flatMap(({ creator, importer }) => [creator, importer]),
  )
  for (const name of Object.keys(content.users)) {
    if (!asked.has(name) && !owners.includes(name)) {
      throw new PolicyModelError(`${file}: no case asks anything of or about the user \`${name}\``)
    }
  }
  for (const { says, check, expect } of content.cases) {
    if (typeof check.user === 'string' && !(check.user in content.users) && expect !== 'unknown_user') {
      throw new PolicyModelError(`${file}: "${says}" asks about \`${check.user}\`, who is not in this file`)
    }
  }
}
