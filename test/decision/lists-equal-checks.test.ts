import t from 'tap'
import type { Via } from '../../src/decision/decide.ts'
import { PERMISSIONS, type PolicyTables } from '../../src/decision/policy-state.ts'
import { permissionsOf, projectsOf, usersOf } from '../../src/decision/reverse-lookups.ts'
import { type Snapshot, snapshotOf } from '../../src/decision/snapshot.ts'
import { engineDecides } from './engine-comparison.ts'
import { oraclePermissionsOf, oracleProjectsOf, oracleUsersOf } from './oracle.ts'
import { modelOf, policyAsShipped } from './policy-as-shipped.ts'
import { Chance, INSTANT, randomChange, randomTables } from './random-world.ts'

/** RANDOM_SEED repeats a run; without it every run tries other policies. */
const SEED = Number(process.env.RANDOM_SEED ?? Date.now() % 2 ** 31)
const MODEL = modelOf(policyAsShipped())

/** A policy, and the engine's snapshot of it, at an instant. */
type World = { tables: PolicyTables; snapshot: Snapshot; via: Via; instant: number; where: string }

t.test('every list is the set made by checking one by one (D10)', async (t) => {
  t.comment(`RANDOM_SEED=${SEED}`)
  const chance = new Chance(SEED)
  const counts = { lists: 0, rows: 0 }
  for (let world = 0; world < 250; world++) {
    const tables = randomTables(chance)
    const snapshot = snapshotOf(MODEL, tables, 1)
    for (let change = chance.between(0, 4); change > 0; change--) snapshot.apply(randomChange(chance, tables))
    const via = chance.pick(['session', 'token'] as const)
    const instant = INSTANT + chance.pick([-1, 0, 0, 1, 1000])
    const unequal = firstUnequalList({ tables, snapshot, via, instant, where: `policy ${world}` }, counts)
    if (unequal) return t.fail(`RANDOM_SEED=${SEED}: a list differs from the checks`, { ...unequal, tables })
  }
  t.ok(counts.rows > counts.lists / 5, `${counts.lists} lists with ${counts.rows} rows`)
})

function firstUnequalList(world: World, counts: { lists: number; rows: number }): object | null {
  for (const { name, list, checks, rules } of listsOf(world)) {
    counts.lists += 1
    counts.rows += list.length
    if (JSON.stringify(list) !== JSON.stringify(checks) || JSON.stringify(list) !== JSON.stringify(rules)) {
      return { name, list, checks, rules, via: world.via, instant: world.instant, where: world.where }
    }
  }
  return null
}

type List = { name: string; list: unknown[]; checks: unknown[]; rules: unknown[] }

function* listsOf({ tables, snapshot, via, instant }: World): Generator<List> {
  const userIds = [...ascending(tables.users), 77]
  const projectIds = [...ascending(tables.projects), 99]
  const may = (user: number, project: number, permission: string) =>
    engineDecides(snapshot, { user, project, permission, via }, instant).allowed
  for (const permission of [...PERMISSIONS, 'everything']) {
    for (const user of userIds) {
      yield {
        name: `projects of ${user} with ${permission}`,
        list: projectsOf(snapshot, user, permission, via, instant).map(({ id }) => id),
        checks: projectIds.filter((project) => may(user, project, permission)),
        rules: oracleProjectsOf(tables, user, permission, via, instant),
      }
    }
    for (const project of projectIds) {
      yield {
        name: `users with ${permission} on ${project}`,
        list: usersOf(snapshot, project, permission, via, instant).map(({ id }) => id),
        checks: userIds.filter((user) => may(user, project, permission)),
        rules: oracleUsersOf(tables, project, permission, via, instant),
      }
    }
  }
  for (const user of userIds) {
    for (const project of projectIds) {
      yield {
        name: `permissions of ${user} on ${project}`,
        list: permissionsOf(snapshot, user, project, via, instant),
        checks: PERMISSIONS.filter((permission) => may(user, project, permission)),
        rules: oraclePermissionsOf(tables, user, project, via, instant),
      }
    }
  }
}

function ascending(rows: readonly { id: number }[]): number[] {
  return rows.map(({ id }) => id).sort((one, other) => one - other)
}

t.test('pages of a list, up and down, hold the rows of the whole list', async (t) => {
  const chance = new Chance(11)
  for (let world = 0; world < 50; world++) {
    const tables = randomTables(chance)
    const snapshot = snapshotOf(MODEL, tables, 1)
    const user = chance.pick(tables.users).id
    const project = chance.pick(tables.projects).id
    const descending = chance.happens(0.5)
    const limit = chance.between(1, 2)
    const projects = pages(descending, (after) =>
      projectsOf(snapshot, user, 'can_annotate', 'session', INSTANT, { after, limit, descending }),
    )
    const users = pages(descending, (after) =>
      usersOf(snapshot, project, 'can_annotate', 'session', INSTANT, { after, limit, descending }),
    )
    t.same(projects, oracleProjectsOf(tables, user, 'can_annotate', 'session', INSTANT))
    t.same(users, oracleUsersOf(tables, project, 'can_annotate', 'session', INSTANT))
  }
})

/** The ids of all pages, in ascending order whichever way they were read. */
function pages(descending: boolean, page: (after: number | null) => { id: number }[]): number[] {
  const ids: number[] = []
  for (let rows = page(null); rows.length > 0; rows = page(ids.at(-1) ?? null)) ids.push(...rows.map(({ id }) => id))
  return descending ? ids.reverse() : ids
}

t.test('who may, and through what: a list names a grant or rule for everybody on it', async (t) => {
  const chance = new Chance(12)
  let listed = 0
  for (let world = 0; world < 50; world++) {
    const tables = randomTables(chance)
    const project = chance.pick(tables.projects).id
    for (const { id, grants } of usersOf(snapshotOf(MODEL, tables, 1), project, 'can_browse', 'session', INSTANT)) {
      listed += 1
      if (grants.length === 0) t.fail(`user ${id} is listed without a grant`)
    }
  }
  t.ok(listed > 20, `${listed} users listed`)
})
