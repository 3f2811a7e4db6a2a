import t, { type Test } from 'tap'
import { type Client, client } from '../harness/client.ts'
import { cloneDatabase } from '../harness/database.ts'
import { keyOf } from '../harness/keys.ts'
import { serving } from '../harness/processes.ts'
import { progress, rounds } from '../harness/rounds.ts'
import { connected } from '../harness/server.ts'

const ROUNDS = rounds(100_000)
/** Each with a user of its own, so that a round's answer depends on that round's write only. */
const LANES = 4

/** Two replicas, each a process, on one database in which nobody may do anything. */
async function twoReplicas(t: Test): Promise<{ writer: Client; asked: Client }> {
  const { url, drop } = await cloneDatabase()
  t.teardown(drop)
  const { key } = await keyOf(url)
  await connected(url, (sql) =>
    sql.query(`INSERT INTO projects (id, title) VALUES (3, 'three');
      INSERT INTO users (id, username) SELECT 100 + n, 'user ' || n FROM generate_series(1, ${LANES}) n`),
  )
  const services = [0, 1].map(() => serving(t, { DATABASE_URL: url }))
  const started = services.map(async (service) => client(await service.address(), key))
  const [writer, asked] = await Promise.all(started)
  if (writer === undefined || asked === undefined) throw new Error('two were started')
  t.teardown(() => {
    writer.end()
    asked.end()
  })
  return { writer, asked }
}

/**
 * Grants and revokes by turns on one replica, and after each answer asks the other one, with the revision or without.
 * Gives how many answers did not know of the write; all others are asserted.
 */
async function staleAnswers(
  t: Test,
  { writer, asked }: Awaited<ReturnType<typeof twoReplicas>>,
  withRevision: boolean,
) {
  const tell = progress(withRevision ? 'with atLeastRevision' : 'without', ROUNDS)
  const odd: unknown[] = []
  let [done, stale] = [0, 0]
  const lane = async (user: number) => {
    for (let grants = true; done < ROUNDS; grants = !grants) {
      done += 1
      tell(done)
      const permissions = grants ? ['can_browse'] : []
      const written = await writer.ask('PUT', `/v1/projects/3/grants/user/${user}`, { permissions })
      const { revision } = written.body
      const check = { user, project: 3, permission: 'can_browse', ...(withRevision && { atLeastRevision: revision }) }
      const answer = await asked.ask('POST', '/check', check)
      if (written.status !== 200 || answer.status !== 200) odd.push(written, answer)
      else if (answer.body.allowed !== grants) {
        stale += 1
        if (answer.body.revision >= revision) odd.push(answer)
      }
    }
  }
  await Promise.all(Array.from({ length: LANES }, (_, place) => lane(101 + place)))
  t.same(odd, [], 'every request was answered, and every answer is right at the revision that it tells')
  return stale
}

t.test('a check that names the revision of a write is never answered by what was before', async (t) => {
  const replicas = await twoReplicas(t)
  const stale = await staleAnswers(t, replicas, true)
  t.equal(stale, 0)
  t.comment(`${ROUNDS} rounds with atLeastRevision, ${stale} stale`)
  const seen = await staleAnswers(t, replicas, false)
  t.ok(seen > 0, 'without it stale answers are seen, so the test can see them')
  t.comment(`${ROUNDS} rounds without, ${seen} stale`)
})
