import t from 'tap'
import { connected } from '../harness/server.ts'
import { contentOf, importBench } from './import-run.ts'

t.test('an import that fails halfway leaves nothing, and its error holds no rows', async (t) => {
  const { source, here, run } = await importBench(t)
  await here.query(`
    CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no room'; END $$;
    CREATE TRIGGER fail BEFORE INSERT ON api_tokens FOR EACH STATEMENT EXECUTE FUNCTION fail()`)
  const content = await contentOf(here)
  const error: Error = await run().then(
    () => new Error('it succeeded'),
    (reason) => reason,
  )
  t.match(error.message, 'creating: apiToken: no room')
  t.same(await contentOf(here), content)
  await here.query('DROP TRIGGER fail ON api_tokens')
  await here.query('ALTER TABLE users ADD CHECK (id <> 7)')
  const other: Error & Record<string, unknown> = await run().then(
    () => new Error('it succeeded'),
    (reason) => reason,
  )
  const [{ password } = { password: '' }] = await source.query<{ password: string }>(
    'SELECT password FROM auth_user WHERE id = 7',
  )
  const told = [other, other.cause].map((each) => JSON.stringify(each, Object.getOwnPropertyNames(each ?? {}))).join()
  t.match(told, /creating: user/)
  t.notOk(told.includes(password), 'no password hash is told')
  t.same(await contentOf(here), content)
})

t.test('what somebody writes while an import begins is not overwritten by it', async (t) => {
  const { source, here, run } = await importBench(t)
  await run()
  await source.query(`UPDATE auth_user SET email = 'theirs@example.org', last_name = 'Klein' WHERE id = 7`)
  const second = await connected(here.url, async (client) => {
    await client.query('BEGIN')
    await client.query(`UPDATE users SET email = 'mine@example.org' WHERE id = 7`)
    const running = run()
    for (let waiting = 0; waiting === 0; ) {
      const rows = await here.query(`SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%LOCK TABLE%'`)
      waiting = rows.length
    }
    await client.query('COMMIT')
    return running
  })
  t.equal(second.exitCode, 0)
  t.same(await here.query('SELECT email, last_name FROM users WHERE id = 7'), [
    { email: 'mine@example.org', last_name: 'Klein' },
  ])
})

t.test('two imports at once bring everything once', async (t) => {
  const { here, run } = await importBench(t)
  const reports = (await Promise.all([run(), run()])).map(({ report }) => report)
  t.same(
    reports.map(({ counts }) => counts.created.grant ?? 0).sort((one, other) => one - other),
    [0, 263],
  )
  t.same(await here.query('SELECT count(*)::integer FROM grants'), [{ count: 263 }])
  t.same(await here.query('SELECT count(*)::integer FROM audit_events'), [{ count: 1 }])
})
