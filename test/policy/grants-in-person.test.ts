import t from 'tap'
import { type UserWithToken, usersOf } from '../harness/in-person.ts'
import { testService } from '../harness/service.ts'

const service = await testService(t)
const { admin, user, project, group, grant, member, administers } = usersOf(t, service)
const LAST = [409, 'last-administrator']
const REFUSED = [403, 'not-permitted']
const grantsOf = (projectId: number) => `/v1/projects/${projectId}/grants`
const principal = ({ id }: { id: number }) => ({ type: 'user', id }) as const
const ADMINISTER = { permission: 'can_administer' }
let made = 0

/** A project that one user administers, by token too; `grantId` is that of can_administer. */
async function administered(): Promise<{ id: number; ada: UserWithToken; grantId: number }> {
  made += 1
  const [ada, id] = [await user(`ada ${made}`), await project(`project ${made}`)]
  await administers(ada, id)
  const { items } = await admin.expect(200, 'GET', `${grantsOf(id)}?permission=can_administer`)
  return { id, ada, grantId: items[0].id }
}

t.test('who administers a project looks after its title and its grants, and no other project', async (t) => {
  const { id, ada } = await administered()
  const [other, bob] = [await project('other'), await user('bob')]
  t.equal((await ada.call('GET', `/v1/projects/${id}`)).body.id, id)
  t.equal(await ada.status('PATCH', `/v1/projects/${id}`, { title: 'renamed' }), 200)
  const { status, body } = await ada.call('POST', grantsOf(id), { principal: principal(bob), permission: 'can_browse' })
  t.match([status, body.grantedBy], [201, `user:${ada.id}`])
  t.equal((await ada.call('GET', grantsOf(id))).body.items.length, 3)
  t.equal(await ada.status('PUT', `${grantsOf(id)}/user/${bob.id}`, { permissions: ['can_annotate'] }), 200)
  t.equal((await ada.call('GET', `/v1/projects/${id}/users?permission=can_annotate`)).body.items.length, 2)
  t.equal(await ada.status('DELETE', `${grantsOf(id)}/${body.id}`), 404, 'it was replaced')
  for (const [method, path, sent] of [
    ['GET', `/v1/projects/${other}`],
    ['PATCH', `/v1/projects/${other}`, { title: 'mine' }],
    ['GET', grantsOf(other)],
    ['POST', grantsOf(other), { principal: principal(ada), ...ADMINISTER }],
    ['PUT', `${grantsOf(other)}/user/${ada.id}`, { permissions: [] }],
    ['DELETE', `${grantsOf(other)}/${body.id}`],
    ['GET', `/v1/projects/${other}/users?permission=can_browse`],
    ['GET', '/v1/projects/2000000000'],
    ['DELETE', `/v1/projects/${id}`],
    ['POST', '/v1/projects', { title: 'mine' }],
    ['GET', '/v1/projects'],
  ] as [string, string, object?][]) {
    t.same(await ada.problem(method, path, sent), REFUSED, `${method} ${path}`)
  }
})

t.test('by token only with can_annotate_with_token, whatever else is held (D8)', async (t) => {
  const { id, ada } = await administered()
  const { items } = await admin.expect(200, 'GET', `${grantsOf(id)}?permission=can_annotate_with_token`)
  await admin.expect(200, 'DELETE', `${grantsOf(id)}/${items[0].id}`)
  t.same(await ada.problem('GET', grantsOf(id)), REFUSED)
  const root = await user('root without admin', { superuser: true, scopes: ['projects'] })
  t.same(await root.problem('GET', grantsOf(id)), REFUSED, 'a superuser’s token too, without the scope admin')
})

t.test('the last holder of can_administer cannot be removed, in any way', async (t) => {
  const { id, ada, grantId } = await administered()
  const own = `${grantsOf(id)}/user/${ada.id}`
  t.same(await ada.problem('DELETE', `${grantsOf(id)}/${grantId}`), LAST, 'by DELETE')
  t.same(await ada.problem('PUT', own, { permissions: ['can_browse'] }), LAST, 'by PUT')
  const deny = { principal: principal(ada), ...ADMINISTER, effect: 'deny' }
  t.same(await ada.problem('POST', grantsOf(id), deny), LAST, 'by a deny')
  const all = await group(`group of ${ada.username}`)
  await member(all, ada.id, `?project=${id}`)
  const denyGroup = { ...deny, principal: { type: 'group', id: all } }
  t.same(await ada.problem('POST', grantsOf(id), denyGroup), LAST, 'by a deny of a group')
  t.equal(
    await ada.status('POST', grantsOf(id), { ...deny, validFrom: '2099-01-01T00:00:00Z' }),
    201,
    'not yet in force',
  )
  t.equal(await ada.status('POST', grantsOf(id), { ...deny, permission: 'can_fork' }), 201, 'another permission')
  t.equal(await ada.status('PUT', own, { permissions: ['can_administer', 'can_annotate_with_token'] }), 200)
  t.same(
    (await admin.expect(200, 'GET', `${grantsOf(id)}?permission=can_administer&effect=allow`)).items[0].id,
    grantId,
  )
  await admin.expect(200, 'DELETE', `${grantsOf(id)}/${grantId}`)
  t.same(await ada.problem('GET', grantsOf(id)), REFUSED, 'a service key is not bound by it')
})

t.test('who would be left must be able to: active, no anonymous user, in force, not refused', async (t) => {
  const { id, ada, grantId } = await administered()
  const [bob, group1] = [await user('substitute'), await group('substitutes')]
  const removal = () => ada.problem('DELETE', `${grantsOf(id)}/${grantId}`)
  const give = (more: object = {}, to: object = principal(bob)) =>
    admin.expect(201, 'POST', grantsOf(id), { principal: to, ...ADMINISTER, ...more })
  const [anonymous] = (await admin.expect(200, 'GET', '/v1/users?isAnonymous=true')).items
  await give({}, principal(anonymous))
  t.same(await removal(), LAST, 'the anonymous user')
  await give({ validUntil: '2020-01-01T00:00:00Z' })
  await give({ validFrom: '2099-01-01T00:00:00Z' })
  t.same(await removal(), LAST, 'ended, or not begun')
  await give({}, { type: 'group', id: group1 })
  t.same(await removal(), LAST, 'a group of nobody')
  await member(group1, bob.id, `?project=${await project('elsewhere')}`)
  t.same(await removal(), LAST, 'a membership that counts elsewhere')
  await member(group1, bob.id, `?project=${id}`)
  const deny = await give({ effect: 'deny' })
  t.same(await removal(), LAST, 'refused')
  await admin.expect(200, 'DELETE', `${grantsOf(id)}/${deny.id}`)
  await admin.expect(200, 'PATCH', `/v1/users/${bob.id}`, { isActive: false })
  t.same(await removal(), LAST, 'inactive')
  await admin.expect(200, 'PATCH', `/v1/users/${bob.id}`, { isActive: true })
  t.equal((await ada.call('DELETE', `${grantsOf(id)}/${grantId}`)).status, 200, 'now somebody is left, through a group')
})

t.test('two administrators who remove each other at once leave one', async (t) => {
  for (let round = 0; round < 8; round += 1) {
    const { id, ada, grantId } = await administered()
    const bob = await user(`bob ${made}`)
    await administers(bob, id)
    const bobs = await admin.expect(200, 'GET', `${grantsOf(id)}?permission=can_administer&userId=${bob.id}`)
    const statuses = await Promise.all([
      ada.status('DELETE', `${grantsOf(id)}/${bobs.items[0].id}`),
      round % 2 === 0
        ? bob.status('DELETE', `${grantsOf(id)}/${grantId}`)
        : bob.status('PUT', `${grantsOf(id)}/user/${ada.id}`, { permissions: [] }),
    ])
    const { items } = await admin.expect(200, 'GET', `${grantsOf(id)}?permission=can_administer`)
    t.equal(items.length, 1, `round ${round}: ${statuses}`)
    t.ok(
      statuses.every((status) => [200, 403, 409].includes(status)),
      String(statuses),
    )
  }
})

t.test('denies that meet a superuser are for superusers', async (t) => {
  const { id, ada } = await administered()
  const root = await user('root', { superuser: true })
  const [elsewhere, staff] = [await project('where root is staff'), await group('staff')]
  const deny = (to: object, more: object = {}) => ({ principal: to, permission: 'can_import', effect: 'deny', ...more })
  const ofStaff = { type: 'group', id: staff }
  t.same(await ada.problem('POST', grantsOf(id), deny(principal(root))), REFUSED)
  t.same(await ada.problem('POST', grantsOf(id), deny(principal(root), { validFrom: '2099-01-01T00:00:00Z' })), REFUSED)
  await member(staff, root.id, `?project=${elsewhere}`)
  const early = await ada.call('POST', grantsOf(id), deny(ofStaff))
  t.equal(early.status, 201, 'in this project the superuser is no member')
  await member(staff, root.id, `?project=${id}`)
  t.same(await ada.problem('POST', grantsOf(id), deny(ofStaff, { permission: 'can_fork' })), REFUSED)
  t.same(await ada.problem('DELETE', `${grantsOf(id)}/${early.body.id}`), REFUSED, 'nor taken away')
  t.equal((await admin.events(1))[0].action, 'membership.create', 'and nothing was written')
  t.equal(await root.status('DELETE', `${grantsOf(id)}/${early.body.id}`), 200)
  t.equal(await root.status('POST', grantsOf(id), deny(principal(root))), 201)
  t.equal(
    await ada.status('POST', grantsOf(id), { principal: principal(root), permission: 'can_import' }),
    201,
    'an allow may be given',
  )
})

t.test('no grant refuses administration to a superuser', async (t) => {
  const { id } = await administered()
  const root = await user('refused root', { superuser: true })
  await grant(id, principal(root), 'can_administer', { effect: 'deny' })
  t.equal(await root.status('GET', grantsOf(id)), 200)
  t.equal(await root.status('PATCH', `/v1/projects/${id}`, { title: 'still' }), 200)
  t.equal(await root.status('GET', '/v1/users'), 200)
})
