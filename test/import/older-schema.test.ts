import t from 'tap'
import { importBench } from './import-run.ts'

t.test(
  'a schema from before inactivity, project tokens, primary groups and some permissions is imported as it is',
  async (t) => {
    const { source, here, run } = await importBench(t)
    await source.query(`
    DROP TABLE catmaid_group_inactivity_period_contact, catmaid_group_inactivity_period, catmaid_user_project_token,
      catmaid_project_token, catmaid_favorite_project, account_emailaddress, authtoken_token;
    ALTER TABLE catmaid_userprofile DROP COLUMN primary_group_id, DROP COLUMN home_view_id, DROP COLUMN show_roi_tool;
    DELETE FROM guardian_userobjectpermission WHERE permission_id > 137;
    DELETE FROM guardian_groupobjectpermission WHERE permission_id > 137;
    DELETE FROM auth_permission WHERE id BETWEEN 138 AND 141`)
    const { exitCode, report } = await run()
    t.equal(exitCode, 0)
    t.equal(report.counts.created.user, 44)
    t.equal(report.counts.created.profile, 45)
    t.equal(report.counts.created.inactivityPeriod, undefined)
    t.same(
      await here.query(`SELECT count(*)::integer AS profiles FROM profiles
      WHERE NOT settings ? 'show_roi_tool' AND settings ? 'show_tagging_tool' AND primary_group_id IS NULL`),
      [{ profiles: 45 }],
      'a switch that the source does not know has its default here',
    )
    t.same((await run()).report.counts, { created: {}, updated: {}, removed: {} })
  },
)

t.test('what the source learned since the last import is brought by the next', async (t) => {
  const { source, here, run } = await importBench(t)
  await source.query('ALTER TABLE catmaid_userprofile RENAME COLUMN show_roi_tool TO later')
  await run()
  await source.query('ALTER TABLE catmaid_userprofile RENAME COLUMN later TO show_roi_tool')
  const { report } = await run()
  t.same(report.counts, { created: {}, updated: { profile: 45 }, removed: {} })
  t.same(
    await here.query(`SELECT user_id, (settings->'show_roi_tool')::boolean AS on FROM profiles ORDER BY 1`),
    await source.query('SELECT user_id, show_roi_tool AS on FROM catmaid_userprofile ORDER BY 1'),
  )
})

t.test('rows that contradict our tables are left out and told of, with what refers to them', async (t) => {
  const { source, here, run } = await importBench(t)
  await source.query(`
    UPDATE auth_user SET username = '' WHERE id = 50;
    UPDATE auth_group SET name = '' WHERE id = 19;
    INSERT INTO project VALUES (-7, 'negative', NULL);
    UPDATE catmaid_group_inactivity_period SET max_inactivity = '0' WHERE id = 1;
    UPDATE catmaid_group_inactivity_period SET group_id = NULL WHERE id = 2;
    INSERT INTO guardian_userobjectpermission VALUES (900, '07', 33, 137, 7), (901, 'seven', 33, 137, 7),
      (902, '99999999999999999999', 33, 137, 7), (903, '1', 3, 9, 7);
    INSERT INTO catmaid_group_inactivity_period_contact VALUES (900, 3, 12), (901, 3, NULL)`)
  const { exitCode, report } = await run()
  t.equal(exitCode, 0)
  const texts = report.notBrought.map(({ text }) => text)
  for (const text of [
    'user 50 has no name',
    'group 19 has no name',
    'project -7 "negative" has no positive id',
    'inactivity period 1 of PT0S is no length of time',
    'inactivity period 2 of P365D belongs to no group',
    'contact 31 of inactivity period 1: there is no inactivity period 1',
    'API token of user 50: there is no user 50',
    'can_browse on project "07" for user 7',
    'can_browse on project "seven" for user 7',
    'can_browse on project "99999999999999999999" for user 7',
    'contact null of inactivity period 3 is half empty',
  ]) {
    t.ok(texts.includes(text), text)
  }
  t.ok(report.notBrought.some(({ kind }) => kind === 'permission on something other than a project'))
  t.same(await here.query('SELECT id FROM users WHERE id = 50 UNION ALL SELECT id FROM groups WHERE id = 19'), [])
})

t.test('names that creating them anew would refuse are imported to the letter', async (t) => {
  const { source, here, run } = await importBench(t)
  const hostile = [
    'a\nb',
    '\u202Eevil',
    ' padded ',
    'a,b#c*',
    '💥',
    '\u0000'.replace('\0', '\x01'),
    "'; DROP TABLE users; --",
  ]
  for (const [place, name] of hostile.entries()) {
    await source.query('UPDATE auth_user SET username = $1, first_name = $1 WHERE id = $2', [name, 7 + place])
    await source.query('UPDATE auth_group SET name = $1 WHERE id = $2', [name, 3 + place])
    await source.query('UPDATE project SET title = $1 WHERE id = $2', [name, place + 7])
  }
  t.equal((await run()).exitCode, 0)
  for (const [place, name] of hostile.entries()) {
    t.same(await here.query('SELECT username, first_name FROM users WHERE id = $1', [7 + place]), [
      { username: name, first_name: name },
    ])
    t.same(await here.query('SELECT name FROM groups WHERE id = $1', [3 + place]), [{ name }])
    t.same(await here.query('SELECT title FROM projects WHERE id = $1', [7 + place]), [{ title: name }])
  }
})
