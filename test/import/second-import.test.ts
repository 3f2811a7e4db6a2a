import t, { type Test } from 'tap'
import { contentOf, type ImportBench, type ImportRun, importBench } from './import-run.ts'

const NOTHING = { created: {}, updated: {}, removed: {} }

/** A bench after a first import. */
async function imported(t: Test): Promise<ImportBench> {
  const bench = await importBench(t)
  const { exitCode } = await bench.run()
  if (exitCode !== 0) throw new Error('the first import was refused')
  return bench
}

/** The rows and fields of a report that stay as they are here. */
const keptIn = ({ report }: ImportRun) =>
  report.kept.map(({ row, field, reason, conflict }) => ({ row, field, reason, conflict }))
const changesIn = ({ report }: ImportRun) =>
  report.changes.map(
    ({ change, row, fields }) => `${change} ${row}${fields.length > 0 ? `: ${fields.join(', ')}` : ''}`,
  )

t.test('run twice, it changes nothing: no row, no revision, no audit event', async (t) => {
  const { here, run } = await imported(t)
  const content = await contentOf(here)
  const { exitCode, report } = await run()
  t.equal(exitCode, 0)
  t.same(await contentOf(here), content)
  t.same(report.counts, NOTHING)
  t.equal(report.revision, null)
})

t.test('what changed in the source since is brought, and nothing else', async (t) => {
  const { source, here, run } = await imported(t)
  await source.query(`
    UPDATE auth_user SET email = 'new@example.org', first_name = 'Neu', password = 'pbkdf2_sha256$1$a$b' WHERE id = 7;
    UPDATE auth_user SET is_superuser = true WHERE id = 8;
    UPDATE auth_user SET is_superuser = false WHERE id = 5;
    UPDATE auth_user SET is_active = false WHERE id = 9;
    UPDATE auth_user SET last_login = '2026-11-01 00:00:00.000001+00' WHERE id = 10;
    UPDATE auth_group SET name = 'lab/renamed' WHERE id = 3;
    UPDATE project SET title = 'Fly brain L2' WHERE id = 2;
    UPDATE catmaid_userprofile SET show_roi_tool = NOT show_roi_tool, primary_group_id = 3 WHERE user_id = 13;
    UPDATE catmaid_group_inactivity_period SET max_inactivity = '1 mon 3 days' WHERE id = 2;
    UPDATE authtoken_token SET key = 'fresh' WHERE user_id = 12;
    DELETE FROM auth_user_groups WHERE user_id = 12 AND group_id = 3;
    INSERT INTO auth_user_groups VALUES (900, 12, 4);
    DELETE FROM catmaid_group_inactivity_period_contact WHERE id = 1;
    INSERT INTO project VALUES (20, 'new', NULL);
    INSERT INTO guardian_userobjectpermission VALUES (900, '20', 33, 137, 7);
    DELETE FROM guardian_groupobjectpermission WHERE id = 1;
    DELETE FROM auth_user_user_permissions WHERE user_id = 1`)
  const done = await run()
  t.same(done.report.counts, {
    created: { project: 1, membership: 1, grant: 1, apiToken: 1 },
    updated: { user: 6, group: 1, project: 1, inactivityPeriod: 1, profile: 1 },
    removed: { membership: 1, grant: 1, inactivityContact: 1, apiToken: 1 },
  })
  t.same(keptIn(done), [])
  t.equal(done.report.revision, 3, 'one revision')
  t.same(await here.query('SELECT email, first_name, password_hash FROM users WHERE id = 7'), [
    { email: 'new@example.org', first_name: 'Neu', password_hash: 'pbkdf2_sha256$1$a$b' },
  ])
  t.same(
    await here.query('SELECT id FROM users WHERE is_superuser ORDER BY id'),
    [2, 3, 4, 8].map((id) => ({ id })),
  )
  t.same(await here.query('SELECT is_active, deactivation_reason FROM users WHERE id = 9'), [
    { is_active: false, deactivation_reason: 'import' },
  ])
  t.same(await here.query(`SELECT last_login_at::text FROM users WHERE id = 10`), [
    { last_login_at: (await source.query(`SELECT last_login::text FROM auth_user WHERE id = 10`))[0]?.last_login },
  ])
  t.same(await here.query('SELECT name FROM groups WHERE id = 3'), [{ name: 'lab/renamed' }])
  t.same(await here.query('SELECT max_inactivity::text AS m FROM inactivity_periods WHERE id = 2'), [
    { m: '1 mon 3 days' },
  ])
  t.same(await here.query('SELECT group_id FROM memberships WHERE user_id = 12 ORDER BY 1'), [
    ...(await source.query('SELECT group_id FROM auth_user_groups WHERE user_id = 12 ORDER BY 1')),
  ])
  t.same(await here.query('SELECT general_permissions FROM users WHERE id = 1'), [{ general_permissions: [] }])
  t.same((await run()).report.counts, NOTHING)
})

t.test('what was changed here stays, and is listed', async (t) => {
  const { source, here, run } = await imported(t)
  await here.query(`UPDATE users SET email = 'mine@example.org', is_superuser = true WHERE id = 7`)
  await here.query(`UPDATE groups SET name = 'lab here' WHERE id = 3`)
  await here.query(
    `UPDATE profiles SET settings = settings || '{"show_roi_tool": true, "dark": true}' WHERE user_id = 13`,
  )
  await here.query(`DELETE FROM grants WHERE user_id = 8 AND project_id = 11 AND permission = 'can_browse'`)
  const unchanged = await run()
  t.same(unchanged.report.counts, NOTHING)
  t.same(keptIn(unchanged).slice(0, 3), [
    { row: 'user 7 "jürgen"', field: 'email', reason: 'changed here', conflict: false },
    { row: 'user 7 "jürgen"', field: 'isSuperuser', reason: 'changed here', conflict: false },
    { row: 'group 3 "lab here"', field: 'name', reason: 'changed here', conflict: false },
  ])
  t.ok(
    keptIn(unchanged).some(
      ({ row, reason }) => row === 'can_browse on project 11 for user 8' && reason === 'removed here',
    ),
    'a grant that was taken away here does not come back',
  )

  await source.query(`
    UPDATE auth_user SET email = 'theirs@example.org', last_name = 'Klein' WHERE id = 7;
    UPDATE auth_group SET name = 'lab there' WHERE id = 3;
    UPDATE catmaid_userprofile SET show_roi_tool = false, show_tagging_tool = true WHERE user_id = 13`)
  const changed = await run()
  t.same(changed.report.counts.updated, { user: 1, profile: 1 }, 'fields that were left alone here follow the source')
  t.same(await here.query('SELECT email, last_name, is_superuser FROM users WHERE id = 7'), [
    { email: 'mine@example.org', last_name: 'Klein', is_superuser: true },
  ])
  t.same(
    keptIn(changed).filter(({ conflict }) => conflict),
    [
      { row: 'user 7 "jürgen"', field: 'email', reason: 'changed here', conflict: true },
      { row: 'group 3 "lab here"', field: 'name', reason: 'changed here', conflict: true },
    ],
  )
  t.same(
    await here.query(`SELECT settings->'show_roi_tool' AS roi, settings->'show_tagging_tool' AS tagging,
      settings->'dark' AS dark FROM profiles WHERE user_id = 13`),
    [{ roi: true, tagging: true, dark: true }],
  )
  t.same(await here.query(`SELECT FROM grants WHERE user_id = 8 AND project_id = 11 AND permission = 'can_browse'`), [])
})

t.test('an account that was deactivated here is never reactivated', async (t) => {
  const { source, here, run } = await imported(t)
  const deactivate = `UPDATE users SET is_active = false, deactivated_at = now(), deactivation_reason = 'admin'`

  await t.test('one that is active in the source', async (t) => {
    await here.query(`${deactivate} WHERE id = 7`)
    const done = await run()
    t.same(done.report.counts, NOTHING)
    t.same(keptIn(done), [{ row: 'user 7 "jürgen"', field: 'isActive', reason: 'changed here', conflict: false }])
    t.equal((await here.query('SELECT is_active FROM users WHERE id = 7'))[0]?.is_active, false)
  })

  await t.test('one that the last import already found inactive', async (t) => {
    await here.query(`${deactivate} WHERE id = 29`)
    await source.query('UPDATE auth_user SET is_active = true WHERE id = 29')
    const done = await run()
    t.ok(keptIn(done).some(({ row, reason }) => row === 'user 29 "fnovak"' && reason === 'deactivated here'))
    t.equal((await here.query('SELECT is_active FROM users WHERE id = 29'))[0]?.is_active, false)
  })

  await t.test('one by hand in psql, which leaves no reason', async (t) => {
    await here.query('UPDATE users SET deactivation_reason = NULL WHERE id = 35')
    await source.query('UPDATE auth_user SET is_active = true WHERE id = 35')
    await run()
    t.equal((await here.query('SELECT is_active FROM users WHERE id = 35'))[0]?.is_active, false)
  })

  await t.test('but one that only the source had deactivated is active again when it is there', async (t) => {
    await source.query('UPDATE auth_user SET is_active = true WHERE id = 38')
    const done = await run()
    t.same(changesIn(done), ['update user 38 "gone.student": isActive'])
    t.same(await here.query('SELECT is_active, deactivated_at, deactivation_reason FROM users WHERE id = 38'), [
      { is_active: true, deactivated_at: null, deactivation_reason: null },
    ])
  })

  await t.test('and one that was reactivated here stays active', async (t) => {
    await here.query(
      'UPDATE users SET is_active = true, deactivated_at = NULL, deactivation_reason = NULL WHERE id = 43',
    )
    await run()
    t.equal((await here.query('SELECT is_active FROM users WHERE id = 43'))[0]?.is_active, true)
  })
})

t.test('a newer password is never replaced', async (t) => {
  const { source, here, run } = await imported(t)
  await here.query(`UPDATE users SET password_hash = 'here' WHERE id IN (7, 8)`)
  await source.query(`UPDATE auth_user SET password = 'pbkdf2_sha256$1$there$x' WHERE id IN (7, 9)`)
  const done = await run()
  t.same(await here.query('SELECT id, password_hash FROM users WHERE id IN (7, 8, 9) ORDER BY id'), [
    { id: 7, password_hash: 'here' },
    { id: 8, password_hash: 'here' },
    { id: 9, password_hash: 'pbkdf2_sha256$1$there$x' },
  ])
  t.same(
    keptIn(done).map(({ row, field, conflict }) => ({ row, field, conflict })),
    [
      { row: 'user 7 "jürgen"', field: 'password', conflict: true },
      { row: 'user 8 "José.Álvarez"', field: 'password', conflict: false },
    ],
  )
})

t.test('the later login counts, wherever it was', async (t) => {
  const { source, here, run } = await imported(t)
  await here.query(`UPDATE users SET last_login_at = '2026-11-20T00:00:00Z' WHERE id IN (7, 8)`)
  await source.query(`UPDATE auth_user SET last_login = '2026-11-21 00:00:00+00' WHERE id = 8`)
  const done = await run()
  t.same(keptIn(done), [])
  t.same(
    await here.query(`SELECT id, last_login_at AT TIME ZONE 'UTC' = '2026-11-20' AS ours FROM users
    WHERE id IN (7, 8) ORDER BY id`),
    [
      { id: 7, ours: true },
      { id: 8, ours: false },
    ],
  )
})

t.test('only what the import brought and the source dropped is removed', async (t) => {
  const { source, here, run } = await imported(t)
  await here.query(`INSERT INTO users (id, username) VALUES (900, 'made here')`)
  await here.query(`INSERT INTO memberships (user_id, group_id) VALUES (900, 5)`)
  await here.query(`INSERT INTO grants (user_id, project_id, permission) VALUES (900, 1, 'can_browse')`)
  await here.query(`INSERT INTO grants (user_id, project_id, permission, effect) VALUES (7, 1, 'can_fork', 'deny')`)
  await here.query(`INSERT INTO grants (user_id, project_id, permission, valid_until)
    VALUES (7, 1, 'can_fork', now() + interval '1 day')`)
  // the source's own grant, given again by somebody here after it was taken away
  const [regiven] = await here.query<{ project_id: number; permission: string }>(
    'SELECT project_id, permission FROM grants WHERE user_id = 8 ORDER BY id LIMIT 1',
  )
  const values = [regiven?.project_id, regiven?.permission]
  await here.query('DELETE FROM grants WHERE user_id = 8 AND project_id = $1 AND permission = $2', values)
  await here.query('INSERT INTO grants (user_id, project_id, permission) VALUES (8, $1, $2)', values)
  await source.query(`
    DELETE FROM guardian_userobjectpermission WHERE user_id = 8;
    DELETE FROM auth_user_groups WHERE group_id = 5`)
  const done = await run()
  t.same(await here.query('SELECT user_id FROM memberships WHERE group_id = 5'), [{ user_id: 900 }])
  t.same(await here.query('SELECT permission FROM grants WHERE user_id = 900'), [{ permission: 'can_browse' }])
  t.equal(
    (
      await here.query(`SELECT FROM grants WHERE user_id = 7 AND project_id = 1 AND permission = 'can_fork'
    AND (effect = 'deny' OR valid_until IS NOT NULL)`)
    ).length,
    2,
  )
  t.same(await here.query('SELECT project_id, permission FROM grants WHERE user_id = 8'), [regiven])
  t.same(
    keptIn(done).map(({ reason }) => reason),
    ['made here'],
  )
})

t.test('a group or project that the source dropped goes, unless something made here hangs on it', async (t) => {
  const { source, here, run } = await imported(t)
  await dropGroup(source, 19)
  await source.query(`
    DELETE FROM guardian_userobjectpermission WHERE object_pk IN ('5', '13');
    DELETE FROM guardian_groupobjectpermission WHERE object_pk IN ('5', '13');
    DELETE FROM catmaid_favorite_project;
    DELETE FROM project WHERE id IN (5, 13)`)
  await here.query(`INSERT INTO grants (user_id, project_id, permission) VALUES (7, 13, 'can_fork')`)
  const done = await run()
  t.same(await here.query('SELECT id FROM projects WHERE id IN (5, 13)'), [{ id: 13 }])
  t.same(await here.query('SELECT id FROM groups WHERE id = 19'), [])
  t.same(
    keptIn(done),
    [{ row: 'project 13 "Platynereis\\\\tlarva"', field: null, reason: 'still in use here', conflict: false }].map(
      (kept) => ({ ...kept, row: `project 13 ${JSON.stringify('Platynereis\tlarva')}` }),
    ),
  )
  t.same((await run()).report.counts, NOTHING)

  await here.query('DELETE FROM grants WHERE project_id = 13')
  await run()
  t.same(await here.query('SELECT id FROM projects WHERE id = 13'), [], 'once nothing hangs on it, it goes too')
})

/** Removes a group from the source as CATMAID's administration does, with all that refers to it. */
async function dropGroup({ query }: ImportBench['source'], id: number): Promise<void> {
  await query(`
    DELETE FROM auth_user_groups WHERE group_id = ${id};
    DELETE FROM auth_group_permissions WHERE group_id = ${id};
    DELETE FROM guardian_groupobjectpermission WHERE group_id = ${id};
    UPDATE catmaid_userprofile SET primary_group_id = NULL WHERE primary_group_id = ${id};
    DELETE FROM auth_group WHERE id = ${id}`)
}

/** Removes a user from the source, with all that refers to it. */
async function dropUser({ query }: ImportBench['source'], id: number): Promise<void> {
  const tables = [
    'auth_user_groups',
    'auth_user_user_permissions',
    'guardian_userobjectpermission',
    'authtoken_token',
    'catmaid_userprofile',
    'catmaid_group_inactivity_period_contact',
  ]
  await query(`
    ${tables.map((table) => `DELETE FROM ${table} WHERE user_id = ${id};`).join('\n')}
    DELETE FROM auth_user WHERE id = ${id}`)
}

t.test('a user whom the source dropped is deleted: emptied, without rights, the login reserved', async (t) => {
  const { source, here, run } = await imported(t)
  const restore = await source.query<{ email: string }>('SELECT * FROM auth_user WHERE id = 5')
  await dropUser(source, 5)
  await run()
  t.same(
    await here.query(`SELECT username, email, first_name, last_name, is_active, is_superuser, password_hash,
      last_login_at, deleted_at IS NOT NULL AS deleted FROM users WHERE id = 5`),
    [
      {
        username: 'superdirect',
        email: '',
        first_name: '',
        last_name: '',
        is_active: false,
        is_superuser: false,
        password_hash: null,
        last_login_at: null,
        deleted: true,
      },
    ],
  )
  for (const table of ['memberships', 'grants', 'profiles', 'api_tokens', 'inactivity_period_contacts']) {
    t.same(await here.query(`SELECT FROM ${table} WHERE user_id = 5`), [], table)
  }
  t.same((await run()).report.counts, NOTHING)

  await t.test('and lives again when the source has it back', async (t) => {
    await source.query(
      `INSERT INTO auth_user (id, password, is_superuser, username, first_name, last_name, email, is_staff, is_active,
         date_joined) VALUES (5, 'pbkdf2_sha256$1$a$b', false, 'superdirect', 'Sven', 'Zurück', '', false, true, now())`,
    )
    t.equal(restore.length, 1)
    const done = await run()
    t.same(done.report.counts.updated, { user: 1 })
    t.same(await here.query('SELECT is_active, last_name, deleted_at, password_hash FROM users WHERE id = 5'), [
      { is_active: true, last_name: 'Zurück', deleted_at: null, password_hash: 'pbkdf2_sha256$1$a$b' },
    ])
  })
})

t.test('a dropped user who was changed here keeps what was changed, but may do nothing', async (t) => {
  const { source, here, run } = await imported(t)
  await here.query(`UPDATE users SET email = 'mine@example.org' WHERE id = 5`)
  await dropUser(source, 5)
  const done = await run()
  t.same(await here.query('SELECT email, is_active, is_superuser, deleted_at FROM users WHERE id = 5'), [
    { email: 'mine@example.org', is_active: false, is_superuser: false, deleted_at: null },
  ])
  t.same(keptIn(done), [{ row: 'user 5 "superdirect"', field: 'email', reason: 'changed here', conflict: false }])
  t.same((await run()).report.counts, NOTHING)
})

t.test('a user who was deleted here stays deleted, whatever the source gives to him', async (t) => {
  const { source, here, run } = await imported(t)
  await here.query(`
    DELETE FROM memberships WHERE user_id = 7; DELETE FROM grants WHERE user_id = 7;
    DELETE FROM profiles WHERE user_id = 7; DELETE FROM api_tokens WHERE user_id = 7;
    DELETE FROM inactivity_period_contacts WHERE user_id = 7;
    UPDATE users SET email = '', first_name = '', last_name = '', is_active = false, is_superuser = false,
      password_hash = NULL, last_login_at = NULL, deleted_at = now() WHERE id = 7`)
  const first = await run()
  t.same(first.report.counts, NOTHING)
  t.same(keptIn(first), [{ row: 'user 7 "jürgen"', field: null, reason: 'deleted here', conflict: false }], 'told once')
  await source.query(`
    UPDATE auth_user SET is_superuser = true, email = 'x@example.org' WHERE id = 7;
    INSERT INTO auth_user_groups VALUES (900, 7, 12);
    INSERT INTO guardian_userobjectpermission VALUES (900, '10', 33, 137, 7)`)
  t.same((await run()).report.counts, NOTHING)
  t.same(await here.query('SELECT FROM grants WHERE user_id = 7'), [])
})

t.test('a group that was removed here stays away, with what the source still hangs on it', async (t) => {
  const { source, here, run } = await imported(t)
  await here.query('DELETE FROM groups WHERE id = 11')
  await source.query('INSERT INTO auth_user_groups VALUES (900, 7, 11)')
  await source.query('UPDATE catmaid_userprofile SET primary_group_id = 11 WHERE user_id = 7')
  const done = await run()
  t.same(done.report.counts, NOTHING)
  t.ok(keptIn(done).some(({ row, reason }) => row === 'group 11 "mkrause"' && reason === 'removed here'))
  t.ok(keptIn(done).some(({ reason }) => reason === 'refers to what was removed here'))
  t.same(await here.query('SELECT FROM groups WHERE id = 11'), [])
})

t.test('names may be swapped in the source, of users and of groups', async (t) => {
  const { source, here, run } = await imported(t)
  await source.query(`
    UPDATE auth_user SET username = 'between' WHERE id = 14;
    UPDATE auth_user SET username = 'kepler' WHERE id = 15;
    UPDATE auth_user SET username = 'Kepler' WHERE id = 14;
    UPDATE auth_group SET name = 'between' WHERE id = 11;
    UPDATE auth_group SET name = 'mkrause' WHERE id = 12;
    UPDATE auth_group SET name = 'skim' WHERE id = 11`)
  await run()
  t.same(await here.query('SELECT id, username FROM users WHERE id IN (14, 15) ORDER BY id'), [
    { id: 14, username: 'Kepler' },
    { id: 15, username: 'kepler' },
  ])
  t.same(await here.query('SELECT id, name FROM groups WHERE id IN (11, 12) ORDER BY id'), [
    { id: 11, name: 'skim' },
    { id: 12, name: 'mkrause' },
  ])
})

t.test('renaming a user in the source renames no group, for there it renames none either', async (t) => {
  const { source, here, run } = await imported(t)
  await source.query(`UPDATE auth_user SET username = 'married' WHERE id = 25`)
  const done = await run()
  t.same(changesIn(done), ['update user 25 "married": username'])
  t.same(await here.query('SELECT name FROM groups WHERE id = 11'), [{ name: 'mkrause' }])
})
