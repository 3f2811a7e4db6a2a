import t from 'tap'
import { administration } from '../harness/administration.ts'

t.test('groups over HTTP', async (t) => {
  const service = await administration(t)
  const user = (username: string) => service.expect(201, 'POST', '/v1/users', { username })
  const group = (name: string) => service.expect(201, 'POST', '/v1/groups', { name })
  const project = (title: string) => service.expect(201, 'POST', '/v1/projects', { title })

  t.test('a group can be made, found by its exact name, renamed and deleted', async (t) => {
    const { revision, ...made } = await group('tracers')
    t.match(made, { name: 'tracers', maintainers: [] })
    t.same(await service.expect(200, 'GET', '/v1/groups?name=tracers'), { items: [made], nextCursor: null })
    t.same((await service.expect(200, 'GET', '/v1/groups?name=Tracers')).items, [])
    const renamed = await service.expect(200, 'PATCH', `/v1/groups/${made.id}`, { name: 'Tracers' })
    t.ok(renamed.revision > revision)
    t.match(await service.expect(200, 'GET', `/v1/groups/${made.id}`), { name: 'Tracers' })
    await service.expect(200, 'DELETE', `/v1/groups/${made.id}`)
    for (const method of ['GET', 'DELETE']) await service.expect(404, method, `/v1/groups/${made.id}`)
    await service.expect(404, 'PATCH', `/v1/groups/${made.id}`, { name: 'x' })
    await service.expect(404, 'GET', `/v1/groups/${made.id}/members`)
  })

  t.test('a name that another group has is refused, insisted on or not', async (t) => {
    await group('taken')
    const other = await group('other')
    for (const body of [{ name: 'taken' }, { name: 'taken', confirmEditRights: true }]) {
      for (const [method, path] of [
        ['POST', '/v1/groups'],
        ['PATCH', `/v1/groups/${other.id}`],
      ] as const) {
        t.match(await service.expect(409, method, path, body), { code: 'name-taken', errors: [{ pointer: '/name' }] })
      }
    }
  })

  t.test('memberships everywhere and in one project are apart, and each ends by itself', async (t) => {
    const member = await user('member')
    const { id } = await group('annotators')
    const here = await project('here')
    const there = await project('there')
    for (const { id: projectId } of [here, there]) {
      const grant = { principal: { type: 'group', id }, permission: 'can_browse' }
      await service.expect(201, 'POST', `/v1/projects/${projectId}/grants`, grant)
    }
    const path = `/v1/groups/${id}/members/${member.id}`
    const sees = async (revision: number) => [
      await service.allowed({ user: 'member', project: here.id, permission: 'can_browse' }, revision),
      await service.allowed({ user: 'member', project: there.id, permission: 'can_browse' }, revision),
    ]
    const limited = await service.expect(201, 'PUT', `${path}?project=${here.id}`)
    t.match(limited, { groupId: id, userId: member.id, username: 'member', projectId: here.id, source: 'api' })
    t.same(await sees(limited.revision), [true, false])
    const everywhere = await service.expect(201, 'PUT', path)
    t.match(everywhere, { projectId: null })
    t.same(await sees(everywhere.revision), [true, true])
    const members = await service.expect(200, 'GET', `/v1/groups/${id}/members`)
    t.same(
      members.items.map((item: { projectId: number | null }) => item.projectId),
      [here.id, null],
    )
    const inProject = await service.expect(200, 'GET', `/v1/groups/${id}/members?project=${here.id}`)
    t.equal(inProject.items.length, 1)
    t.match((await service.expect(200, 'GET', `/v1/groups?memberId=${member.id}`)).items, [{ id }])

    const again = await service.expect(200, 'PUT', path)
    t.same({ ...again, revision: 0 }, { ...everywhere, revision: 0 }, 'putting twice is putting once')
    t.equal(again.revision, everywhere.revision)

    const left = await service.expect(200, 'DELETE', path)
    t.same(await sees(left.revision), [true, false], 'the limited one stays')
    t.match(await service.expect(404, 'DELETE', path), { code: 'not-found' })
    const gone = await service.expect(200, 'DELETE', `${path}?project=${here.id}`)
    t.same(await sees(gone.revision), [false, false])
  })

  t.test('members must exist: group and user in the path are 404, the project in the query is 400', async (t) => {
    const { id } = await group('checked')
    const { id: userId } = await user('checked too')
    for (const path of [`/v1/groups/999999/members/${userId}`, `/v1/groups/${id}/members/999999`]) {
      t.match(await service.expect(404, 'PUT', path), { code: 'not-found' }, path)
    }
    const problem = await service.expect(400, 'PUT', `/v1/groups/${id}/members/${userId}?project=999999`)
    t.match(problem, { code: 'invalid-request', errors: [{ pointer: '?project' }] })
    for (const query of ['project=', 'project=x', 'project=2147483648', 'projcet=3', 'project=1&project=2']) {
      t.match(await service.expect(400, 'PUT', `/v1/groups/${id}/members/${userId}?${query}`), { status: 400 }, query)
    }
    t.same((await service.expect(200, 'GET', `/v1/groups/${id}/members`)).items, [])
  })

  t.test('maintainers are added, shown with their group, and removed', async (t) => {
    const { id } = await group('maintained')
    const { id: userId } = await user('maintainer')
    const path = `/v1/groups/${id}/maintainers/${userId}`
    const { revision } = await service.expect(201, 'PUT', path)
    t.match(await service.expect(200, 'PUT', path), { revision, maintainers: [{ userId, username: 'maintainer' }] })
    t.match(await service.expect(200, 'GET', `/v1/groups/${id}`), { maintainers: [{ userId, username: 'maintainer' }] })
    t.match((await service.expect(200, 'GET', `/v1/groups?maintainerId=${userId}`)).items, [{ id }])
    await service.expect(200, 'DELETE', path)
    await service.expect(404, 'DELETE', path)
    t.match(await service.expect(200, 'GET', `/v1/groups/${id}`), { maintainers: [] })
    const [anonymous] = (await service.expect(200, 'GET', '/v1/users?isAnonymous=true')).items
    const problem = await service.expect(409, 'PUT', `/v1/groups/${id}/maintainers/${anonymous.id}`)
    t.match(problem, { code: 'anonymous-user' })
  })

  t.test('a deleted group takes its memberships and grants along', async (t) => {
    const { id } = await group('doomed')
    const { id: userId } = await user('survivor')
    const { id: projectId } = await project('doomed too')
    await service.expect(201, 'PUT', `/v1/groups/${id}/members/${userId}`)
    const grant = { principal: { type: 'group', id }, permission: 'can_browse' }
    const { revision } = await service.expect(201, 'POST', `/v1/projects/${projectId}/grants`, grant)
    const check = { user: 'survivor', project: projectId, permission: 'can_browse' }
    t.equal(await service.allowed(check, revision), true)
    const gone = await service.expect(200, 'DELETE', `/v1/groups/${id}`)
    t.equal(await service.allowed(check, gone.revision), false)
    const [event] = await service.events(1)
    t.match(event, { action: 'group.delete', before: { name: 'doomed', memberships: 1, grants: 1 } })
  })

  t.test('many members come in pages', async (t) => {
    const { id } = await group('large')
    const ids: number[] = []
    for (const name of ['m1', 'm2', 'm3', 'm4', 'm5']) {
      const made = await user(name)
      ids.push(made.id)
      await service.expect(201, 'PUT', `/v1/groups/${id}/members/${made.id}`)
    }
    const seen: number[] = []
    let path = `/v1/groups/${id}/members?limit=2&sort=-userId`
    for (;;) {
      const page = await service.expect(200, 'GET', path)
      seen.push(...page.items.map((member: { userId: number }) => member.userId))
      if (page.nextCursor === null) break
      path = `/v1/groups/${id}/members?limit=2&sort=-userId&cursor=${page.nextCursor}`
    }
    t.same(seen, ids.reverse())
  })
})
