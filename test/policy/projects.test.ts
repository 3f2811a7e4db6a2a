import t from 'tap'
import { administration } from '../harness/administration.ts'

t.test('projects over HTTP', async (t) => {
  const service = await administration(t)
  const project = (body: object) => service.expect(201, 'POST', '/v1/projects', body)

  t.test('a project can be made, found by its exact title, retitled and deleted', async (t) => {
    const { revision, ...made } = await project({ title: 'Fly brain' })
    t.match(made, { title: 'Fly brain', createdAt: /Z$/ })
    t.same(await service.expect(200, 'GET', '/v1/projects?title=Fly%20brain'), { items: [made], nextCursor: null })
    t.same((await service.expect(200, 'GET', '/v1/projects?title=fly%20brain')).items, [])
    const changed = await service.expect(200, 'PATCH', `/v1/projects/${made.id}`, { title: 'Fly brain L1' })
    t.ok(changed.revision > revision)
    t.match(await service.expect(200, 'GET', `/v1/projects/${made.id}`), { title: 'Fly brain L1' })
    await service.expect(200, 'DELETE', `/v1/projects/${made.id}`)
    await service.expect(404, 'GET', `/v1/projects/${made.id}`)
  })

  t.test('two projects may have one title', async (t) => {
    const [one, two] = [await project({ title: 'same' }), await project({ title: 'same' })]
    t.not(one.id, two.id)
    t.equal((await service.expect(200, 'GET', '/v1/projects?title=same')).items.length, 2)
  })

  t.test('a project gets the id that is asked for, and later ones come after it', async (t) => {
    t.equal((await project({ id: 1000, title: 'thousand' })).id, 1000)
    t.equal((await project({ title: 'next' })).id, 1001)
    t.equal((await project({ id: 900, title: 'before' })).id, 900)
    t.equal((await project({ title: 'after' })).id, 1002, 'a smaller id moves nothing back')
    t.equal((await project({ id: 1003, title: 'just the next' })).id, 1003)
    t.equal((await project({ title: 'and on' })).id, 1004)
    const problem = await service.expect(409, 'POST', '/v1/projects', { id: 1000, title: 'again' })
    t.match(problem, { code: 'id-taken', errors: [{ pointer: '/id' }] })
  })

  t.test('the very first id may be asked for, too', async (t) => {
    const fresh = await administration(t)
    t.equal((await fresh.expect(201, 'POST', '/v1/projects', { id: 1, title: 'one' })).id, 1)
    t.equal((await fresh.expect(201, 'POST', '/v1/projects', { title: 'two' })).id, 2)
  })

  t.test('many writers at once get ids of their own, asked for or not', async (t) => {
    const calls = Array.from({ length: 12 }, (_, index) =>
      service.call('POST', '/v1/projects', { title: 'crowd', ...(index % 3 === 0 && { id: 2000 + 1000 * index }) }),
    )
    const answers = await Promise.all(calls)
    t.ok(answers.every((answer) => answer.status === 201))
    t.equal(new Set(answers.map((answer) => answer.body.id)).size, answers.length)
    const sameId = () => service.call('POST', '/v1/projects', { title: 'twin', id: 3000 })
    t.same((await Promise.all([sameId(), sameId()])).map((answer) => answer.status).sort(), [201, 409])
  })

  t.test('a deleted project takes its grants and the memberships limited to it along, and no others', async (t) => {
    const { id: userId } = await service.expect(201, 'POST', '/v1/users', { username: 'stays' })
    const group = await service.expect(201, 'POST', '/v1/groups', { name: 'stays too' })
    const [doomed, kept] = [await project({ title: 'doomed' }), await project({ title: 'kept' })]
    const grant = { principal: { type: 'user', id: userId }, permission: 'can_browse' }
    for (const { id } of [doomed, kept]) {
      await service.expect(201, 'POST', `/v1/projects/${id}/grants`, grant)
      await service.expect(201, 'PUT', `/v1/groups/${group.id}/members/${userId}?project=${id}`)
    }
    const { revision } = await service.expect(200, 'DELETE', `/v1/projects/${doomed.id}`)
    const check = (id: number) => service.check({ user: 'stays', project: id, permission: 'can_browse' }, revision)
    t.match(await check(doomed.id), { allowed: false, reason: { code: 'unknown_project' } })
    t.match(await check(kept.id), { allowed: true })
    const members = await service.expect(200, 'GET', `/v1/groups/${group.id}/members`)
    t.match(members.items, [{ projectId: kept.id }])
    t.equal(members.items.length, 1)
    const [event] = await service.events(1)
    t.match(event, { action: 'project.delete', before: { title: 'doomed', memberships: 1, grants: 1 }, after: null })
  })

  t.test('when the last id is given away, that is told and no fault', async (t) => {
    const fresh = await administration(t)
    await fresh.expect(201, 'POST', '/v1/projects', { id: 2_147_483_647, title: 'last' })
    t.match(await fresh.expect(409, 'POST', '/v1/projects', { title: 'none left' }), { code: 'ids-exhausted' })
    await fresh.expect(201, 'POST', '/v1/projects', { id: 5, title: 'asked for' })
  })
})
