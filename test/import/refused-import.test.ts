import t from 'tap'
import { ForeignDatabaseError } from '../../src/database/foreign-database.ts'
import { CatmaidSourceError } from '../../src/import/catmaid-site.ts'
import { cloneDatabase, testDatabase } from '../harness/database.ts'
import { contentOf, importBench, runCommand } from './import-run.ts'

t.test('collisions of ids and names stop the import before the first write, all of them told at once', async (t) => {
  const { here, run } = await importBench(t)
  await here.query(`INSERT INTO users (id, username) VALUES (7, 'somebody'), (700, 'kepler')`)
  await here.query(`INSERT INTO groups (id, name) VALUES (3, 'ours'), (700, 'students')`)
  await here.query(`INSERT INTO projects (id, title) VALUES (5, 'ours')`)
  await here.query(`INSERT INTO inactivity_periods (id, group_id, max_inactivity) VALUES (2, 700, 'P1D')`)
  const content = await contentOf(here)
  const { exitCode, report } = await run()
  t.equal(exitCode, 1)
  t.same(
    report.collisions.map(({ text }) => text),
    [
      'user 7 is "somebody" here',
      'group 3 is "ours" here',
      'project 5 is "ours" here',
      'inactivityPeriod 2 is here already',
      'users 700 and 14 would both be "kepler"',
      'groups 700 and 8 would both be "students"',
    ],
  )
  t.ok(report.refused)
  t.equal(report.revision, null)
  t.same(await contentOf(here), content, 'nothing was written')
  t.same((await run({ dryRun: true })).report, { ...report, dryRun: true }, 'a dry run says the same')
})

t.test(
  'a name that the source gives later to somebody, and that is taken here, stops the import as well',
  async (t) => {
    const { source, here, run } = await importBench(t)
    await run()
    await here.query(`INSERT INTO groups (name) VALUES ('new name')`)
    await source.query(
      `UPDATE auth_group SET name = 'new name' WHERE id = 3; UPDATE auth_user SET email = 'x' WHERE id = 7`,
    )
    const { exitCode, report } = await run()
    t.equal(exitCode, 1)
    t.same(
      report.collisions.map(({ text }) => text),
      ['groups 3 and 20 would both be "new name"'],
    )
    t.same(await here.query('SELECT email FROM users WHERE id = 7'), [{ email: 'juergen@example.org' }])
  },
)

t.test('the login of a user whom the source dropped stays reserved, also from the source', async (t) => {
  const { source, run } = await importBench(t)
  await run()
  await source.query(`UPDATE auth_user SET username = 'free now' WHERE id = 7`)
  await source.query(`INSERT INTO auth_user (id, password, is_superuser, username, first_name, last_name, email, is_staff,
    is_active, date_joined) VALUES (77, '', false, 'jürgen', '', '', '', false, true, now())`)
  t.equal((await run()).exitCode, 0, 'a login that was given up by renaming is free')
  await source.query(`
    DELETE FROM authtoken_token WHERE user_id = 23; DELETE FROM auth_user_groups WHERE user_id = 23;
    DELETE FROM guardian_userobjectpermission WHERE user_id = 23; DELETE FROM catmaid_userprofile WHERE user_id = 23;
    DELETE FROM auth_user WHERE id = 23`)
  await source.query(`UPDATE auth_user SET username = '123' WHERE id = 24`)
  const { exitCode, report } = await run()
  t.equal(exitCode, 1)
  t.same(
    report.collisions.map(({ text }) => text),
    ['users 23 and 24 would both be "123"'],
  )
})

t.test('the anonymous user that somebody renamed here is not renamed by an import', async (t) => {
  const { here, run } = await importBench(t)
  await here.query(`UPDATE users SET username = 'guest' WHERE is_anonymous`)
  const { exitCode, report } = await run()
  t.equal(exitCode, 1)
  t.same(
    report.collisions.map(({ text }) => text),
    ['the anonymous user is "guest" here and "AnonymousUser" in the source'],
  )
})

t.test('nobody who is somebody here becomes the anonymous user', async (t) => {
  const { source, here, run } = await importBench(t)
  const makeAnonymous = (id: number) =>
    source.query(`UPDATE auth_user SET username = 'was anonymous ' || id WHERE username = 'AnonymousUser';
      UPDATE auth_user SET username = 'AnonymousUser' WHERE id = ${id}`)
  await makeAnonymous(50)
  await here.query(`INSERT INTO users (id, username) VALUES (50, 'somebody')`)
  t.same(
    (await run()).report.collisions.map(({ text }) => text),
    ['user 1 is "anonymous" here', 'user 50 is "somebody" here'],
  )
  await here.query('DELETE FROM users WHERE id = 50')
  t.equal((await run()).exitCode, 0)
  await makeAnonymous(49)
  const { exitCode, report } = await run()
  t.equal(exitCode, 1)
  t.same(
    report.collisions.map(({ text }) => text),
    ['user 49 is the anonymous user in the source, another one is here'],
  )
})

t.test('a database that is no CATMAID, or cannot be reached, is told apart', async (t) => {
  const here = await testDatabase(t)
  const other = await cloneDatabase({ empty: true })
  t.teardown(other.drop)
  await t.rejects(runCommand({ from: other.url }, here.url), CatmaidSourceError)
  await t.rejects(
    runCommand({ from: other.url }, here.url),
    /no CATMAID database: it has no table auth_user, auth_group/,
  )
  await t.rejects(runCommand({ from: here.url }, here.url), CatmaidSourceError, 'a Gatehouse is none either')
  const closed = 'postgres://someone:s3cret@127.0.0.1:1/catmaid'
  await t.rejects(runCommand({ from: closed }, here.url), ForeignDatabaseError)
  await t.rejects(runCommand({ from: closed }, here.url), /^(?!.*s3cret).*cannot connect to 127.0.0.1:1\/catmaid/)
})

t.test('another Django site with the same libraries is no CATMAID', async (t) => {
  const { source, run } = await importBench(t)
  await source.query(`UPDATE django_content_type SET app_label = 'shop' WHERE app_label = 'catmaid'`)
  await t.rejects(run(), /does not know the permission 'can_browse' on projects/)
})

t.test('an address that is none is wrong usage, and is not repeated', async (t) => {
  const here = await testDatabase(t)
  for (const from of ['catmaid', 'mysql://root@127.0.0.1/catmaid', '']) {
    const { exitCode, printed, progress } = await runCommand({ from }, here.url)
    t.equal(exitCode, 2)
    t.equal(printed, '')
    t.same(progress, ['--from must be a URL like postgres://user@host:5432/catmaid'])
  }
})

t.test('a person reads a table and what needs a look', async (t) => {
  const { source, here } = await importBench(t)
  const { exitCode, printed } = await runCommand({ from: source.url }, here.url)
  t.equal(exitCode, 0)
  t.match(printed, /^ +created +updated +removed$/m)
  t.match(printed, /^grants +263 +0 +0$/m)
  t.match(printed, /^not brought \(57\):$/m)
  t.match(printed, /4 × project token: project 8: 'Course 2025'/)
  t.match(printed, /Done, in force at revision 2\.$/)
  await here.query(`UPDATE users SET email = 'mine' WHERE id = 7`)
  await source.query(`UPDATE auth_user SET email = 'theirs' WHERE id = 7; DELETE FROM auth_user_groups WHERE id = 1`)
  const dry = await runCommand({ from: source.url, dryRun: true }, here.url)
  t.match(dry.printed, /would be changed \(1\):\n {2}remove user 12 in group 3/)
  t.match(
    dry.printed,
    /kept as it is here \(1\):\n.*email changed here \("mine" here, "theirs" there\), changed in the source too/,
  )
  t.match(dry.printed, /A dry run: nothing was written\.$/)
})

t.test('the source is only read', async (t) => {
  const { source, run } = await importBench(t)
  const counts = async () =>
    source.query(`SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables
    WHERE n_tup_ins + n_tup_upd + n_tup_del > 0 ORDER BY 1`)
  await source.query(`ALTER DATABASE ${new URL(source.url.replace(/@\//, '@x/')).pathname.slice(1)}
    SET default_transaction_read_only = on`)
  const before = await counts()
  t.equal((await run()).exitCode, 0, 'a source that refuses writes will do')
  t.same(await counts(), before)
})
