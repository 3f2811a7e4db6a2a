import t from 'tap'
import { type Administration, administration } from '../harness/administration.ts'

/** Every kind of write that leaves an event, on a service of its own; gives what it was and its revision. */
async function everyWrite(service: Administration) {
  const written: { action: string; target: string; revision: number }[] = []
  const write = async (
    action: string,
    target: string | null,
    status: number,
    ...request: [string, string, object?]
  ) => {
    const body = await service.expect(status, ...request)
    written.push({ action, target: target ?? `${action.split('.')[0]}:${body.id}`, revision: body.revision })
    return body
  }
  const user = await write('user.create', null, 201, 'POST', '/v1/users', { username: 'alice' })
  const group = await write('group.create', null, 201, 'POST', '/v1/groups', { name: 'lab' })
  const project = await write('project.create', null, 201, 'POST', '/v1/projects', { title: 'brain' })
  const [users, groups, projects] = [`/v1/users/${user.id}`, `/v1/groups/${group.id}`, `/v1/projects/${project.id}`]
  await write('user.update', `user:${user.id}`, 200, 'PATCH', users, { isActive: false, firstName: 'Alice' })
  await write('group.update', `group:${group.id}`, 200, 'PATCH', groups, { name: 'laboratory' })
  await write('project.update', `project:${project.id}`, 200, 'PATCH', projects, { title: 'Brain' })
  const member = await write('membership.create', null, 201, 'PUT', `${groups}/members/${user.id}`)
  await write('maintainer.create', `group:${group.id}`, 201, 'PUT', `${groups}/maintainers/${user.id}`)
  const principal = { type: 'user', id: user.id }
  const grant = await write('grant.create', null, 201, 'POST', `${projects}/grants`, {
    principal,
    permission: 'can_fork',
  })
  const permissions = { permissions: ['can_browse'] }
  await write('grant.set', `project:${project.id}`, 200, 'PUT', `${projects}/grants/group/${group.id}`, permissions)
  await write('grant.delete', `grant:${grant.id}`, 200, 'DELETE', `${projects}/grants/${grant.id}`)
  await write('maintainer.delete', `group:${group.id}`, 200, 'DELETE', `${groups}/maintainers/${user.id}`)
  await write('membership.delete', `membership:${member.id}`, 200, 'DELETE', `${groups}/members/${user.id}`)
  await write('project.delete', `project:${project.id}`, 200, 'DELETE', projects)
  await write('group.delete', `group:${group.id}`, 200, 'DELETE', groups)
  await write('user.delete', `user:${user.id}`, 200, 'DELETE', users)
  return written
}

t.test('the audit trail', async (t) => {
  const service = await administration(t)
  const started = new Date().toISOString()
  const before = (await service.events(200)).length
  const written = await everyWrite(service)

  t.test('every write leaves one event, newest first, with the revision that it answered', async (t) => {
    const events = await service.events(200)
    t.equal(events.length - before, written.length)
    t.same(
      events.slice(0, written.length).map(({ action, target, revision }) => ({ action, target, revision })),
      written.toReversed(),
    )
    t.ok(events.every(({ occurredAt }) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(occurredAt)))
    t.ok(events.slice(0, written.length).every(({ caller }) => caller === 'service-key:test admin'))
  })

  t.test('an event tells how what changed was before and after', async (t) => {
    const of = async (action: string) => (await service.expect(200, 'GET', `/v1/audit-events?action=${action}`)).items
    const [update] = await of('user.update')
    t.match(update.before, { isActive: true, firstName: '', deactivatedAt: null, deactivationReason: null })
    t.match(update.after, { isActive: false, firstName: 'Alice', deactivationReason: 'admin' })
    t.notOk('username' in update.before, 'what stayed is not there')
    t.match(await of('group.update'), [{ before: { name: 'lab' }, after: { name: 'laboratory' } }])
    t.match(await of('user.create'), [{ before: null, after: { username: 'alice', createdGroup: Number } }])
    t.match(await of('grant.delete'), [{ before: { permission: 'can_fork', effect: 'allow' }, after: null }])
    t.match(await of('membership.create'), [{ before: null, after: { username: 'alice', projectId: null } }])
  })

  t.test('an event names the request that it came from', async (t) => {
    await service.call('POST', '/v1/groups', { name: 'traced' }, { 'x-request-id': 'trace-7' })
    t.match(await service.events(1), [{ requestId: 'trace-7', action: 'group.create' }])
  })

  t.test('writes that change nothing leave no event and answer with the current revision', async (t) => {
    const user = await service.expect(201, 'POST', '/v1/users', { username: 'same', email: 'a@example.org' })
    const group = await service.expect(201, 'POST', '/v1/groups', { name: 'same group' })
    const project = await service.expect(201, 'POST', '/v1/projects', { title: 'same project' })
    await service.expect(201, 'PUT', `/v1/groups/${group.id}/members/${user.id}`)
    const last = await service.expect(201, 'PUT', `/v1/groups/${group.id}/maintainers/${user.id}`)
    const count = (await service.events(200)).length
    const {
      revision: _revision,
      id,
      createdAt,
      isAnonymous,
      lastLoginAt,
      deactivatedAt,
      deactivationReason,
      deactivationMessage: _message,
      emailConfirmedAt: _confirmed,
      ...all
    } = user
    t.match({ id, createdAt, isAnonymous, lastLoginAt, deactivatedAt, deactivationReason }, { isAnonymous: false })
    for (const [method, path, body] of [
      ['PATCH', `/v1/users/${user.id}`, {}],
      ['PATCH', `/v1/users/${user.id}`, all],
      ['PATCH', `/v1/groups/${group.id}`, { name: 'same group', confirmEditRights: true }],
      ['PATCH', `/v1/projects/${project.id}`, { title: 'same project' }],
      ['PUT', `/v1/groups/${group.id}/members/${user.id}`, undefined],
      ['PUT', `/v1/groups/${group.id}/maintainers/${user.id}`, undefined],
      ['PUT', `/v1/projects/${project.id}/grants/user/${user.id}`, { permissions: [] }],
    ] as const) {
      const { revision } = await service.expect(200, method, path, body)
      t.equal(revision, last.revision, `${method} ${path}`)
    }
    t.equal((await service.events(200)).length, count)
  })

  t.test('a change that is no policy leaves its event, at the current revision', async (t) => {
    const [user] = (await service.expect(200, 'GET', '/v1/users?username=same')).items
    const head = async () =>
      (await service.query<{ revision: number }>('SELECT revision FROM policy_head'))[0]?.revision
    const current = await head()
    const { revision } = await service.expect(200, 'PATCH', `/v1/users/${user.id}`, { email: 'b@example.org' })
    t.equal(revision, current)
    t.equal(await head(), current)
    t.match(await service.events(1), [{ action: 'user.update', after: { email: 'b@example.org' }, revision }])
  })

  t.test('refused writes leave no event', async (t) => {
    const count = (await service.events(200)).length
    await service.expect(409, 'POST', '/v1/users', { username: 'same' })
    await service.expect(400, 'POST', '/v1/users', { username: '' })
    await service.expect(404, 'DELETE', '/v1/users/999999')
    t.equal((await service.events(200)).length, count)
  })

  t.test('filters are exact, and times hold what is at or after from and before until', async (t) => {
    const list = async (query: string) =>
      (await service.expect(200, 'GET', `/v1/audit-events?limit=200&${query}`)).items
    const all = await list('')
    const target = written[0]?.target
    t.ok((await list(`target=${target}`)).every((event: { target: string }) => event.target === target))
    t.equal((await list(`target=${target}`)).length, 3)
    t.same(await list('caller=service-key:test'), [])
    t.equal((await list('caller=command:test')).length, 3)
    t.same(await list('action=user'), [])
    const cut = all[5].occurredAt
    const [since, until] = [await list(`from=${cut}`), await list(`until=${cut}`)]
    t.equal(since.length + until.length, all.length)
    t.ok(since.every((event: { occurredAt: string }) => event.occurredAt >= cut))
    t.ok(until.every((event: { occurredAt: string }) => event.occurredAt <= cut))
    t.same(await list(`until=${started}&action=user.create`), [])
    await service.query(`INSERT INTO audit_events (occurred_at, caller, action, target, revision)
      VALUES ('2020-01-01T00:00:00Z', 'command:test', 'user.create', 'user:1', 1)`)
    t.equal((await list('from=2020-01-01T00:00:00Z&until=2020-01-01T00:00:00.001Z')).length, 1)
    t.same(await list('until=2020-01-01T00:00:00Z'), [])
    t.same(await list('from=2020-01-01T00:00:00.001Z&until=2020-01-02T00:00:00Z'), [])
    const oldest = await list('sort=id')
    t.same(oldest.slice(0, -1), all.toReversed())
  })

  t.test('the trail comes in pages that hold every event once, while new ones arrive', async (t) => {
    const all = await service.events(200)
    const seen: number[] = []
    let cursor = ''
    do {
      const page = await service.expect(200, 'GET', `/v1/audit-events?limit=7${cursor}`)
      seen.push(...page.items.map(({ id }: { id: number }) => id))
      cursor = page.nextCursor === null ? '' : `&cursor=${page.nextCursor}`
      await service.expect(201, 'POST', '/v1/projects', { title: 'meanwhile' })
    } while (cursor !== '')
    t.same(
      seen,
      all.map(({ id }) => id),
    )
  })

  t.test('nothing over HTTP changes the trail', async (t) => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      for (const path of ['/v1/audit-events', '/v1/audit-events/1']) {
        const { status } = await service.call(method, path, method === 'DELETE' ? undefined : {})
        t.ok(status === 404 || status === 405, `${method} ${path} ${status}`)
      }
    }
  })
})
