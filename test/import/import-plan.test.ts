import fc from 'fast-check'
import t from 'tap'
import { type HereState, type ImportPlan, planImport } from '../../src/import/import-plan.ts'
import { renumbered } from '../../src/import/import-renumbering.ts'
import { type Fields, IMPORT_KINDS, type ImportRows, noRows } from '../../src/import/import-row.ts'

const USERS = [1, 2, 3, 4]
const GROUPS = [11, 12]
const PROJECTS = [21, 22]
const RUNS = 3_000

/** A source over a handful of ids: whoever is there, is there with random fields; links only between those. */
const anySource: fc.Arbitrary<ImportRows> = fc
  .record({
    users: fc.subarray(USERS, { minLength: 2 }),
    active: fc.subarray(USERS, { minLength: 1 }),
    superusers: fc.subarray(USERS, { minLength: 2 }),
    emails: fc.array(fc.constantFrom('', 'a', 'b'), { minLength: 4, maxLength: 4 }),
    passwords: fc.array(fc.constantFrom('p', 'q'), { minLength: 4, maxLength: 4 }),
    logins: fc.array(fc.constantFrom(null, '2026-01-01T00:00:00+00:00', '2026-01-01T00:00:00.5+00:00'), {
      minLength: 4,
      maxLength: 4,
    }),
    groups: fc.subarray(GROUPS, { minLength: 1 }),
    names: fc.array(fc.constantFrom('x', 'y'), { minLength: 2, maxLength: 2 }),
    projects: fc.subarray(PROJECTS, { minLength: 1 }),
    memberships: fc.subarray(USERS.flatMap((userId) => GROUPS.map((groupId) => ({ userId, groupId })))),
    grants: fc.subarray(USERS.flatMap((userId) => PROJECTS.map((projectId) => ({ userId, projectId })))),
    primary: fc.subarray(USERS),
  })
  .map((drawn) => {
    const rows = noRows()
    for (const id of drawn.users) {
      const place = USERS.indexOf(id)
      rows.user.set(String(id), {
        username: `user ${id}`,
        email: drawn.emails[place] ?? '',
        isActive: drawn.active.includes(id),
        isSuperuser: drawn.superusers.includes(id),
        isAnonymous: false,
        generalPermissions: [],
        password: drawn.passwords[place] ?? '',
        lastLoginAt: drawn.logins[place] ?? null,
        isDeleted: false,
      })
    }
    for (const id of drawn.groups) rows.group.set(String(id), { name: `${drawn.names[GROUPS.indexOf(id)]} ${id}` })
    for (const id of drawn.projects) rows.project.set(String(id), { title: 'any' })
    for (const { userId, groupId } of drawn.memberships) {
      if (!drawn.users.includes(userId) || !drawn.groups.includes(groupId)) continue
      rows.membership.set(`${userId}:${groupId}`, { userId, groupId })
    }
    for (const { userId, projectId } of drawn.grants) {
      if (!drawn.users.includes(userId) || !drawn.projects.includes(projectId)) continue
      const fields = { userId, groupId: null, projectId, permission: 'can_browse' }
      rows.grant.set(`user:${userId}:${projectId}:can_browse`, fields)
    }
    for (const userId of drawn.users) {
      const primaryGroupId = drawn.primary.includes(userId) ? (drawn.groups[0] ?? null) : null
      rows.profile.set(String(userId), { userId, show_roi_tool: drawn.active.includes(userId), primaryGroupId })
    }
    return rows
  })

/** Something that somebody does here between two imports. */
type Deed = { deed: (typeof DEEDS)[number]; id: number; other: number }
const DEEDS = [
  'deactivate',
  'activate',
  'new email',
  'new password',
  'log in',
  'delete user',
  'rename group',
  'remove group',
  'remove project',
  'join',
  'leave',
  'grant',
  'revoke',
] as const
const anyDeed: fc.Arbitrary<Deed> = fc.record({
  deed: fc.constantFrom(...DEEDS),
  id: fc.constantFrom(...USERS),
  other: fc.constantFrom(0, 1),
})

const emptyHere = (): HereState => ({
  rows: noRows(),
  references: { group: new Set(), project: new Set() },
  anonymousId: null,
})

function copied(rows: ImportRows): ImportRows {
  const copy = noRows()
  for (const kind of IMPORT_KINDS) copy[kind] = new Map(rows[kind])
  return copy
}

/** Does a deed as the administration does it, where it is possible. */
function done(here: HereState, { deed, id, other }: Deed): HereState {
  const rows = copied(here.rows)
  const [groupId = 0, projectId = 0] = [GROUPS[other], PROJECTS[other]]
  const user = rows.user.get(String(id))
  const change = (fields: Fields) => rows.user.set(String(id), { ...user, ...fields })
  const isThere = user !== undefined && user.isDeleted !== true
  const drop = (field: string, value: number) => {
    for (const kind of ['membership', 'grant'] as const) {
      for (const [key, row] of rows[kind]) if (row[field] === value) rows[kind].delete(key)
    }
  }
  if (deed === 'deactivate' && isThere) change({ isActive: false, deactivatedByImport: false })
  if (deed === 'activate' && isThere) change({ isActive: true, deactivatedByImport: false })
  if (deed === 'new email' && isThere) change({ email: 'here' })
  if (deed === 'new password' && isThere) change({ password: 'here' })
  if (deed === 'log in' && isThere) change({ lastLoginAt: '2026-06-01T00:00:00+00:00' })
  if (deed === 'delete user' && isThere) {
    change({ email: '', password: null, isActive: false, isSuperuser: false, lastLoginAt: null, isDeleted: true })
    change({ ...rows.user.get(String(id)), deactivatedByImport: false })
    drop('userId', id)
    rows.profile.delete(String(id))
  }
  if (deed === 'rename group' && rows.group.has(String(groupId)))
    rows.group.set(String(groupId), { name: `z ${groupId}` })
  if (deed === 'remove group') {
    rows.group.delete(String(groupId))
    drop('groupId', groupId)
    for (const [key, row] of rows.profile) {
      if (row.primaryGroupId === groupId) rows.profile.set(key, { ...row, primaryGroupId: null })
    }
  }
  if (deed === 'remove project') {
    rows.project.delete(String(projectId))
    drop('projectId', projectId)
  }
  if (deed === 'join' && isThere && rows.group.has(String(groupId)) && !rows.membership.has(`${id}:${groupId}`)) {
    rows.membership.set(`${id}:${groupId}`, { userId: id, groupId, madeHere: true })
  }
  if (deed === 'leave') rows.membership.delete(`${id}:${groupId}`)
  const grant = `user:${id}:${projectId}:can_browse`
  if (deed === 'grant' && isThere && rows.project.has(String(projectId)) && !rows.grant.has(grant)) {
    rows.grant.set(grant, { userId: id, groupId: null, projectId, permission: 'can_browse', madeHere: true })
  }
  if (deed === 'revoke') rows.grant.delete(grant)
  return { ...here, rows }
}

/** What the database does with a plan, once more over maps. */
function carriedOut(
  plan: ImportPlan,
  here: HereState,
  baseline: ImportRows,
): { here: HereState; baseline: ImportRows } {
  const rows = copied(plan.renumber === null ? here.rows : renumbered(here.rows, plan.renumber))
  for (const { kind, key } of plan.removes) rows[kind].delete(key)
  for (const { kind, key, fields, changed } of plan.updates) {
    const isSwitched = kind === 'user' && changed.includes('isActive')
    rows[kind].set(key, { ...fields, ...(isSwitched && { deactivatedByImport: fields.isActive !== true }) })
  }
  for (const { kind, key, fields } of plan.creates) {
    rows[kind].set(key, { ...fields, ...(kind === 'user' && { deactivatedByImport: fields.isActive !== true }) })
  }
  const kept = copied(baseline)
  for (const { kind, key } of plan.baseline.drop) kept[kind].delete(key)
  for (const { kind, key, fields } of plan.baseline.put) kept[kind].set(key, fields)
  return { here: { ...here, rows }, baseline: kept }
}

type Story = { source: ImportRows; deeds: Deed[] }[]
const anyStory: fc.Arbitrary<Story> = fc.array(
  fc.record({ source: anySource, deeds: fc.array(anyDeed, { maxLength: 10 }) }),
  { minLength: 1, maxLength: 4 },
)

type Step = {
  source: ImportRows
  before: HereState
  baseline: ImportRows
  plan: ImportPlan
  after: HereState
  next: ImportRows
}

/** Imports again and again, with deeds in between; `check` sees every import that was not refused. */
function told(story: Story, check: (step: Step) => void): void {
  let here = emptyHere()
  let baseline = noRows()
  for (const { source, deeds } of story) {
    const plan = planImport({ rows: source, anonymousId: null }, baseline, here)
    if (plan.collisions.length === 0) {
      const result = carriedOut(plan, here, baseline)
      check({ source, before: here, baseline, plan, after: result.here, next: result.baseline })
      here = result.here
      baseline = result.baseline
    }
    here = deeds.reduce(done, here)
  }
}

const holds = (check: (step: Step) => void) =>
  fc.assert(
    fc.property(anyStory, (story) => told(story, check)),
    { numRuns: RUNS },
  )

function demand(condition: boolean, what: string): void {
  if (!condition) throw new Error(what)
}

t.test('an import that is run again at once has nothing to do', async (t) => {
  let imports = 0
  holds(({ source, after, next }) => {
    imports += 1
    const again = planImport({ rows: source, anonymousId: null }, next, after)
    const { creates, updates, removes, baseline, collisions } = again
    const written = [...creates, ...updates, ...removes]
    demand(written.length === 0, `written again: ${JSON.stringify(written)}`)
    demand(baseline.put.length + baseline.drop.length === 0, 'the baseline moves')
    demand(collisions.length === 0, 'it collides with itself')
  })
  t.ok(imports > RUNS, `${imports} imports`)
})

t.test('links: what is here afterwards is what source, last import and here say together', async (t) => {
  const seen: Record<string, number> = {}
  holds(({ source, before, baseline, after }) => {
    for (const kind of ['membership', 'grant'] as const) {
      for (const key of new Set([...source[kind].keys(), ...before.rows[kind].keys(), ...baseline[kind].keys()])) {
        const [there, last] = [source[kind].get(key), baseline[kind].has(key)]
        const ours = before.rows[kind].get(key)
        let wanted: boolean
        if (ours !== undefined && !last) wanted = true
        else if (ours === undefined && last) wanted = false
        else if (ours !== undefined) wanted = there !== undefined || ours.madeHere === true
        else wanted = there !== undefined && parentsStand(there, after)
        const name = `${there ? 'S' : '-'}${last ? 'B' : '-'}${ours ? 'H' : '-'}`
        seen[name] = (seen[name] ?? 0) + 1
        demand(after.rows[kind].has(key) === wanted, `${kind} ${key} (${name})`)
      }
    }
  })
  for (const name of ['S--', 'SB-', 'S-H', 'SBH', '-B-', '--H', '-BH'])
    t.ok((seen[name] ?? 0) > 50, `${name}: ${seen[name]}`)
})

function parentsStand({ userId, groupId = null, projectId = null }: Fields, { rows }: HereState): boolean {
  const user = rows.user.get(String(userId))
  return (
    user !== undefined &&
    user.isDeleted !== true &&
    (groupId === null || rows.group.has(String(groupId))) &&
    (projectId === null || rows.project.has(String(projectId)))
  )
}

t.test('a field that was changed here since the last import stays, any other follows the source', async (t) => {
  let kept = 0
  let followed = 0
  holds(({ source, before, baseline, after, plan }) => {
    for (const [key, there] of source.user) {
      const [last, ours, now] = [baseline.user.get(key), before.rows.user.get(key), after.rows.user.get(key)]
      if (last === undefined || ours === undefined || now === undefined) continue
      if (ours.isDeleted === true || last.isDeleted === true) continue
      for (const field of ['email', 'password', 'isSuperuser']) {
        const isChangedHere = ours[field] !== last[field]
        demand(now[field] === (isChangedHere ? ours[field] : there[field]), `user ${key}: ${field}`)
        if (isChangedHere && ours[field] !== there[field]) {
          kept += 1
          demand(
            plan.kept.some((entry) => entry.kind === 'user' && entry.key === key && entry.field === field),
            `user ${key}: ${field} is not listed`,
          )
        } else if (!isChangedHere && ours[field] !== there[field]) followed += 1
      }
    }
  })
  t.ok(kept > 100 && followed > 100, `${kept} kept, ${followed} followed`)
})

t.test('an account that was deactivated or deleted here is never active afterwards', async (t) => {
  let deactivated = 0
  holds(({ before, after }) => {
    for (const [key, ours] of before.rows.user) {
      if (ours.isActive === true || ours.deactivatedByImport === true) continue
      deactivated += 1
      demand(after.rows.user.get(key)?.isActive === false, `user ${key}`)
    }
  })
  t.ok(deactivated > 100, `${deactivated} accounts`)
})

t.test('a user whom the source dropped is inactive and no superuser, unless that was decided here', async (t) => {
  let dropped = 0
  holds(({ source, before, baseline, after }) => {
    for (const [key, last] of baseline.user) {
      const [ours, now] = [before.rows.user.get(key), after.rows.user.get(key)]
      if (source.user.has(key) || ours === undefined) continue
      dropped += 1
      demand(now !== undefined && now.username === ours.username, `user ${key} is gone`)
      if (ours.isActive === last.isActive) demand(now?.isActive === false, `user ${key} is active`)
      if (ours.isSuperuser === last.isSuperuser) demand(now?.isSuperuser === false, `user ${key} is a superuser`)
    }
  })
  t.ok(dropped > 100, `${dropped} users`)
})

t.test('nothing that was made here is ever touched, and nothing refers to what is not there', async (t) => {
  let made = 0
  holds(({ before, baseline, after }) => {
    for (const kind of IMPORT_KINDS) {
      for (const [key, ours] of before.rows[kind]) {
        if (baseline[kind].has(key)) continue
        made += 1
        demand(after.rows[kind].get(key) === ours, `${kind} ${key} was touched`)
      }
    }
    for (const row of [
      ...after.rows.membership.values(),
      ...after.rows.grant.values(),
      ...after.rows.profile.values(),
    ]) {
      const { userId, groupId = null, projectId = null, primaryGroupId = null } = row
      demand(after.rows.user.has(String(userId)), 'a row without its user')
      for (const id of [groupId, primaryGroupId]) {
        demand(id === null || after.rows.group.has(String(id)), 'a row without its group')
      }
      demand(projectId === null || after.rows.project.has(String(projectId)), 'a row without its project')
    }
  })
  t.ok(made > 100, `${made} rows`)
})
