import fc from 'fast-check'
import t from 'tap'
import { pageOf, pageRequestOf } from '../../src/http/page.ts'
import { administration } from '../harness/administration.ts'

const SORTS = { id: 'integer', name: 'text', madeAt: 'time', size: 'bigint' } as const
const list = (query: object) => ({ url: '/v1/things?x', query })
const row = { id: 7, name: 'seven', madeAt: '2026-11-22 18:00:00.123456+00', size: 2 ** 40 }

/** The cursor after {@link row}. */
function cursorFor(query: object): string {
  const page = pageRequestOf(list(query), SORTS)
  const { nextCursor } = pageOf(list(query), { ...page, limit: 1 }, [row, row], (last) => last[page.sort])
  return String(nextCursor)
}
const asked = (query: object) => pageRequestOf(list(query), SORTS)
const refused = { code: 'invalid-cursor' }

t.test('a cursor brings back the place it was made for, whatever the key', (t) => {
  for (const sort of ['id', '-name', 'madeAt', '-size'] as const) {
    const key = sort.replace('-', '') as keyof typeof SORTS
    const page = asked({ sort, cursor: cursorFor({ sort }) })
    t.same(page, { limit: 50, sort: key, descending: sort !== key, after: { value: row[key], id: 7 } })
  }
  t.end()
})

t.test('a cursor holds for its list, sort and filters only, and for any size of page', (t) => {
  const cursor = cursorFor({ sort: 'name', owner: 'a' })
  t.ok(asked({ sort: 'name', owner: 'a', limit: 3, cursor }))
  for (const other of [
    { sort: '-name', owner: 'a' },
    { sort: 'id', owner: 'a' },
    { sort: 'name', owner: 'b' },
    { sort: 'name' },
  ]) {
    t.throws(() => asked({ ...other, cursor }), refused)
  }
  const query = { sort: 'name', owner: 'a', cursor }
  t.throws(() => pageRequestOf({ url: '/v1/others', query }, SORTS), refused)
  t.end()
})

t.test('a cursor that was changed anywhere is refused', (t) => {
  const cursor = cursorFor({ sort: 'name' })
  for (let at = 0; at < cursor.length; at++) {
    const changed = cursor.slice(0, at) + (cursor[at] === 'A' ? 'B' : 'A') + cursor.slice(at + 1)
    t.throws(() => asked({ sort: 'name', cursor: changed }), refused, `at ${at}`)
    t.throws(() => asked({ sort: 'name', cursor: cursor.slice(0, at) }), refused)
  }
  for (const padded of [`${cursor}=`, `${cursor}A`, ` ${cursor}`, `${cursor}\n`]) {
    t.throws(() => asked({ sort: 'name', cursor: padded }), refused)
  }
  t.end()
})

t.test('whatever is sent as a cursor, it is refused as one', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.constantFrom('id', 'name', '-madeAt', 'size'), (cursor, sort) => {
      try {
        asked({ sort, cursor })
        return false
      } catch (error) {
        return (error as { code?: string }).code === 'invalid-cursor'
      }
    }),
    { numRuns: 5000 },
  )
  t.end()
})

t.test('the last page has no cursor, a full last page neither', (t) => {
  const page = { ...asked({}), limit: 2 }
  t.equal(pageOf(list({}), page, [], () => 0).nextCursor, null)
  t.equal(pageOf(list({}), page, [row, row], () => 0).nextCursor, null)
  t.same(pageOf(list({}), page, [row, row, row], () => 0).items.length, 2)
  t.end()
})

t.test('pages give every row once, in order, while rows come and go', async (t) => {
  const admin = await administration(t)
  const names = Array.from({ length: 12 }, (_, n) => `g${String(n * 2).padStart(2, '0')}`)
  for (const name of names) await admin.expect(201, 'POST', '/v1/groups', { name })
  const seen: string[] = []
  let cursor: string | null = null
  do {
    const after: string = cursor === null ? '' : `&cursor=${cursor}`
    const page = await admin.expect(200, 'GET', `/v1/groups?sort=-name&limit=5${after}`)
    seen.push(...page.items.map(({ name }: { name: string }) => name))
    cursor = page.nextCursor
    if (seen.length === 5) {
      const { items } = await admin.expect(200, 'GET', `/v1/groups?name=${seen[4]}`)
      await admin.expect(200, 'DELETE', `/v1/groups/${items[0].id}`)
      await admin.expect(201, 'POST', '/v1/groups', { name: 'g99' })
    }
  } while (cursor !== null)
  t.same(seen, names.slice().reverse())
})

t.test('a cursor whose value would not fit the column never reaches the database', async (t) => {
  const admin = await administration(t)
  for (const cursor of ['', 'x', 'A'.repeat(4096), '%00', '..%2f', 'null', '🔑']) {
    const { status, body } = await admin.call('GET', `/v1/groups?cursor=${cursor}`)
    t.equal(status, 400, cursor)
    t.match(body.code, cursor === '%00' ? 'invalid-request' : 'invalid-cursor')
  }
  t.equal((await admin.call('GET', `/v1/groups?cursor=${'A'.repeat(4097)}`)).status, 400)
})
