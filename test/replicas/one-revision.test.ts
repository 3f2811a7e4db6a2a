import t from 'tap'
import { client } from '../harness/client.ts'
import { progress, rounds } from '../harness/rounds.ts'
import { connected } from '../harness/server.ts'
import { testService } from '../harness/service.ts'

const TRANSACTIONS = rounds(20_000)
/** So often all grants are truncated and put back, so that everything is read anew in between. */
const TRUNCATED_EVERY = 50
const OTHERS = 40

/**
 * What holds by turns: alice may browse project 3 and nobody else anything, or alice may browse project 4 and each of
 * the others project 5. From one to the other it takes a change of each grant, in one transaction.
 */
const FIRST = `INSERT INTO grants (user_id, project_id, permission) VALUES (7, 3, 'can_browse')`
const SECOND = `INSERT INTO grants (user_id, project_id, permission)
  SELECT 7, 4, 'can_browse' UNION ALL SELECT 100 + n, 5, 'can_browse' FROM generate_series(1, ${OTHERS}) n`

const CHECKS = [
  { user: 7, project: 3 },
  { user: 7, project: 4 },
  ...Array.from({ length: OTHERS }, (_, place) => ({ user: 101 + place, project: 5 })),
].map((check) => ({ ...check, permission: 'can_browse' }))
const IN_FIRST = CHECKS.map((_, place) => place === 0)
const IN_SECOND = CHECKS.map((_, place) => place !== 0)

t.test('while a thousand grants a second are written, each answer is that of one revision', async (t) => {
  const service = await testService(t, {
    prepare: async (query) => {
      await query(`INSERT INTO users (id, username) VALUES (7, 'alice')`)
      await query(`INSERT INTO users (id, username) SELECT 100 + n, 'u' || n FROM generate_series(1, ${OTHERS}) n`)
      await query(`INSERT INTO projects (id, title) SELECT n, 'p' FROM generate_series(3, 5) n`)
      await query(FIRST)
    },
  })
  const { ask, end } = client(service.url, service.keys.check)
  t.teardown(end)
  const isFirst = new Map<number, boolean>()
  let written = 0
  const beganAt = performance.now()
  const writing = connected(service.databaseUrl, async (sql) => {
    const head = async () => Number((await sql.query('SELECT revision FROM policy_head')).rows[0].revision)
    const tell = progress('written', TRANSACTIONS)
    isFirst.set(await head(), true)
    for (let turn = 1; turn <= TRANSACTIONS; turn += 1) {
      const clear = turn % TRUNCATED_EVERY === 0 ? 'TRUNCATE grants' : 'DELETE FROM grants'
      await sql.query(`BEGIN; ${clear}; ${turn % 2 === 0 ? FIRST : SECOND}; COMMIT`)
      written = await head()
      isFirst.set(written, turn % 2 === 0)
      tell(turn)
    }
  })
  let isDone = false
  const writerEnded = writing.finally(() => {
    isDone = true
  })
  const answers: { status: number; revision: number; allowed: boolean[]; asked: object }[] = []
  const asker = async (question: (place: number) => object) => {
    for (let place = 0; !isDone; place += 1) {
      const asked = question(place)
      const { status, body } = await ask('POST', 'checks' in asked ? '/checks' : '/check', asked)
      const allowed = (body.results ?? [body]).map((result: { allowed: boolean }) => result.allowed)
      answers.push({ status, revision: body.revision, allowed, asked })
    }
  }
  await Promise.all([
    writerEnded,
    asker(() => ({ checks: CHECKS })),
    asker(() => ({ checks: CHECKS, atLeastRevision: written })),
    asker((place) => ({ ...CHECKS[place % CHECKS.length] })),
    asker((place) => ({ ...CHECKS[place % CHECKS.length], atLeastRevision: written })),
  ])
  const seconds = (performance.now() - beganAt) / 1000
  const expected = ({ revision, asked }: (typeof answers)[number]): boolean[] | undefined => {
    const held = isFirst.get(revision)
    if (held === undefined) return undefined
    const all = held ? IN_FIRST : IN_SECOND
    if ('checks' in asked) return all
    const { user, project } = asked as { user: number; project: number }
    return [all[CHECKS.findIndex((check) => check.user === user && check.project === project)] ?? false]
  }
  const wrong = answers.filter((answer) => answer.status !== 200 || `${answer.allowed}` !== `${expected(answer)}`)
  t.same(wrong.slice(0, 3), [], 'none mixes two revisions, none is wrong')
  const behind = answers.filter(
    ({ revision, asked }) => 'atLeastRevision' in asked && revision < Number(asked.atLeastRevision),
  )
  t.same(behind, [])
  const revisions = new Set(answers.map(({ revision }) => revision)).size
  t.ok(revisions > 10, 'and many revisions were seen')
  const rate = Math.round((TRANSACTIONS * (OTHERS + 2)) / seconds)
  t.comment(`${answers.length} answers of ${revisions} revisions while ${rate} grants a second were written`)
})
