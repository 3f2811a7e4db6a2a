import t from 'tap'
import { PERMISSIONS } from '../../src/decision/policy-state.ts'
import { usersOf } from '../harness/in-person.ts'
import { testService } from '../harness/service.ts'

const service = await testService(t)
const { admin, user, project, group, grant, member, administers } = usersOf(t, service)
const [ada, bob, carl, root] = [
  await user('ada'),
  await user('bob'),
  await user('carl'),
  await user('root', { superuser: true }),
]
const [place, tracers] = [await project('place'), await group('tracers')]
await administers(ada, place)
await member(tracers, bob.id)
const ofTracers = await grant(place, { type: 'group', id: tracers }, 'can_annotate')
await grant(place, { type: 'user', id: carl.id }, 'can_browse')
await grant(place, { type: 'user', id: carl.id }, 'can_browse', { effect: 'deny' })
await grant(await project('elsewhere'), { type: 'user', id: carl.id }, 'can_browse')
const path = `/v1/projects/${place}/statistics`

t.test('statistics name everybody with access, through what, and count what each permission reaches', async (t) => {
  const { status, body } = await ada.call('GET', path)
  t.equal(status, 200)
  t.same(
    body.items.map(({ username }: { username: string }) => username),
    ['ada', 'bob', 'root'],
    'not who is denied, and nobody from elsewhere',
  )
  t.match(body.items[1], {
    access: [
      { permission: 'can_annotate', grants: [{ id: ofTracers, principal: { type: 'group', name: 'tracers' } }] },
    ],
    lastActivityAt: null,
  })
  const counts = Object.fromEntries(
    body.permissions.map(({ permission, ...count }: { permission: string }) => [permission, count]),
  )
  t.same(counts.can_administer, { users: 2, grants: { direct: 1, throughGroups: 0, denies: 0 } })
  t.same(counts.can_annotate, { users: 3, grants: { direct: 0, throughGroups: 1, denies: 0 } })
  t.same(counts.can_browse, { users: 2, grants: { direct: 1, throughGroups: 0, denies: 1 } })
  t.type(body.revision, 'number')
})

t.test('every user and permission is as a single check says', async (t) => {
  const { body } = await ada.call('GET', path)
  for (const { id } of [ada, bob, carl, root]) {
    const row = body.items.find((item: { id: number }) => item.id === id)
    const held = row?.access.map(({ permission }: { permission: string }) => permission) ?? []
    for (const permission of PERMISSIONS) {
      const allowed = await admin.allowed({ user: id, project: place, permission }, body.revision)
      t.equal(held.includes(permission), allowed, `${id} ${permission}`)
    }
  }
})

t.test('they come in pages, with the counts of the whole project on each', async (t) => {
  const seen: string[] = []
  let next = ''
  do {
    const { body } = await ada.call('GET', `${path}?limit=1&sort=-id${next}`)
    t.equal(body.permissions.length, PERMISSIONS.length)
    t.equal(body.permissions[0].users, 2)
    seen.push(...body.items.map(({ username }: { username: string }) => username))
    next = body.nextCursor === null ? '' : `&cursor=${body.nextCursor}`
  } while (next !== '')
  t.same(seen, ['root', 'bob', 'ada'])
})

t.test('the last activity is the latest of login, refresh and use of a token', async (t) => {
  const at = async () =>
    (await admin.expect(200, 'GET', path)).items.find(({ id }: { id: number }) => id === bob.id).lastActivityAt
  await service.query(`UPDATE users SET last_login_at = '2026-01-01T00:00:00Z' WHERE id = $1`, [bob.id])
  t.equal(await at(), '2026-01-01T00:00:00.000Z')
  await service.query(
    `INSERT INTO account_activity (user_id, token_used_at, refreshed_at) VALUES ($1, '2026-03-01Z', '2026-02-01Z')`,
    [bob.id],
  )
  t.equal(await at(), '2026-03-01T00:00:00.000Z')
})

t.test('they are for who may administer the project, and for superusers', async (t) => {
  t.same(await bob.problem('GET', path), [403, 'not-permitted'])
  t.equal(await root.status('GET', path), 200)
  await admin.expect(404, 'GET', '/v1/projects/2000000000/statistics')
})
