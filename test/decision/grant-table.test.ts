import t from 'tap'
import { allowedOf, deniedOf, type Grant, GrantTable, hasTimed } from '../../src/decision/grant-table.ts'
import { HoldingTable } from '../../src/decision/holding-table.ts'
import { ABSENT, IdIndex } from '../../src/decision/id-index.ts'
import { IN_EVERY_PROJECT, MembershipTable } from '../../src/decision/membership-table.ts'
import { PERMISSIONS } from '../../src/decision/policy-state.ts'
import { Chance } from './random-world.ts'

t.test('a table of holdings answers as a Map does, through growth, replacement and removal', async (t) => {
  const chance = new Chance(11)
  const map = new HoldingTable()
  const reference = new Map<string, number>()
  const pairs: [number, number][] = []
  for (let step = 0; step < 60_000; step += 1) {
    if (pairs.length > 0 && chance.happens(0.35)) {
      const [first, second] = chance.pick(pairs)
      map.delete(first, second)
      reference.delete(`${first} ${second}`)
    } else {
      const pair: [number, number] = [chance.between(0, 300), chance.between(0, 2 ** 31 - 2) % 400]
      pairs.push(pair)
      map.set(...pair, step % 2 ** 15, step)
      reference.set(pair.join(' '), step)
    }
  }
  const wrong = pairs.filter(
    ([first, second]) =>
      map.head(first, second) !== (reference.get(`${first} ${second}`) ?? ABSENT) ||
      map.bits(first, second) !== (reference.get(`${first} ${second}`) ?? 0) % 2 ** 15,
  )
  t.same(wrong, [])
  t.equal(map.size, reference.size)
  t.same(new Map([...map.entries()].map(([first, second, , head]) => [`${first} ${second}`, head])), reference)
})

t.test('a table of grants holds what a list of them holds, through a hundred thousand changes', async (t) => {
  const chance = new Chance(12)
  const table = new GrantTable()
  const reference = new Map<number, { project: number; principal: number; grant: Grant }>()
  for (let step = 0; step < 100_000; step += 1) {
    const id = chance.between(1, 30_000)
    if (chance.happens(0.3)) {
      table.delete(id)
      reference.delete(id)
      continue
    }
    const timed = chance.happens(0.1)
    const grant: Grant = {
      id,
      permission: chance.pick(PERMISSIONS),
      effect: chance.happens(0.2) ? 'deny' : 'allow',
      validFrom: timed ? chance.between(0, 1000) : null,
      validUntil: timed && chance.happens(0.5) ? chance.between(1001, 2000) : null,
    }
    const at = { project: chance.between(0, 300), principal: chance.between(0, 300) }
    table.put(at.project, at.principal, grant)
    reference.set(id, { ...at, grant })
  }
  const byId = (rows: Iterable<{ grant: Grant }>) => [...rows].sort((a, b) => a.grant.id - b.grant.id)
  t.same(byId(table.all()), byId(reference.values()))
  t.equal(table.size, reference.size)
  for (let principal = 0; principal <= 300; principal += 1) {
    const rows = [...reference.values()].filter((row) => row.principal === principal)
    t.same([...table.projectsOf(principal)].sort(), [...new Set(rows.map(({ project }) => project))].sort())
  }
  t.same(wrongBits(table, [...reference.values()]), [])
})

t.test('an index of ids answers as a Map does, for ids far apart and below zero too', async (t) => {
  const chance = new Chance(13)
  const index = new IdIndex()
  const reference = new Map<number, number>()
  for (let step = 0; step < 60_000; step += 1) {
    const id = chance.happens(0.1) ? chance.between(-(2 ** 31), 2 ** 31 - 1) : chance.between(-3000, 3000)
    if (chance.happens(0.4)) {
      index.delete(id)
      reference.delete(id)
    } else {
      index.set(id, step)
      reference.set(id, step)
    }
  }
  const wrong = Array.from({ length: 7000 }, (_, place) => place - 3500).filter(
    (id) => index.get(id) !== (reference.get(id) ?? ABSENT),
  )
  t.same(wrong, [])
  t.same(
    [...reference].filter(([id, value]) => index.get(id) !== value),
    [],
  )
  t.equal(index.size, reference.size)
})

t.test('a table of memberships holds what a list of them holds, through a hundred thousand changes', async (t) => {
  const chance = new Chance(14)
  const table = new MembershipTable()
  const slices = Array.from({ length: 200 }, () => ({ start: 0, count: 0, room: 0 }))
  slices.forEach((slice, user) => {
    table.open(user, slice)
  })
  const reference = new Map<number, { user: number; id: number; group: number; project: number }>()
  for (let step = 0; step < 100_000; step += 1) {
    const id = chance.between(-10, 3000)
    table.delete(id)
    reference.delete(id)
    if (chance.happens(0.4)) continue
    const project = chance.happens(0.5) ? IN_EVERY_PROJECT : chance.between(0, 50)
    const membership = { user: chance.between(0, 199), id, group: chance.between(0, 300), project }
    table.put(membership.user, membership)
    reference.set(id, membership)
  }
  for (const [user, slice] of slices.entries()) {
    const expected = [...reference.values()].filter((row) => row.user === user)
    t.same(
      table.of(slice),
      expected.map(({ id, group, project }) => ({ id, group, project })),
      `of user ${user}`,
    )
  }
  t.equal(table.size, reference.size)
})

/** The holdings whose bits are not what their untimed grants say. */
function wrongBits(table: GrantTable, rows: { project: number; principal: number; grant: Grant }[]): string[] {
  const holdings = new Map<string, typeof rows>()
  for (const row of rows) {
    const key = `${row.project} ${row.principal}`
    holdings.set(key, [...(holdings.get(key) ?? []), row])
  }
  const bits = (grants: Grant[]) =>
    grants.reduce((sum, { permission }) => sum | (1 << PERMISSIONS.indexOf(permission)), 0)
  return [...holdings].flatMap(([key, held]) => {
    const [project = 0, principal = 0] = key.split(' ').map(Number)
    const bitsHeld = table.held(project, principal)
    const grants = held.map(({ grant }) => grant)
    const untimed = grants.filter(({ validFrom, validUntil }) => validFrom === null && validUntil === null)
    const isRight =
      allowedOf(bitsHeld) === bits(untimed.filter(({ effect }) => effect === 'allow')) &&
      deniedOf(bitsHeld) === bits(untimed.filter(({ effect }) => effect === 'deny')) &&
      hasTimed(bitsHeld) === untimed.length < grants.length
    return isRight ? [] : [key]
  })
}
