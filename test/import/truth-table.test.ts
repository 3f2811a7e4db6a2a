import t, { type Test } from 'tap'
import { decide, type Via } from '../../src/decision/decide.ts'
import { type GrantState, PERMISSIONS, type PolicyChange, type PolicyTables } from '../../src/decision/policy-state.ts'
import { projectsOf } from '../../src/decision/reverse-lookups.ts'
import { type Snapshot, snapshotOf } from '../../src/decision/snapshot.ts'
import { PolicySourceStore } from '../../src/policy/policy-source-store.ts'
import { modelOf, policyAsShipped } from '../decision/policy-as-shipped.ts'
import { testDatabase } from '../harness/database.ts'
import { catmaidDatabase, readTruth } from './catmaid-database.ts'
import { runImport } from './import-run.ts'
import {
  type AsInCatmaid,
  may,
  mayEdit,
  type RestatedSite,
  readRestatedSite,
  visibleProjects,
  withEverybodyActive,
  withPermissionsAside,
} from './restated-site.ts'

const NOW = Date.UTC(2026, 10, 22)
const truth = readTruth()
const model = modelOf(policyAsShipped())
const source = await catmaidDatabase(t)
const site = await readRestatedSite(source)
const here = await testDatabase(t)
const policies = new PolicySourceStore(here)
const before = await readSnapshot()
const { exitCode } = await runImport(source.url, here.url, {})
if (exitCode !== 0) throw new Error('the import was refused')
const tables = await readTables()
const imported = snapshotOf(model, tables, 2)

async function readTables(): Promise<PolicyTables> {
  const rows: PolicyChange[] = []
  await policies.readAll((batch) => rows.push(...batch))
  const of = <Kind extends PolicyChange['kind']>(kind: Kind) =>
    rows.filter((row) => row.kind === kind).map(({ state }) => state) as NonNullable<
      Extract<PolicyChange, { kind: Kind }>['state']
    >[]
  return {
    users: of('user'),
    groups: of('group'),
    projects: of('project'),
    memberships: of('membership'),
    grants: of('grant'),
    serviceKeys: of('serviceKey'),
  }
}

async function readSnapshot(): Promise<Snapshot> {
  return snapshotOf(model, await readTables(), 1)
}

/** The imported policy with everybody active and allowed to annotate everywhere. */
function permissionsAside({ superusers }: { superusers: boolean }): Snapshot {
  const grants = tables.users.flatMap(({ id: userId }) =>
    tables.projects.map(
      ({ id: projectId }, place): GrantState => ({
        id: 1_000_000 + userId * 1000 + place,
        userId,
        groupId: null,
        projectId,
        permission: 'can_annotate',
        effect: 'allow',
        validFrom: null,
        validUntil: null,
      }),
    ),
  )
  const users = tables.users.map((user) => ({
    ...user,
    isActive: true,
    isSuperuser: superusers && user.isSuperuser,
  }))
  return snapshotOf(model, { ...tables, users, grants: [...tables.grants, ...grants] }, 2)
}

/** One answer: of the service, of the rules, and of CATMAID; and what the rules say with one of them as CATMAID's. */
type Cell = { name: string; ours: boolean; byRules: boolean; catmaid: boolean; with: (rule: AsInCatmaid) => boolean }

const RULES = ['D2', 'D7', 'D8', 'D9', 'D10'] as const

/** Asserts every cell, and tells how many differ from CATMAID, by the rules that explain the difference. */
function compare(test: Test, cells: Cell[], expected: Record<string, number>): void {
  const wrong = cells.filter(({ ours, byRules }) => ours !== byRules)
  test.same(
    wrong.map(({ name }) => name),
    [],
    'every answer of the service is the one by the rules',
  )
  const differing = cells.filter(({ ours, catmaid }) => ours !== catmaid)
  const counts: Record<string, number> = {}
  for (const cell of differing) counts[reasonOf(cell)] = (counts[reasonOf(cell)] ?? 0) + 1
  test.same(counts, expected, 'what differs from CATMAID differs by these rules')
  const rules = Object.entries(counts).map(([rule, count]) => `, ${count} differ by ${rule}`)
  test.comment(`${cells.length} cells: ${cells.length - differing.length} agree with CATMAID${rules.join('')}`)
}

/** The one rule that has to be taken as CATMAID has it to get CATMAID's answer, or the two. */
function reasonOf(cell: Cell): string {
  const single = RULES.find((rule) => cell.with({ [rule]: true }) === cell.catmaid)
  if (single !== undefined) return single
  const pairs = RULES.flatMap((one, place) => RULES.slice(place + 1).map((other) => [one, other] as const))
  const pair = pairs.find(([one, other]) => cell.with({ [one]: true, [other]: true }) === cell.catmaid)
  return pair?.join(' and ') ?? `unexplained: ${cell.name}`
}

const creators = truth.users.map(({ id }) => id)
const key = String

t.test('permissions.session: who may do what in which project', async (test) => {
  compare(
    test,
    permissionCells(
      'session',
      truth.users.map(({ id }) => id),
      PERMISSIONS,
    ),
    {},
  )
})

t.test('permissions.token: the same by API token', async (test) => {
  const asked = Object.keys(truth.permissions.token).map(Number)
  const roles = PERMISSIONS.filter((permission) => permission !== 'can_annotate_with_token')
  compare(test, permissionCells('token', asked, roles), { D7: 2, D8: 64 })
})

function permissionCells(via: Via, users: number[], permissions: readonly string[]): Cell[] {
  return users.flatMap((user) =>
    truth.projects.flatMap(({ id: project }) =>
      permissions.map((permission) => ({
        name: `user ${user}, project ${project}, ${permission} by ${via}`,
        ours: decide(imported, { user, project, permission, via }, NOW).allowed,
        byRules: may(site, [user, project, permission], via),
        catmaid: truth.permissions[via][key(user)]?.[key(project)]?.includes(permission) ?? false,
        with: (rule) => may(site, [user, project, permission], via, rule),
      })),
    ),
  )
}

t.test('edit.session: whose objects an account may edit', async (test) => {
  compare(test, editCells('session'), { D2: 6 })
})

t.test('edit.token: the same by API token', async (test) => {
  compare(test, editCells('token'), { D2: 6, D8: 1 })
})

function editCells(via: Via): Cell[] {
  return Object.entries(truth.edit[via]).flatMap(([user, byProject]) =>
    Object.entries(byProject).flatMap(([project, allowed]) =>
      creators.map((creator) =>
        editCell(imported, site, {
          user: Number(user),
          project: Number(project),
          objects: [{ creator }],
          via,
          catmaid: allowed.includes(creator),
        }),
      ),
    ),
  )
}

t.test('edit.domain: whose data an account may edit, permissions and superusers aside', async (test) => {
  const aside = permissionsAside({ superusers: false })
  const restated = withPermissionsAside(site, { superusers: false })
  const cells = Object.entries(truth.edit.domain).flatMap(([user, domain]) =>
    creators.map((creator) =>
      editCell(aside, restated, {
        user: Number(user),
        project: 1,
        objects: [{ creator }],
        catmaid: domain.includes(creator),
      }),
    ),
  )
  compare(test, cells, {})
})

t.test('edit.imported: the same of data that somebody imported, permissions aside', async (test) => {
  const aside = permissionsAside({ superusers: true })
  const restated = withPermissionsAside(site, { superusers: true })
  const known = truth.users.filter(({ username }) => !/\s/.test(username)).map(({ id }) => id)
  const cells = Object.entries(truth.edit.imported).flatMap(([importer, byUser]) =>
    Object.entries(byUser).flatMap(([user, allowed]) =>
      known.map((creator) =>
        editCell(aside, restated, {
          user: Number(user),
          project: 1,
          objects: [{ creator, importer: Number(importer) }],
          catmaid: allowed.includes(creator),
        }),
      ),
    ),
  )
  compare(test, cells, {})
})

t.test('edit.sets: several objects at once, permissions aside', async (test) => {
  const aside = permissionsAside({ superusers: true })
  const restated = withPermissionsAside(site, { superusers: true })
  const cells = truth.edit.sets.map(({ user, owners, allowed }) =>
    editCell(aside, restated, { user, project: 1, objects: owners.map((creator) => ({ creator })), catmaid: allowed }),
  )
  compare(test, cells, {})
})

t.test('edit.importedSets: several objects at once, some of them imported, permissions aside', async (test) => {
  const aside = permissionsAside({ superusers: true })
  const restated = withPermissionsAside(site, { superusers: true })
  const cells = truth.edit.importedSets.map(({ importer, user, owners, imported: marks, allowed }) => {
    const objects = owners.map((creator, place) => (marks[place] ? { creator, importer } : { creator }))
    return editCell(aside, restated, { user, project: 1, objects, catmaid: allowed === 'True' })
  })
  compare(test, cells, { D9: 1 })
})

type Edit = {
  user: number
  project: number
  objects: { creator: number; importer?: number }[]
  via?: Via
  catmaid: boolean
}

/** Several objects are asked at once and one by one; both must say the same. */
function editCell(snapshot: Snapshot, restated: RestatedSite, { user, project, objects, via, catmaid }: Edit): Cell {
  const ask = (asked: Edit['objects']) =>
    decide(snapshot, { user, project, permission: 'can_annotate', via, objects: asked }, NOW).allowed
  const ours = ask(objects)
  if (ours !== objects.every((object) => ask([object]))) throw new Error('several objects are not the AND of each')
  return {
    name: `user ${user}, project ${project}, ${JSON.stringify(objects)} by ${via ?? 'session'}`,
    ours,
    byRules: mayEdit(restated, [user, project, objects], via ?? 'session'),
    catmaid,
    with: (rule) => mayEdit(restated, [user, project, objects], via ?? 'session', rule),
  }
}

t.test('visible: the projects an account sees, where CATMAID leaves the active flag out of account', async (test) => {
  const active = withEverybodyActive(site)
  const cells = visibleCells(truth.visible, (user, { D2, ...rules }) =>
    visibleProjects(D2 ? active : site, user, rules),
  )
  compare(test, cells, { D2: 45, D10: 12, 'D2 and D10': 1 })
})

t.test('visibleInSession: the projects an account sees', async (test) => {
  compare(
    test,
    visibleCells(truth.visibleInSession, (user, rules) => visibleProjects(site, user, rules)),
    { D2: 12, D10: 12 },
  )
})

function visibleCells(
  listed: Record<string, number[]>,
  byRules: (user: number, rules: AsInCatmaid) => number[],
): Cell[] {
  return Object.entries(listed).flatMap(([user, projects]) => {
    const ours = projectsOf(imported, Number(user), 'can_browse', 'session', NOW).map(({ id }) => id)
    return truth.projects.map(({ id }) => ({
      name: `user ${user}, project ${id}`,
      ours: ours.includes(id),
      byRules: byRules(Number(user), {}).includes(id),
      catmaid: projects.includes(id),
      with: (rule) => byRules(Number(user), rule).includes(id),
    }))
  })
}

t.test(
  'a snapshot that follows the change feed of the import decides like one that is read afterwards',
  async (test) => {
    const sets = await policies.changesSince(1, 10)
    test.equal(sets?.length, 1, 'the import is one revision')
    for (const { changes } of sets ?? []) before.apply(changes ?? [])
    const differing: string[] = []
    for (const { id: user } of truth.users) {
      for (const { id: project } of truth.projects) {
        for (const creator of creators) {
          const request = { user, project, permission: 'can_annotate', object: { creator } }
          if (decide(before, request, NOW) !== decide(imported, request, NOW)) differing.push(JSON.stringify(request))
        }
      }
    }
    test.same(differing, [])
  },
)
