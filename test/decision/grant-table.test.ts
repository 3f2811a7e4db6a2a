import t from 'tap'
import { type Grant, GrantTable, NO_HOLDING } from '../../src/decision/grant-table.ts'
import { ABSENT, IntMap } from '../../src/decision/int-map.ts'
import { PERMISSIONS } from '../../src/decision/policy-state.ts'
import { Chance } from './random-world.ts'

t.test('a map of pairs answers as a Map does, through growth, replacement and removal', async (t) => {
  const chance = new Chance(11)
  const map = new IntMap()
  const reference = new Map<string, number>()
  const pairs: [number, number][] = []
  for (let step = 0; step < 60_000; step += 1) {
    if (pairs.length > 0 && chance.happens(0.35)) {
      const [first, second] = chance.pick(pairs)
      map.delete(first, second)
      reference.delete(`${first} ${second}`)
    } else {
      const pair: [number, number] = [chance.between(-50, 2 ** 31 - 1) % 4000, chance.between(-1, 40)]
      pairs.push(pair)
      map.set(...pair, step)
      reference.set(pair.join(' '), step)
    }
  }
  const wrong = pairs.filter(
    ([first, second]) => map.get(first, second) !== (reference.get(`${first} ${second}`) ?? ABSENT),
  )
  t.same(wrong, [])
  t.equal(map.size, reference.size)
  t.same(new Map([...map.entries()].map(([first, second, value]) => [`${first} ${second}`, value])), reference)
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
  t.same(wrongBits(table, [...reference.values()]), [])
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
    const holding = table.holding(project, principal)
    if (holding === NO_HOLDING) return [`${key} is missing`]
    const grants = held.map(({ grant }) => grant)
    const untimed = grants.filter(({ validFrom, validUntil }) => validFrom === null && validUntil === null)
    const isRight =
      table.allowed(holding) === bits(untimed.filter(({ effect }) => effect === 'allow')) &&
      table.denied(holding) === bits(untimed.filter(({ effect }) => effect === 'deny')) &&
      table.hasTimed(holding) === untimed.length < grants.length
    return isRight ? [] : [key]
  })
}
