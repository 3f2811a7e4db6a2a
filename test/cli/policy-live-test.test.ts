import { pino } from 'pino'
import t, { type Test } from 'tap'
import { policyLiveTest } from '../../src/cli/policy-live-test.ts'
import { compose } from '../../src/compose.ts'
import { loadConfig } from '../../src/config.ts'
import { testDatabase } from '../harness/database.ts'

/** The parts of a service on a database in which everybody of a group may browse, and one of them is refused. */
async function laboratory(t: Test) {
  const { url, query } = await testDatabase(t)
  await query(`INSERT INTO users (id, username) SELECT n, 'user' || n FROM generate_series(10, 14) n`)
  await query(`INSERT INTO groups (id, name) VALUES (1, 'tracers')`)
  await query(`INSERT INTO projects (id, title) VALUES (1, 'one')`)
  await query('INSERT INTO memberships (user_id, group_id) SELECT n, 1 FROM generate_series(10, 14) n')
  await query(`INSERT INTO grants (group_id, project_id, permission) VALUES (1, 1, 'can_administer')`)
  await query(`INSERT INTO grants (user_id, project_id, permission, effect) VALUES (10, 1, 'can_browse', 'deny')`)
  const parts = await compose(loadConfig({ DATABASE_URL: url }), pino({ level: 'silent' }))
  t.teardown(() => parts.close())
  return { parts, query }
}

function printed() {
  const lines: string[] = []
  return { lines, terminal: { out: (text: string) => void lines.push(text), progress: () => {} } }
}

t.test('the live policy is asked of the index and of Casbin, which agree', async (t) => {
  const { parts } = await laboratory(t)
  const { lines, terminal } = printed()
  t.equal(await policyLiveTest(parts, { live: 400, json: true }, terminal), 0)
  const result = JSON.parse(lines.join(''))
  t.match(result, { checks: 400, differences: [] })
  t.ok(result.allowed > 40, `${result.allowed} of 400 were allowed`)
})

t.test('a view that leaves out the denies is found out', async (t) => {
  const { parts, query } = await laboratory(t)
  const [view] = await query<{ text: string }>(`SELECT pg_get_viewdef('casbin_rule') AS text`)
  const text = view?.text.replace(';', '') ?? ''
  await query(`CREATE OR REPLACE VIEW casbin_rule AS SELECT * FROM (${text}) AS rule WHERE v3 IS DISTINCT FROM 'deny'`)
  const { lines, terminal } = printed()
  t.equal(await policyLiveTest(parts, { live: 400 }, terminal), 1)
  t.match(lines.join('\n'), /FAIL {2}.*"user":10,.*can_browse.*allowed false, Casbin true/)
})
