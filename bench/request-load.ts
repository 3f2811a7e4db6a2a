import {
  type GrantState,
  type MembershipState,
  PERMISSIONS,
  type Permission,
  type PolicyTables,
  type UserState,
} from '../src/decision/policy-state.ts'
import type { Expected, ExpectedAnswers } from './expected.ts'
import { grouped } from './grouped.ts'
import { at, type Random, seeded } from './random.ts'

/** One body of `POST /check`, as a caller sends it. */
export type Check = {
  user: string | number | null
  project: number
  permission: Permission
  object?: { creator: string; importer?: string }
  via?: 'token'
}

/** A check and its right answer. */
export type Question = { check: Check; expected: Expected }

const WITH_OBJECT = 0.2
const BY_TOKEN = 0.1
const BY_USER_ID = 0.2
const TARGETED = 0.72
const THROUGH_GROUPS = 0.85

/**
 * Checks of random users on random projects. Most are drawn from the grants (what people do is mostly what they may
 * do), the rest take user, project and permission each by chance, and are mostly refused.
 */
export function questionsOf(tables: PolicyTables, answers: ExpectedAnswers, count: number, seed: number): Question[] {
  const draw = drawerOf(tables, seeded(seed))
  return Array.from({ length: count }, () => {
    const check = draw()
    return { check, expected: answers.of(check) }
  })
}

/**
 * As many checks about one user, as a page that shows a list to that user asks them: half on projects where the user or
 * a group of the user holds something, half anywhere.
 */
export function questionsAbout(
  user: UserState,
  tables: PolicyTables,
  answers: ExpectedAnswers,
  count: number,
  seed: number,
): Question[] {
  const random = seeded(seed)
  const groupIds = new Set(tables.memberships.filter(({ userId }) => userId === user.id).map(({ groupId }) => groupId))
  const held = tables.grants.filter(
    ({ userId, groupId }) => userId === user.id || (groupId !== null && groupIds.has(groupId)),
  )
  return Array.from({ length: count }, () => {
    const { projectId, permission } = random.pick(held.length > 0 && random.chance(0.5) ? held : tables.grants)
    const check: Check = { user: user.username, project: projectId, permission }
    return { check, expected: answers.of(check) }
  })
}

type Target = { userId: number; project: number; permission: Permission }

function drawerOf(tables: PolicyTables, random: Random): () => Check {
  const { users, projects } = tables
  const members = grouped(tables.memberships, ({ groupId }) => groupId)
  const groupsOfUser = grouped(tables.memberships, ({ userId }) => userId)
  const annotating = tables.grants.filter(({ permission }) => ['can_annotate', 'can_administer'].includes(permission))
  const byChance = (): Target => ({
    userId: random.pick(users).id,
    project: random.pick(projects).id,
    permission: random.pick(PERMISSIONS),
  })
  const login = (id: number) => at(users, id - 1).username
  return () => {
    const withObject = random.chance(WITH_OBJECT)
    const target = random.chance(TARGETED)
      ? targetOf(withObject ? annotating : tables.grants, members, random)
      : byChance()
    const { userId, project } = target
    const check: Check = { user: userAs(login(userId), userId, random), project, permission: target.permission }
    if (withObject) {
      check.permission = 'can_annotate'
      check.object = objectFor(userId, groupsOfUser.get(userId) ?? [], users.length, login, random)
    }
    if (random.chance(BY_TOKEN)) check.via = 'token'
    return check
  }
}

function userAs(username: string, id: number, random: Random): Check['user'] {
  if (id === 1) return null
  return random.chance(BY_USER_ID) ? id : username
}

/** A grant by chance, most of them of groups, and somebody who holds it. */
function targetOf(grants: GrantState[], members: Map<number, MembershipState[]>, random: Random): Target {
  const ofGroup = random.chance(THROUGH_GROUPS)
  for (;;) {
    const { userId, groupId, projectId, permission } = random.pick(grants)
    const holders = groupId === null ? [] : (members.get(groupId) ?? [])
    if (ofGroup ? holders.length === 0 : userId === null) continue
    return {
      userId: userId ?? random.pick(holders).userId,
      project: projectId,
      permission: covered(permission, random),
    }
  }
}

function covered(permission: Permission, random: Random): Permission {
  if (permission !== 'can_administer') return permission
  return random.pick(['can_administer', 'can_annotate', 'can_browse', 'can_import', 'can_fork'] as const)
}

/** Own data, a colleague's whose group the user is in, data that the user imported, and other people's. */
function objectFor(
  userId: number,
  memberships: MembershipState[],
  users: number,
  login: (id: number) => string,
  random: Random,
): { creator: string; importer?: string } {
  const stranger = () => login(1 + random.below(users))
  const colleagues = memberships.filter(({ groupId }) => groupId <= users)
  const turn = random.below(20)
  if (turn < 6) return { creator: login(userId) }
  if (turn < 13) return { creator: colleagues.length > 0 ? login(random.pick(colleagues).groupId) : stranger() }
  if (turn < 16) return { creator: stranger(), importer: login(userId) }
  return random.chance(0.5) ? { creator: stranger() } : { creator: stranger(), importer: stranger() }
}
