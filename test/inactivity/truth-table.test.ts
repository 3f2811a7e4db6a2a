import { readFileSync } from 'node:fs'
import t from 'tap'
import type { Candidate, Period } from '../../src/inactivity/period-schemas.ts'
import { administrationOf } from '../harness/administration.ts'
import { testService } from '../harness/service.ts'
import { catmaidDatabase } from '../import/catmaid-database.ts'
import { runImport } from '../import/import-run.ts'

/** What CATMAID's own nightly task did to the site at four instants, see test/data/README.md. */
type Instants = Record<string, { now: string; newly_deactivated_ids: number[] }>
const TRUTH = JSON.parse(readFileSync(new URL('../data/catmaid-site.truth.json', import.meta.url), 'utf8'))
const instants: Instants = TRUTH.inactivity.instants

const source = await catmaidDatabase(t)
const service = await testService(t)
await runImport(source.url, service.databaseUrl, {})
const { expect } = administrationOf(t, service)

/** Everybody in the preview of any period at that instant. */
async function previewed(at: string): Promise<(Candidate & { period: number })[]> {
  const { items }: { items: Period[] } = await expect(200, 'GET', '/v1/inactivity-periods')
  const pages = items.map(async ({ id: period }) => {
    const query = new URLSearchParams({ at, limit: '200' })
    const { items: candidates } = await expect(200, 'GET', `/v1/inactivity-periods/${period}/preview?${query}`)
    return candidates.map((candidate: Candidate) => ({ ...candidate, period }))
  })
  return (await Promise.all(pages)).flat()
}

t.test('the periods came with the import, exact', async (t) => {
  const { items } = await expect(200, 'GET', '/v1/inactivity-periods')
  t.match(
    items.map(({ maxInactivity }: Period) => maxInactivity),
    ['P90D', 'P365D', 'P183DT6H0.25S', 'P180D', 'P400D'],
  )
  t.equal(183 * 86_400 + 6 * 3600 + 0.25, 15_832_800.25)
})

/** Why an account is due here and was not there, or the other way round; at which instants is checked too. */
const NEVER_LOGGED_IN = [36, 49]
const LAST_SUPERUSER = 5

t.test(
  'who never logged in counts from the creation of the account, where CATMAID let them live for ever',
  async (t) => {
    for (const id of NEVER_LOGGED_IN) {
      const user = await expect(200, 'GET', `/v1/users/${id}`)
      t.match(user, { lastLoginAt: null, isActive: true, isSuperuser: false })
    }
  },
)

for (const [name, { now, newly_deactivated_ids: theirs }] of Object.entries(instants)) {
  t.test(`at ${name} those are due whom CATMAID deactivated, and whom our rules say`, async (t) => {
    const all = await previewed(now)
    t.equal(new Set(all.map(({ id }) => id)).size, all.length, 'one period counts for each')
    const due = all.filter(({ isDue, stays }) => isDue && stays === null).map(({ id }) => id)
    const expected = [...theirs, ...NEVER_LOGGED_IN].filter((id) => id !== LAST_SUPERUSER)
    t.same(
      due.sort((a, b) => a - b),
      expected.sort((a, b) => a - b),
    )
    const stay = all.filter(({ stays }) => stays !== null).map(({ id, stays }) => ({ id, stays }))
    t.same(stay, theirs.includes(LAST_SUPERUSER) ? [{ id: LAST_SUPERUSER, stays: 'last-superuser' }] : [])
  })
}

t.test('one account is not due after exactly its period, and due a microsecond later', async (t) => {
  const of = async (at: string) => (await previewed(at)).find(({ id }) => id === 41)
  const dueAt = '2026-07-01T00:00:00.000000Z'
  t.match(await of('2026-07-01T00:00:00Z'), { isDue: false, dueAt })
  t.match(await of('2026-07-01T00:00:00.000001Z'), { isDue: true, dueAt })
  t.match(await of('2026-07-01T02:00:00.000001+02:00'), { isDue: true })
})
