import { createHash } from 'node:crypto'
import t from 'tap'
import { contentOf, importBench } from './import-run.ts'

t.test('everything about who may do what arrives, to the letter', async (t) => {
  const { source, here, run } = await importBench(t)
  const { exitCode, report, progress } = await run()
  t.equal(exitCode, 0)
  t.same(report.counts, {
    created: {
      user: 44,
      group: 19,
      project: 12,
      inactivityPeriod: 5,
      membership: 78,
      grant: 263,
      profile: 45,
      inactivityContact: 6,
      apiToken: 35,
    },
    updated: { user: 1 },
    removed: {},
  })
  t.ok(
    progress.some((line) => line.startsWith('creating: grant')),
    'progress is told',
  )

  const same = async (name: string, there: string, ours: string) => {
    const wanted = await source.query(there)
    t.ok(wanted.length > 0)
    t.same(await here.query(ours), wanted, name)
  }
  await same(
    'users',
    `SELECT id, username, email, first_name, last_name, is_active, is_superuser, last_login::text, date_joined::text
       FROM auth_user ORDER BY id`,
    `SELECT id, username, email, first_name, last_name, is_active, is_superuser, last_login_at::text AS last_login,
       created_at::text AS date_joined FROM users ORDER BY id`,
  )
  await same(
    'password hashes, but none for the anonymous user',
    `SELECT id, nullif(password, '!M0XvqZjxTW3xvboSRt5Mh3dAwVtRMflhbmuaptt0') AS hash FROM auth_user ORDER BY id`,
    'SELECT id, password_hash AS hash FROM users ORDER BY id',
  )
  await same('groups', 'SELECT id, name FROM auth_group ORDER BY id', 'SELECT id, name FROM groups ORDER BY id')
  await same(
    'projects without the dummy',
    'SELECT id, title FROM project WHERE id <> -1 ORDER BY id',
    'SELECT id, title FROM projects ORDER BY id',
  )
  await same(
    'memberships',
    'SELECT user_id, group_id FROM auth_user_groups ORDER BY 1, 2',
    `SELECT user_id, group_id FROM memberships WHERE project_id IS NULL AND source = 'catmaid' ORDER BY 1, 2`,
  )
  await same(
    'permissions of users and groups',
    `SELECT user_id, NULL::integer AS group_id, object_pk::integer AS project_id, codename
       FROM guardian_userobjectpermission g JOIN auth_permission p ON p.id = permission_id
       WHERE object_pk NOT IN ('6', '-1') AND codename LIKE 'can%'
     UNION ALL SELECT NULL, group_id, object_pk::integer, codename
       FROM guardian_groupobjectpermission g JOIN auth_permission p ON p.id = permission_id
       WHERE object_pk NOT IN ('6', '-1') AND codename LIKE 'can%' ORDER BY 1, 2, 3, 4`,
    `SELECT user_id, group_id, project_id, permission AS codename FROM grants
       WHERE effect = 'allow' AND valid_from IS NULL AND valid_until IS NULL AND source = 'catmaid'
         AND granted_by = 'command:import' ORDER BY 1, 2, 3, 4`,
  )
  await same(
    'profiles',
    `SELECT user_id, independent_ontology_workspace_is_default, show_text_label_tool, show_tagging_tool,
       show_cropping_tool, show_tracing_tool, show_ontology_tool, show_roi_tool,
       ARRAY[(color).r, (color).g, (color).b, (color).a] AS color, primary_group_id
     FROM catmaid_userprofile ORDER BY user_id`,
    `SELECT user_id, s.*, color, primary_group_id FROM profiles, jsonb_to_record(settings) AS s(
       independent_ontology_workspace_is_default boolean, show_text_label_tool boolean, show_tagging_tool boolean,
       show_cropping_tool boolean, show_tracing_tool boolean, show_ontology_tool boolean, show_roi_tool boolean)
     ORDER BY user_id`,
  )
  await same(
    'inactivity periods, as precise as they are',
    'SELECT id, group_id, max_inactivity::text, message, comment FROM catmaid_group_inactivity_period ORDER BY id',
    'SELECT id, group_id, max_inactivity::text, message, comment FROM inactivity_periods ORDER BY id',
  )
  t.same(await here.query(`SELECT max_inactivity::text FROM inactivity_periods WHERE id = 3`), [
    { max_inactivity: '183 days 06:00:00.25' },
  ])
  await same(
    'contacts',
    `SELECT inactivity_period_id, user_id FROM catmaid_group_inactivity_period_contact ORDER BY 1, 2`,
    'SELECT inactivity_period_id, user_id FROM inactivity_period_contacts ORDER BY 1, 2',
  )
  const tokens = await source.query<{ key: string; user_id: number; created: string }>(
    'SELECT key, user_id, created::text FROM authtoken_token WHERE user_id <> 1 ORDER BY user_id',
  )
  t.same(
    await here.query(
      `SELECT user_id, encode(token_hash, 'hex') AS hash, created_at::text AS created, source
         FROM api_tokens ORDER BY user_id`,
    ),
    tokens.map(({ key, user_id, created }) => ({
      user_id,
      hash: createHash('sha256').update(key).digest('hex'),
      created,
      source: 'catmaid',
    })),
    'API tokens, hashed',
  )
})

t.test('the anonymous user has the id and the name of the source, and its general permission', async (t) => {
  const { here, run } = await importBench(t)
  await run()
  const anonymous = `SELECT id, username, is_active, general_permissions, password_hash FROM users WHERE is_anonymous`
  t.same(await here.query(anonymous), [
    { id: 1, username: 'AnonymousUser', is_active: true, general_permissions: ['can_browse'], password_hash: null },
  ])
  t.same(
    await here.query('SELECT FROM api_tokens a JOIN users u ON u.id = a.user_id WHERE u.is_anonymous'),
    [],
    'it has no API token',
  )
})

t.test('an old site, whose anonymous user has id −1 and another name', async (t) => {
  const { source, here, run } = await importBench(t)
  await moveAnonymous(source, -1)
  await source.query(`UPDATE auth_user SET username = 'nobody' WHERE id = -1`)
  const { exitCode, report } = await run()
  t.equal(exitCode, 0)
  t.same(report.renumberedAnonymousUser, { from: 1, to: -1 })
  t.same(await here.query('SELECT id, username, general_permissions FROM users WHERE is_anonymous'), [
    { id: -1, username: 'nobody', general_permissions: ['can_browse'] },
  ])
  t.same(
    await here.query(`SELECT project_id, permission FROM grants WHERE user_id = -1 ORDER BY 1, 2`),
    await source.query(
      `SELECT object_pk::integer AS project_id, codename AS permission
         FROM guardian_userobjectpermission JOIN auth_permission p ON p.id = permission_id
         WHERE user_id = -1 AND object_pk <> '6' ORDER BY 1, 2`,
    ),
    'its grants',
  )
  const content = await contentOf(here)
  await run()
  t.same(await contentOf(here), content, 'a second run changes nothing')

  await t.test('and takes another id with all that refers to it when the source does', async (t) => {
    await moveAnonymous(source, 60)
    await source.query(`UPDATE auth_user SET username = 'AnonymousUser' WHERE id = 60`)
    const { report } = await run()
    t.same(report.renumberedAnonymousUser, { from: -1, to: 60 })
    t.same(report.counts, { created: {}, updated: { user: 1 }, removed: {} })
    t.same(await here.query('SELECT id, username FROM users WHERE is_anonymous'), [
      { id: 60, username: 'AnonymousUser' },
    ])
    t.ok((await here.query('SELECT FROM grants WHERE user_id = 60')).length > 0)
    t.same((await run()).report.counts, { created: {}, updated: {}, removed: {} })
  })
})

/** Gives the anonymous user of the source another id, everywhere. */
async function moveAnonymous({ query }: Awaited<ReturnType<typeof importBench>>['source'], id: number): Promise<void> {
  const [{ old } = { old: 0 }] = await query<{ old: number }>(
    `SELECT id AS old FROM auth_user WHERE username IN ('AnonymousUser', 'nobody')`,
  )
  const references = [
    'auth_user_groups',
    'auth_user_user_permissions',
    'guardian_userobjectpermission',
    'authtoken_token',
  ]
  await query(`
    BEGIN;
    SET CONSTRAINTS ALL DEFERRED;
    UPDATE auth_user SET id = ${id} WHERE id = ${old};
    ${[...references, 'catmaid_userprofile'].map((table) => `UPDATE ${table} SET user_id = ${id} WHERE user_id = ${old};`).join('\n')}
    COMMIT`)
}

t.test('what is created next gets an id behind those that were brought', async (t) => {
  const { here, run } = await importBench(t)
  await run()
  t.same(await here.query(`INSERT INTO users (username) VALUES ('new') RETURNING id`), [{ id: 51 }])
  t.same(await here.query(`INSERT INTO groups (name) VALUES ('new') RETURNING id`), [{ id: 20 }])
  t.same(await here.query(`INSERT INTO projects (title) VALUES ('new') RETURNING id`), [{ id: 14 }])
  t.same(await here.query(`INSERT INTO inactivity_periods (group_id, max_inactivity) VALUES (3, 'P1D') RETURNING id`), [
    { id: 6 },
  ])
})

t.test('accounts that were inactive in the source say that an import found them so', async (t) => {
  const { here, run } = await importBench(t)
  await run()
  t.same(
    await here.query(
      `SELECT id, deactivation_reason AS reason, deactivated_at IS NOT NULL AS dated FROM users
         WHERE NOT is_active ORDER BY id`,
    ),
    [3, 29, 35, 38, 43, 47].map((id) => ({ id, reason: 'import', dated: true })),
  )
  t.same(await here.query('SELECT FROM users WHERE is_active AND deactivation_reason IS NOT NULL'), [])
})

t.test('what is not brought is listed, row by row', async (t) => {
  const { here, run } = await importBench(t)
  const { report } = await run()
  const counts: Record<string, number> = {}
  for (const { kind } of report.notBrought) counts[kind] = (counts[kind] ?? 0) + 1
  t.same(counts, {
    'general permission': 3,
    'staff flag': 3,
    'dummy project': 1,
    'project comment': 5,
    'permission that is not one of the seven': 3,
    'permission on the dummy project': 2,
    'permission on a project that is gone': 3,
    'home view': 12,
    'anonymous user’s credential': 1,
    'project token': 4,
    'use of a project token': 12,
    'favourite project': 8,
  })
  const texts = report.notBrought.map(({ text }) => text)
  t.ok(texts.includes('can_browse on project "6" for user 31'))
  t.ok(texts.includes('can_administer on every project for user 45'))
  t.ok(texts.includes('view_project on project "12" for group 3'))
  t.same(
    await here.query(`SELECT id FROM users WHERE general_permissions <> '{}'`),
    [{ id: 1 }],
    'nobody but the anonymous user has a general permission',
  )
})

t.test('nothing secret is in the report or in the baseline', async (t) => {
  const { source, here, run } = await importBench(t)
  const { report } = await run()
  const told = JSON.stringify([report, (await contentOf(here)).import_baseline, await here.query('TABLE audit_events')])
  const secrets = await source.query<{ secret: string }>(
    `SELECT key AS secret FROM authtoken_token UNION ALL SELECT token::text FROM catmaid_project_token
     UNION ALL SELECT password FROM auth_user`,
  )
  t.same(
    secrets.filter(({ secret }) => told.includes(secret)),
    [],
  )
  t.notOk(JSON.stringify(report).match(/[0-9a-f]{64}/), 'not even hashes are in the report')
})

t.test('one transaction, one revision, one audit event', async (t) => {
  const { here, run } = await importBench(t)
  const { report } = await run()
  t.equal(report.revision, 2)
  t.same(await here.query('SELECT revision FROM policy_change_sets'), [{ revision: 2 }])
  t.same(await here.query('SELECT caller, action, target, after, revision FROM audit_events'), [
    { caller: 'command:import', action: 'import', target: 'import:catmaid', after: report.counts, revision: 2 },
  ])
})

t.test('a dry run says exactly what the real run does, and writes nothing', async (t) => {
  const { source, here, run } = await importBench(t)
  const content = await contentOf(here)
  const dry = await run({ dryRun: true })
  t.same(await contentOf(here), content)
  t.same(await here.query(`INSERT INTO groups (name) VALUES ('next') RETURNING id`), [{ id: 1 }], 'no sequence moved')
  await here.query('DELETE FROM groups')
  const wet = await run()
  t.same({ ...wet.report, dryRun: true, revision: null }, dry.report)

  await source.query(`UPDATE auth_user SET email = 'new@example.org', is_active = false WHERE id = 7`)
  await source.query('DELETE FROM auth_user_groups WHERE id = 1')
  const later = await contentOf(here)
  const again = await run({ dryRun: true })
  t.same(await contentOf(here), later)
  t.same({ ...(await run()).report, dryRun: true, revision: null }, again.report)
  t.equal(again.report.changes.length, 2)
})
