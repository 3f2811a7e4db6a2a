import t from 'tap'
import { callWith, usersOf } from '../harness/in-person.ts'
import { replicaOf, testService } from '../harness/service.ts'

const service = await testService(t)
const { admin, user, project, grant, administers } = usersOf(t, service)
const REFUSED = [403, 'not-permitted']
const [ada, bob] = [await user('ada'), await user('bob')]
const root = await user('root', { superuser: true })
const place = await project('place')
await grant(place, { type: 'user', id: ada.id }, 'can_annotate')
await grant(place, { type: 'user', id: ada.id }, 'can_browse')
const question = { project: place, permission: 'can_annotate' }

t.test('a user in person asks about themselves, by id or exact login, and comes by token (D8)', async (t) => {
  for (const self of [ada.id, 'ada']) {
    const { status, body } = await ada.call('POST', '/check', { ...question, user: self })
    t.match([status, body.allowed], [200, false], 'writing by token was not granted')
    t.equal(
      (await ada.call('POST', '/check', { ...question, permission: 'can_browse', user: self })).body.allowed,
      true,
    )
  }
  const explained = await ada.call('POST', '/check?explain=true', { ...question, user: 'ada' })
  t.equal(explained.body.reason.code, 'token_not_granted')
  const asked = await admin.allowed({ ...question, user: 'ada' }, 0)
  t.equal(asked, true, 'the same question by session, asked by a service key')
})

t.test('about anybody else a user is refused, whether or not there is one', async (t) => {
  for (const other of [bob.id, 'bob', 'Ada', null, 'nobody', 2_000_000_000, String(ada.id)]) {
    t.same(await ada.problem('POST', '/check', { ...question, user: other }), REFUSED, JSON.stringify(other))
    t.same(await ada.problem('POST', '/checks', { ...question, user: other, checks: [{}] }), REFUSED)
    const mixed = { ...question, checks: [{ user: 'ada' }, { user: other }] }
    t.same(await ada.problem('POST', '/checks', mixed), REFUSED)
  }
  for (const id of [bob.id, root.id, 2_000_000_000]) {
    t.same(await ada.problem('GET', `/v1/users/${id}/projects`), REFUSED)
    t.same(await ada.problem('GET', `/v1/users/${id}/projects/${place}/permissions`), REFUSED)
  }
  t.same(await ada.problem('GET', `/v1/projects/${place}/users?permission=can_browse`), REFUSED)
})

t.test('saying otherwise than the credential is told, with the place where it stands', async (t) => {
  const fault = async (method: string, path: string, body?: object) => {
    const answer = await ada.call(method, path, body)
    return [answer.status, answer.body.code, answer.body.errors?.[0]?.pointer]
  }
  t.same(await fault('POST', '/check', { ...question, user: 'ada', via: 'session' }), [400, 'via-mismatch', '/via'])
  const checks = { ...question, user: 'ada', checks: [{ via: 'token' }, { via: 'session' }] }
  t.same(await fault('POST', '/checks', checks), [400, 'via-mismatch', '/checks/1/via'])
  const lists = [
    `/v1/users/${ada.id}/projects?via=session`,
    `/v1/users/${ada.id}/projects/${place}/permissions?via=session`,
  ]
  for (const path of lists) t.same(await fault('GET', path), [400, 'via-mismatch', '?via'])
  t.equal((await ada.call('POST', '/check', { ...question, user: 'ada', via: 'token' })).body.allowed, false)
  t.same(await root.problem('POST', '/check', { ...question, user: 'root', via: 'session' }), [400, 'via-mismatch'])
})

t.test('the lists about oneself are by token too', async (t) => {
  const { body } = await ada.call('GET', `/v1/users/${ada.id}/projects/${place}/permissions`)
  t.same(body.permissions, ['can_browse'])
  t.equal((await ada.call('GET', `/v1/users/${ada.id}/projects?permission=can_annotate`)).body.items.length, 0)
  t.equal((await ada.call('GET', `/v1/users/${ada.id}/projects`)).body.items.length, 1)
})

t.test('a default beside the checks of a batch holds for each of them', async (t) => {
  const body = { ...question, user: 'ada', via: 'token', checks: [{}, { via: 'session' }] }
  const answer = await callWith(service.url, service.keys.check, 'POST', '/checks', body)
  t.same(answer.body.results, [{ allowed: false }, { allowed: true }])
})

t.test('a superuser asks about everybody, by either way, with the scope admin', async (t) => {
  t.equal((await root.call('POST', '/check', { ...question, user: 'ada' })).body.allowed, true)
  t.equal((await root.call('POST', '/check', { ...question, user: 'ada', via: 'token' })).body.allowed, false)
  t.equal(await root.status('GET', `/v1/users/${ada.id}/projects`), 200)
  t.equal(await root.status('GET', `/v1/projects/${place}/users?permission=can_browse`), 200)
  const narrow = await user('narrow root', { superuser: true, scopes: ['check'] })
  t.same(await narrow.problem('POST', '/check', { ...question, user: 'ada' }), REFUSED)
  t.equal(await narrow.status('POST', '/check', { ...question, user: 'narrow root' }), 200)
})

t.test('what a user gains or loses counts on the next request, here and on a replica', async (t) => {
  const replica = await replicaOf(t, service)
  const gained = await project('gained')
  const title = (at: string) =>
    callWith(at, bob.token, 'PATCH', `/v1/projects/${gained}`, { title: 'x' }).then(({ status }) => status)
  t.equal(await title(service.url), 403)
  await administers(bob, gained)
  t.equal(await title(service.url), 200)
  const { items } = await admin.expect(200, 'GET', `/v1/projects/${gained}/grants?permission=can_administer`)
  const { revision } = await admin.expect(200, 'DELETE', `/v1/projects/${gained}/grants/${items[0].id}`)
  t.equal(await title(service.url), 403)
  await replica.parts.keeper.atLeast(revision)
  t.equal(await title(replica.url), 403)
})
