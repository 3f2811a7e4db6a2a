import t from 'tap'
import { usersOf } from '../harness/in-person.ts'
import { testService } from '../harness/service.ts'

const service = await testService(t)
const { admin, user, project, group, grant, member, administers } = usersOf(t, service)
const REFUSED = [403, 'not-permitted']
const members = (id: number, userId: number) => `/v1/groups/${id}/members/${userId}`

t.test('a maintainer adds, lists and removes members, everywhere and limited', async (t) => {
  const [ada, bob] = [await user('ada'), await user('bob')]
  const [tracers, place] = [await group('tracers'), await project('larva')]
  await admin.expect(201, 'PUT', `/v1/groups/${tracers}/maintainers/${ada.id}`)
  t.equal(await ada.status('PUT', members(tracers, bob.id)), 201)
  t.equal(await ada.status('PUT', members(tracers, bob.id)), 200, 'again')
  t.equal(await ada.status('PUT', `${members(tracers, bob.id)}?project=${place}`), 201)
  const { body } = await ada.call('GET', `/v1/groups/${tracers}/members`)
  t.same(
    body.items.map((row: { projectId: number }) => row.projectId),
    [null, place],
  )
  t.match((await ada.call('GET', `/v1/groups/${tracers}`)).body, { name: 'tracers', maintainers: [{ userId: ada.id }] })
  t.equal(await ada.status('DELETE', `${members(tracers, bob.id)}?project=${place}`), 200)
  t.equal(await ada.status('DELETE', members(tracers, bob.id)), 200)
  t.same(await ada.problem('DELETE', members(tracers, bob.id)), [404, 'not-found'])
  const [event] = await admin.events(1)
  t.match(event, { caller: `user:${ada.id}`, action: 'membership.delete' })
})

t.test('a maintainer of one group has no say in another, nor over groups (C17)', async (t) => {
  const [carl, dora] = [await user('carl'), await user('dora')]
  const [own, other] = [await group('own'), await group('other')]
  await admin.expect(201, 'PUT', `/v1/groups/${own}/maintainers/${carl.id}`)
  for (const [method, path, body] of [
    ['PUT', members(other, dora.id)],
    ['PUT', members(other, carl.id)],
    ['DELETE', members(other, dora.id)],
    ['GET', `/v1/groups/${other}/members`],
    ['GET', `/v1/groups/${other}`],
    ['PUT', members(2_000_000_000, dora.id)],
    ['GET', '/v1/groups/2000000000'],
    ['GET', '/v1/groups'],
    ['POST', '/v1/groups', { name: 'mine' }],
    ['PATCH', `/v1/groups/${own}`, { name: 'mine' }],
    ['DELETE', `/v1/groups/${own}`],
    ['PUT', `/v1/groups/${own}/maintainers/${dora.id}`],
    ['DELETE', `/v1/groups/${own}/maintainers/${carl.id}`],
  ] as [string, string, object?][]) {
    t.same(await carl.problem(method, path, body), REFUSED, `${method} ${path}`)
  }
  await admin.expect(200, 'DELETE', `/v1/groups/${own}/maintainers/${carl.id}`)
  t.same(await carl.problem('PUT', members(own, dora.id)), REFUSED, 'a maintainer no more')
})

t.test('an administrator of a project looks after memberships limited to it', async (t) => {
  const [eve, fred] = [await user('eve'), await user('fred')]
  const [here, there] = [await project('here'), await project('there')]
  const [readers, namesake] = [await group('readers'), await group('late')]
  await administers(eve, here)
  const limited = `?project=${here}`
  t.equal(await eve.status('PUT', members(readers, fred.id) + limited), 201)
  await member(readers, fred.id, `?project=${there}`)
  const { body } = await eve.call('GET', `/v1/groups/${readers}/members${limited}`)
  t.same(
    body.items.map((row: { projectId: number }) => row.projectId),
    [here],
  )
  t.equal(await eve.status('DELETE', members(readers, fred.id) + limited), 200)

  const late = await user('late')
  const named = (await admin.expect(200, 'GET', '/v1/groups?name=fred')).items[0].id
  const refused: [string, string][] = [
    ['PUT', members(readers, fred.id)],
    ['PUT', `${members(readers, fred.id)}?project=${there}`],
    ['DELETE', `${members(readers, fred.id)}?project=${there}`],
    ['GET', `/v1/groups/${readers}/members`],
    ['GET', `/v1/groups/${readers}/members?project=${there}`],
    ['GET', `/v1/groups/${readers}`],
    ['PUT', members(named, eve.id) + limited],
    ['GET', `/v1/groups/${named}/members${limited}`],
  ]
  for (const [method, path] of refused) t.same(await eve.problem(method, path), REFUSED, `${method} ${path}`)
  await admin.expect(200, 'DELETE', `/v1/users/${late.id}`)
  t.same(await eve.problem('PUT', members(namesake, eve.id) + limited), REFUSED, 'named like a deleted user too')
  t.equal(await eve.status('PUT', members(readers, 2_000_000_000) + limited), 404)
})

t.test('an administrator by token needs can_annotate_with_token for it (D8)', async (t) => {
  const [gina, hans] = [await user('gina'), await user('hans')]
  const [place, readers] = [await project('place'), await group('more readers')]
  await grant(place, { type: 'user', id: gina.id }, 'can_administer')
  t.same(await gina.problem('PUT', `${members(readers, hans.id)}?project=${place}`), REFUSED)
  await grant(place, { type: 'user', id: gina.id }, 'can_annotate_with_token')
  t.equal(await gina.status('PUT', `${members(readers, hans.id)}?project=${place}`), 201)
})

t.test('no membership that ends takes the last administrator of any project along', async (t) => {
  const [ines, jan] = [await user('ines'), await user('jan')]
  const [first, second] = [await project('first'), await project('second')]
  const staff = await group('staff')
  await admin.expect(201, 'PUT', `/v1/groups/${staff}/maintainers/${ines.id}`)
  await grant(second, { type: 'group', id: staff }, 'can_administer')
  await member(staff, jan.id)
  t.same(await ines.problem('DELETE', members(staff, jan.id)), [409, 'last-administrator'])
  await grant(second, { type: 'user', id: ines.id }, 'can_administer')
  t.equal(await ines.status('DELETE', members(staff, jan.id)), 200)
  await grant(first, { type: 'group', id: staff }, 'can_browse')
  await member(staff, jan.id)
  t.equal(await ines.status('DELETE', members(staff, jan.id)), 200, 'other grants do not matter')
})

t.test('nor does one that begins in a group that is refused can_administer', async (t) => {
  const [kim, lea] = [await user('kim'), await user('lea')]
  const [place, refused] = [await project('refusing'), await group('refused')]
  await grant(place, { type: 'group', id: refused }, 'can_administer', { effect: 'deny' })
  await grant(place, { type: 'user', id: lea.id }, 'can_administer')
  await admin.expect(201, 'PUT', `/v1/groups/${refused}/maintainers/${kim.id}`)
  t.same(await kim.problem('PUT', members(refused, lea.id)), [409, 'last-administrator'])
  t.same(await kim.problem('PUT', `${members(refused, lea.id)}?project=${place}`), [409, 'last-administrator'])
  t.equal(await kim.status('PUT', members(refused, kim.id)), 201, 'who administers nothing may come in')
})

t.test('no membership makes a deny meet a superuser, or takes one away', async (t) => {
  const [mia, root] = [await user('mia'), await user('root', { superuser: true })]
  const [place, elsewhere] = [await project('denying'), await project('not denying')]
  const denied = await group('denied')
  await grant(place, { type: 'group', id: denied }, 'can_import', { effect: 'deny' })
  await admin.expect(201, 'PUT', `/v1/groups/${denied}/maintainers/${mia.id}`)
  t.same(await mia.problem('PUT', members(denied, root.id)), REFUSED)
  t.same(await mia.problem('PUT', `${members(denied, root.id)}?project=${place}`), REFUSED)
  t.equal(await mia.status('PUT', `${members(denied, root.id)}?project=${elsewhere}`), 201, 'there it meets no deny')
  await member(denied, root.id)
  t.same(await mia.problem('DELETE', members(denied, root.id)), REFUSED)
  t.equal(await root.status('DELETE', members(denied, root.id)), 200, 'the superuser may')
})
