import { join } from 'node:path'
import t, { type Test } from 'tap'
import { colorForUser } from '../../src/account/profile-color.ts'
import { runCommand as commandLine } from '../../src/cli/program.ts'
import { administrationOf } from '../harness/administration.ts'
import { usersOf } from '../harness/in-person.ts'
import { testService } from '../harness/service.ts'
import { signedIn } from '../harness/sign-in.ts'
import { catmaidDatabase } from '../import/catmaid-database.ts'
import { runImport } from '../import/import-run.ts'

const SWITCHES = {
  independent_ontology_workspace_is_default: false,
  show_text_label_tool: false,
  show_tagging_tool: false,
  show_cropping_tool: false,
  show_tracing_tool: false,
  show_ontology_tool: false,
  show_roi_tool: false,
}
const CATALOGUE = `settings:
  - {name: show_tracing_tool, type: boolean, default: false, description: d, editedBy: superuser}
  - {name: theme, type: enum, values: [light, dark], default: light, description: d, editedBy: user}
  - {name: motto, type: string, default: "", maxLength: 5, description: d, editedBy: user}
  - {name: size, type: integer, default: 12, minimum: 8, maximum: 32, description: d, editedBy: user}
  - {name: zoom, type: number, default: 1.5, minimum: 0, description: d, editedBy: user}
`

async function administered(t: Test, catalogue?: string) {
  const env =
    catalogue === undefined
      ? undefined
      : { PROFILE_SETTINGS_FILE: join(t.testdir({ 'mine.yaml': catalogue }), 'mine.yaml') }
  const service = await testService(t, { ...(env && { env }) })
  return { ...administrationOf(t, service), service }
}

type Service = Awaited<ReturnType<typeof administered>>
const makeUser = async ({ expect }: Service, username: string): Promise<number> =>
  (await expect(201, 'POST', '/v1/users', { username })).id
const inPerson = (id: number) => ({ caller: `user:${id}`, requestId: null, inPerson: id })

t.test('profiles with the catalogue of the package', async (t) => {
  const service = await administered(t)
  const { expect, events, query } = service

  t.test('a new user has every switch off, a color and no primary group', async (t) => {
    const id = await makeUser(service, 'alice')
    const profile = await expect(200, 'GET', `/v1/users/${id}/profile`)
    t.same(profile, { settings: SWITCHES, color: colorForUser(id), primaryGroup: null })
    const [row] = await query('SELECT settings, color FROM profiles WHERE user_id = $1', [id])
    t.same(row?.settings, SWITCHES, 'kept, so that later defaults do not change them')
    await query('DELETE FROM profiles WHERE user_id = $1', [id])
    t.same(await expect(200, 'GET', `/v1/users/${id}/profile`), profile, 'without a row it reads the same')
  })

  t.test('what is given changes, the rest stays, and the audit trail tells before and after', async (t) => {
    const id = await makeUser(service, 'bruno')
    const { id: group } = await expect(201, 'POST', '/v1/groups', { name: 'tracers' })
    const path = `/v1/users/${id}/profile`
    const color = { r: 0, g: 0.12345678, b: 1 }
    const written = await expect(200, 'PATCH', path, { settings: { show_roi_tool: true }, color, primaryGroup: group })
    const { revision, ...profile } = written
    t.equal(typeof revision, 'number')
    t.same(profile, {
      settings: { ...SWITCHES, show_roi_tool: true },
      color: { r: 0, g: 0.1235, b: 1, a: 1 },
      primaryGroup: group,
    })
    t.same(await expect(200, 'GET', path), profile)
    t.match((await events(1))[0], {
      action: 'profile.update',
      target: `user:${id}`,
      before: { settings: { show_roi_tool: false }, color: colorForUser(id), primaryGroup: null },
      after: { settings: { show_roi_tool: true }, color: profile.color, primaryGroup: group },
    })
    t.match(await expect(200, 'PATCH', path, { primaryGroup: null }), { ...profile, primaryGroup: null })
    t.same((await events(1))[0].after, { primaryGroup: null })
    const before = await events(100)
    await expect(200, 'PATCH', path, {})
    await expect(200, 'PATCH', path, { settings: { show_roi_tool: true }, color: profile.color, primaryGroup: null })
    t.equal((await events(100)).length, before.length, 'what changes nothing leaves no event')
    t.match(await expect(200, 'PATCH', path, { settings: { show_roi_tool: null } }), { settings: SWITCHES })
  })

  t.test('a group that goes is nobody’s primary group any more', async (t) => {
    const id = await makeUser(service, 'carla')
    const { id: group } = await expect(201, 'POST', '/v1/groups', { name: 'short-lived' })
    await expect(200, 'PATCH', `/v1/users/${id}/profile`, { primaryGroup: group })
    await expect(200, 'DELETE', `/v1/groups/${group}`)
    t.equal((await expect(200, 'GET', `/v1/users/${id}/profile`)).primaryGroup, null)
  })

  t.test('what a profile cannot hold is refused with a pointer, all of it or none', async (t) => {
    const id = await makeUser(service, 'dora')
    const path = `/v1/users/${id}/profile`
    const before = await expect(200, 'GET', path)
    const settings = { show_roi_tool: true, show_tagging_tool: 'yes', 'no/such~one': 1, constructor: true }
    const refused = await expect(422, 'PATCH', path, { settings, color: { r: 1, g: 1, b: 1 } })
    t.match(refused, { code: 'profile-invalid', detail: /./ })
    t.same(
      refused.errors.map((fault: { pointer: string }) => fault.pointer),
      ['/settings/show_tagging_tool', '/settings/no~1such~0one', '/settings/constructor'],
    )
    t.match(await expect(422, 'PATCH', path, { primaryGroup: 2_000_000_000 }), {
      code: 'profile-invalid',
      errors: [{ pointer: '/primaryGroup' }],
    })
    const shapes: [object, string][] = [
      [{ color: { r: 1.1, g: 0, b: 0 } }, '/color/r'],
      [{ color: { r: 1, g: 0 } }, '/color/b'],
      [{ color: [1, 0, 0, 1] }, '/color'],
      [{ color: null }, '/color'],
      [{ color: '#fff' }, '/color'],
      [{ primaryGroup: 'tracers' }, '/primaryGroup'],
      [{ settings: { show_roi_tool: [true] } }, '/settings/show_roi_tool'],
      [{ show_roi_tool: true }, '/show_roi_tool'],
      [{ isSuperuser: true }, '/isSuperuser'],
    ]
    for (const [body, pointer] of shapes) {
      const problem = await expect(400, 'PATCH', path, body)
      t.equal(problem.errors[0].pointer, pointer, JSON.stringify(body))
    }
    const polluted = await service.call('PATCH', path, '{"settings": {"__proto__": true}}')
    t.match(polluted, { status: 422, body: { errors: [{ pointer: '/settings/__proto__' }] } })
    await expect(200, 'PATCH', path, { color: { r: 1e-300, g: 1e-45, b: 1, a: 0 } })
    t.same(await expect(200, 'GET', path), { ...before, color: { r: 0, g: 0, b: 1, a: 0 } })
  })

  t.test('who is not there has no profile', async (t) => {
    const id = await makeUser(service, 'gone')
    await expect(200, 'DELETE', `/v1/users/${id}`)
    for (const missing of [id, 2_000_000_000]) {
      t.match(await expect(404, 'GET', `/v1/users/${missing}/profile`), { code: 'not-found' })
      t.match(await expect(404, 'PATCH', `/v1/users/${missing}/profile`, {}), { code: 'not-found' })
    }
  })

  t.test('programs have no profile of their own', async (t) => {
    t.match(await expect(403, 'GET', '/v1/me/profile'), { code: 'not-permitted' })
    t.match(await expect(403, 'PATCH', '/v1/me/profile', {}), { code: 'not-permitted' })
  })

  t.test('a color that somebody wrote by hand and is none reads as that of the id', async (t) => {
    const id = await makeUser(service, 'handmade')
    await query(`UPDATE profiles SET color = '{NaN,0,0,1}' WHERE user_id = $1`, [id])
    t.same((await expect(200, 'GET', `/v1/users/${id}/profile`)).color, colorForUser(id))
  })
})

t.test('users and superusers', async (t) => {
  const service = await administered(t, CATALOGUE)
  const { parts } = service.service
  const id = await makeUser(service, 'ada')

  t.test('a user changes what is the user’s own', async (t) => {
    const settings = { theme: 'dark', motto: '🧠🧠🧠🧠🧠', size: 32, zoom: 0.25 }
    const { value } = await parts.profiles.update(inPerson(id), id, { settings, color: { r: 1, g: 0, b: 0 } })
    t.match(value, { settings: { ...settings, show_tracing_tool: false }, color: { r: 1, g: 0, b: 0, a: 1 } })
    t.match((await service.events(1))[0], { action: 'profile.update', caller: `user:${id}` })
  })

  t.test('what superusers set is refused with a pointer, also as it is already', async (t) => {
    const patch = { settings: { show_tracing_tool: false, theme: 'light' }, primaryGroup: null }
    await t.rejects(parts.profiles.update(inPerson(id), id, patch), {
      code: 'not-permitted',
      faults: [{ pointer: '/settings/show_tracing_tool' }, { pointer: '/primaryGroup' }],
    })
    t.match(await parts.profiles.get(id), { settings: { theme: 'dark' } })
  })

  t.test('whoever is logged in changes the own profile, as far as it is theirs', async (t) => {
    const gina = await signedIn(t, service.service, { username: 'gina' })
    const path = '/v1/me/profile'
    const changed = await gina.call('PATCH', path, { settings: { theme: 'dark' }, color: { r: 0, g: 1, b: 0, a: 0.5 } })
    t.match(changed, { status: 200, body: { settings: { theme: 'dark' }, color: { a: 0.5 }, revision: Number } })
    const refused = await gina.call('PATCH', path, { settings: { show_tracing_tool: true }, primaryGroup: 1 })
    t.match(refused, {
      status: 403,
      body: {
        code: 'not-permitted',
        errors: [{ pointer: '/settings/show_tracing_tool' }, { pointer: '/primaryGroup' }],
      },
    })
    t.match(await gina.call('PATCH', path, { settings: { theme: 'pink', nonsense: 1 } }), {
      status: 422,
      body: { errors: [{ pointer: '/settings/theme' }, { pointer: '/settings/nonsense' }] },
    })
    const root = await signedIn(t, service.service, { username: 'chief', superuser: true })
    const own = await root.call('PATCH', path, { settings: { show_tracing_tool: true } })
    t.match(own, { status: 200, body: { settings: { show_tracing_tool: true } } }, 'superusers set their own too')
  })

  t.test('an API token reads the own profile and changes none; only superusers see those of others', async (t) => {
    const { user } = usersOf(t, service.service)
    const eva = await user('eva')
    t.match(await eva.call('GET', '/v1/me/profile'), { status: 200, body: { settings: { theme: 'light' } } })
    t.same(await eva.problem('PATCH', '/v1/me/profile', { color: { r: 0, g: 0, b: 0 } }), [403, 'not-permitted'])
    for (const path of [`/v1/users/${id}/profile`, `/v1/users/${eva.id}/profile`, '/v1/profile-defaults']) {
      t.same(await eva.problem('GET', path), [403, 'not-permitted'], path)
      t.same(await eva.problem('PATCH', path, { settings: {} }), [403, 'not-permitted'], path)
    }
    t.same(await eva.problem('POST', '/v1/profile-defaults/application', {}), [403, 'not-permitted'])
    const narrow = await user('narrow', { scopes: ['check'] })
    t.same(await narrow.problem('GET', '/v1/me/profile'), [403, 'insufficient-scope'])
    const root = await user('root', { superuser: true })
    const patch = { settings: { show_tracing_tool: true } }
    t.equal(await root.status('PATCH', `/v1/users/${eva.id}/profile`, patch), 200)
    t.match(await eva.call('GET', '/v1/me/profile'), { body: patch })
    await service.expect(200, 'PATCH', `/v1/users/${eva.id}`, { isActive: false })
    t.equal(await eva.status('GET', '/v1/me/profile'), 401)
  })

  t.test('every bound of the catalogue holds', async (t) => {
    const refused = await service.expect(422, 'PATCH', `/v1/users/${id}/profile`, {
      settings: { theme: 'pink', motto: 'longer', size: 12.5, zoom: -1 },
    })
    t.same(refused.errors, [
      { pointer: '/settings/theme', detail: 'must be one of light, dark' },
      { pointer: '/settings/motto', detail: 'is longer than 5 characters' },
      { pointer: '/settings/size', detail: 'must be a whole number' },
      { pointer: '/settings/zoom', detail: 'must be 0 or more' },
    ])
    const infinite = await service.call('PATCH', `/v1/users/${id}/profile`, '{"settings": {"zoom": 1e999}}')
    t.ok([400, 422].includes(infinite.status), String(infinite.status))
  })

  t.test('a value that its setting can no longer hold reads as the default, and stays', async (t) => {
    const stored = {
      show_tracing_tool: null,
      theme: 'sepia',
      size: '12',
      show_segmentation_tool: true,
      nested: { a: [1] },
    }
    await service.query('UPDATE profiles SET settings = $2 WHERE user_id = $1', [id, JSON.stringify(stored)])
    const profile = await service.expect(200, 'GET', `/v1/users/${id}/profile`)
    t.same(profile.settings, {
      show_tracing_tool: false,
      theme: 'light',
      motto: '',
      size: 12,
      zoom: 1.5,
      show_segmentation_tool: true,
      nested: { a: [1] },
    })
    const path = `/v1/users/${id}/profile`
    await service.expect(200, 'PATCH', path, { settings: { size: 20, show_segmentation_tool: true } })
    await service.expect(422, 'PATCH', path, { settings: { show_segmentation_tool: false } })
    await service.expect(422, 'PATCH', path, { settings: { show_segmentation_tool: null } })
    const [row] = await service.query('SELECT settings FROM profiles WHERE user_id = $1', [id])
    t.same(row?.settings, { ...stored, size: 20 }, 'nothing is lost')
  })
})

t.test('defaults', async (t) => {
  const service = await administered(t, CATALOGUE)
  const { expect, events, query } = service
  const early = await makeUser(service, 'early')

  t.test('those of the catalogue hold until others are stored', async (t) => {
    const { settings, catalogue } = await expect(200, 'GET', '/v1/profile-defaults')
    t.same(settings, { show_tracing_tool: false, theme: 'light', motto: '', size: 12, zoom: 1.5 })
    t.same(catalogue[3], {
      name: 'size',
      type: 'integer',
      default: 12,
      description: 'd',
      editedBy: 'user',
      minimum: 8,
      maximum: 32,
    })
    const written = await expect(200, 'PATCH', '/v1/profile-defaults', {
      settings: { show_tracing_tool: true, size: 8 },
    })
    t.match(written, { settings: { show_tracing_tool: true, size: 8, theme: 'light' }, revision: Number })
    t.match((await events(1))[0], {
      action: 'profile-defaults.update',
      before: { settings: { show_tracing_tool: null, size: null } },
      after: { settings: { show_tracing_tool: true, size: 8 } },
    })
    const problem = await expect(422, 'PATCH', '/v1/profile-defaults', { settings: { size: 7, colour: 'red' } })
    t.match(problem, {
      code: 'profile-invalid',
      errors: [{ pointer: '/settings/size' }, { pointer: '/settings/colour' }],
    })
    const back = await expect(200, 'PATCH', '/v1/profile-defaults', { settings: { size: null } })
    t.equal(back.settings.size, 12)
    t.same(await query('SELECT name, value FROM profile_defaults'), [{ name: 'show_tracing_tool', value: true }])
  })

  t.test('new users begin with them, present ones and later changes stay out of it', async (t) => {
    const id = await makeUser(service, 'new')
    t.equal((await expect(200, 'GET', `/v1/users/${id}/profile`)).settings.show_tracing_tool, true)
    t.equal((await expect(200, 'GET', `/v1/users/${early}/profile`)).settings.show_tracing_tool, false)
    await expect(200, 'PATCH', '/v1/profile-defaults', { settings: { show_tracing_tool: false } })
    t.equal((await expect(200, 'GET', `/v1/users/${id}/profile`)).settings.show_tracing_tool, true)
    await query('DELETE FROM profiles WHERE user_id = $1', [id])
    t.equal((await expect(200, 'GET', `/v1/users/${id}/profile`)).settings.show_tracing_tool, false)
  })

  t.test('a stored default that its setting can no longer hold counts for nothing', async (t) => {
    await query(`INSERT INTO profile_defaults VALUES ('theme', '"sepia"'), ('gone', 'true')`)
    t.equal((await expect(200, 'GET', '/v1/profile-defaults')).settings.theme, 'light')
    t.notOk('gone' in (await expect(200, 'GET', '/v1/profile-defaults')).settings)
    t.equal((await expect(200, 'GET', `/v1/users/${await makeUser(service, 'x')}/profile`)).settings.theme, 'light')
  })
})

t.test('set for everybody, on an imported site', async (t) => {
  const site = await catmaidDatabase(t)
  const service = await administered(t)
  const { expect, events, query } = service
  await runImport(site.url, service.service.databaseUrl, {})
  await query(`UPDATE profiles SET settings = settings || '{"show_segmentation_tool": true}' WHERE user_id = 13`)
  const switched = { ...SWITCHES, show_tracing_tool: true, show_roi_tool: true }
  await expect(200, 'PATCH', '/v1/profile-defaults', { settings: { show_tracing_tool: true, show_roi_tool: true } })
  const rest = () => query('SELECT user_id, color, primary_group_id FROM profiles ORDER BY 1')
  const [beforeRest, eventsBefore] = [await rest(), await events(200)]
  const [anonymous] = await query<{ id: number }>('SELECT id FROM users WHERE is_anonymous')
  const anonymousPath = `/v1/users/${anonymous?.id}/profile`
  const anonymousBefore = await expect(200, 'GET', anonymousPath)
  const [{ n: people } = { n: 0 }] = await query<{ n: number }>(
    'SELECT count(*)::integer AS n FROM users WHERE deleted_at IS NULL AND NOT is_anonymous',
  )

  t.test('imported profiles are shown as CATMAID has them', async (t) => {
    const rows = await site.query<Record<string, unknown> & { user_id: number }>(
      `SELECT *, (color).r, (color).g, (color).b, (color).a FROM catmaid_userprofile WHERE user_id IN (2, 3, 13)`,
    )
    t.equal(rows.length, 3)
    for (const row of rows) {
      const profile = await expect(200, 'GET', `/v1/users/${row.user_id}/profile`)
      for (const name of Object.keys(SWITCHES)) t.equal(profile.settings[name], row[name], `${row.user_id} ${name}`)
      t.same(profile.color, { r: row.r, g: row.g, b: row.b, a: row.a })
      t.equal(profile.primaryGroup, row.primary_group_id)
    }
  })

  const dry = await expect(200, 'POST', '/v1/profile-defaults/application', { dryRun: true })
  t.test('a dry run counts and changes nothing', async (t) => {
    t.ok(dry.updated > 10, JSON.stringify(dry))
    t.equal(dry.updated + dry.unchanged, people)
    t.equal(dry.revision, null)
    t.equal((await events(200)).length, eventsBefore.length)
    const [{ n } = { n: -1 }] = await query(`SELECT count(*)::integer AS n FROM profiles WHERE settings @> $1`, [
      switched,
    ])
    t.equal(n, 0)
  })

  t.test('the command says so too', async (t) => {
    const said: string[] = []
    const terminal = { out: (text: string) => said.push(text), progress: (text: string) => said.push(text) }
    const env = { DATABASE_URL: service.service.databaseUrl }
    t.equal(await commandLine(['profiles', 'reset', '--dry-run'], env, terminal), 0)
    t.equal(
      said[0],
      `would set the settings of ${dry.updated} users to the defaults; the settings of ${dry.unchanged} users had them already`,
    )
  })

  t.test('all are set in one write with one event; color, primary group and unknown settings stay', async (t) => {
    const { revision, ...counts } = await expect(200, 'POST', '/v1/profile-defaults/application', {})
    t.same(counts, { updated: dry.updated, unchanged: dry.unchanged })
    t.equal(typeof revision, 'number')
    t.same(await rest(), beforeRest)
    const ids = await query<{ id: number }>('SELECT id FROM users WHERE deleted_at IS NULL AND NOT is_anonymous')
    for (const { id } of ids) {
      const { settings } = await expect(200, 'GET', `/v1/users/${id}/profile`)
      t.match(settings, switched, String(id))
    }
    t.equal((await expect(200, 'GET', '/v1/users/13/profile')).settings.show_segmentation_tool, true)
    t.same(await expect(200, 'GET', anonymousPath), anonymousBefore)
    const now = await events(200)
    t.equal(now.length, eventsBefore.length + 1)
    t.match(now[0], {
      action: 'profile-defaults.apply',
      target: 'profile-defaults:all',
      after: { settings: switched, includeAnonymous: false, ...counts },
    })
  })

  t.test('again there is nothing to do; the anonymous user only when asked for', async (t) => {
    const again = await expect(200, 'POST', '/v1/profile-defaults/application', {})
    t.match(again, { updated: 0, unchanged: people })
    t.equal((await events(200)).length, eventsBefore.length + 1)
    const all = await expect(200, 'POST', '/v1/profile-defaults/application', { includeAnonymous: true })
    t.match(all, { updated: 1, unchanged: people })
    t.match((await expect(200, 'GET', anonymousPath)).settings, switched)
  })
})

t.test('colors of users who follow each other are well apart', async (t) => {
  const distance = (one: number, other: number) => {
    const [a, b] = [colorForUser(one), colorForUser(other)]
    return Math.hypot(a.r - b.r, a.g - b.g, a.b - b.b)
  }
  for (let id = 1; id <= 60; id += 1) {
    const { r, g, b, a } = colorForUser(id)
    t.ok([r, g, b].every((part) => part >= 0 && part <= 1) && a === 1, `user ${id}`)
    for (let other = 1; other < 13; other += 1) t.ok(distance(id, id + other) > 0.1, `users ${id} and ${id + other}`)
  }
  t.same(colorForUser(-1), colorForUser(-1))
})
