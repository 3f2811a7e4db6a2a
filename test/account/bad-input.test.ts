import t from 'tap'
import { administration } from '../harness/administration.ts'

t.test('bad input to administration changes nothing and is told where it is bad', async (t) => {
  const service = await administration(t)
  const user = await service.expect(201, 'POST', '/v1/users', { username: 'user' })
  const group = await service.expect(201, 'POST', '/v1/groups', { name: 'group' })
  const project = await service.expect(201, 'POST', '/v1/projects', { title: 'project' })
  const state = () =>
    service.query(`SELECT (SELECT revision FROM policy_head) AS revision,
      (SELECT count(*) FROM audit_events) AS events, (SELECT json_agg(u) FROM users u)::text AS users`)
  const grants = `/v1/projects/${project.id}/grants`
  const principal = { type: 'user', id: user.id }
  const permission = 'can_browse'

  const BAD: [string, string, unknown, string][] = [
    ['POST', '/v1/users', {}, '/username'],
    ['POST', '/v1/users', { username: 7 }, '/username'],
    ['POST', '/v1/users', { username: null }, '/username'],
    ['POST', '/v1/users', { username: ['x'] }, '/username'],
    ['POST', '/v1/users', { username: 'x', isActive: 'true' }, '/isActive'],
    ['POST', '/v1/users', { username: 'x', isSuperuser: 1 }, '/isSuperuser'],
    ['POST', '/v1/users', { username: 'x', isAnonymous: true }, '/isAnonymous'],
    ['POST', '/v1/users', { username: 'x', id: 7 }, '/id'],
    ['POST', '/v1/users', { username: 'x', passwordHash: 'x' }, '/passwordHash'],
    ['POST', '/v1/users', { username: 'x', generalPermissions: ['can_annotate'] }, '/generalPermissions/0'],
    ['POST', '/v1/users', { username: 'x', generalPermissions: 'can_browse' }, '/generalPermissions'],
    ['POST', '/v1/users', { username: 'x', generalPermissions: ['can_browse', 'can_browse'] }, '/generalPermissions'],
    ['POST', '/v1/users', '{"username":"x","__proto__":{"isSuperuser":true}}', '/__proto__'],
    ['POST', '/v1/users', [], ''],
    ['POST', '/v1/users', 'null', ''],
    ['PATCH', `/v1/users/${user.id}`, { username: null }, '/username'],
    ['PATCH', `/v1/users/${user.id}`, { createGroup: true }, '/createGroup'],
    ['PATCH', `/v1/users/${user.id}`, { deactivationReason: null }, '/deactivationReason'],
    ['POST', '/v1/groups', {}, '/name'],
    ['POST', '/v1/groups', { name: 'x', maintainers: [] }, '/maintainers'],
    ['PATCH', `/v1/groups/${group.id}`, { name: 1 }, '/name'],
    ['POST', '/v1/projects', {}, '/title'],
    ['POST', '/v1/projects', { title: 'x', id: 0 }, '/id'],
    ['POST', '/v1/projects', { title: 'x', id: -1 }, '/id'],
    ['POST', '/v1/projects', { title: 'x', id: 1.5 }, '/id'],
    ['POST', '/v1/projects', { title: 'x', id: '7' }, '/id'],
    ['POST', '/v1/projects', { title: 'x', id: 2 ** 31 }, '/id'],
    ['PATCH', `/v1/projects/${project.id}`, { id: 9 }, '/id'],
    ['POST', grants, { permission }, '/principal'],
    ['POST', grants, { principal: { type: 'role', id: 1 }, permission }, '/principal/type'],
    ['POST', grants, { principal: { type: 'user' }, permission }, '/principal/id'],
    ['POST', grants, { principal: { ...principal, name: 'x' }, permission }, '/principal/name'],
    ['POST', grants, { principal: { type: 'user', id: 2 ** 31 }, permission }, '/principal/id'],
    ['POST', grants, { principal: { type: 'user', id: 999_999 }, permission }, '/principal/id'],
    ['POST', grants, { principal: { type: 'group', id: 999_999 }, permission }, '/principal/id'],
    ['POST', grants, { principal, permission: 'can_fly' }, '/permission'],
    ['POST', grants, { principal, permission, effect: 'maybe' }, '/effect'],
    ['POST', grants, { principal, permission, grantedBy: 'x' }, '/grantedBy'],
    ['PUT', `${grants}/user/${user.id}`, {}, '/permissions'],
    ['PUT', `${grants}/user/${user.id}`, { permissions: ['can_fly'] }, '/permissions/0'],
    ['PUT', `${grants}/user/${user.id}`, { permissions: [permission, permission] }, '/permissions'],
    ['PUT', `${grants}/user/${user.id}`, { permissions: [], effect: 'deny' }, '/effect'],
  ]

  t.test('bodies: every fault is a 400 with the JSON pointer of its field', async (t) => {
    const before = await state()
    for (const [method, path, body, pointer] of BAD) {
      const problem = await service.expect(400, method, path, body)
      const told = `${method} ${path} ${JSON.stringify(body)}`
      t.match(problem, { code: 'invalid-request', status: 400 }, told)
      t.ok(
        problem.errors?.some((fault: { pointer: string }) => fault.pointer === pointer),
        `${told}: ${JSON.stringify(problem.errors)}`,
      )
    }
    t.same(await state(), before)
  })

  t.test('ids in paths: unknown ones are 404, impossible ones 404 or 400', async (t) => {
    const before = await state()
    const bodies: Record<string, unknown> = {
      'PATCH /v1/users/X': { firstName: 'x' },
      'PATCH /v1/groups/X': { name: 'x' },
      'PATCH /v1/projects/X': { title: 'x' },
      'POST /v1/projects/X/grants': { principal, permission },
      [`PUT ${grants}/user/X`]: { permissions: [] },
      [`PUT ${grants}/group/X`]: { permissions: [] },
      [`PUT /v1/projects/X/grants/user/${user.id}`]: { permissions: [] },
    }
    const routes = [
      ...['users', 'groups', 'projects'].flatMap((kind) => ['GET', 'DELETE'].map((verb) => `${verb} /v1/${kind}/X`)),
      'GET /v1/groups/X/members',
      'GET /v1/projects/X/grants',
      `PUT /v1/groups/X/members/${user.id}`,
      `PUT /v1/groups/${group.id}/members/X`,
      `DELETE /v1/groups/${group.id}/members/X`,
      `PUT /v1/groups/${group.id}/maintainers/X`,
      `DELETE /v1/groups/${group.id}/maintainers/X`,
      `DELETE ${grants}/X`,
      `DELETE /v1/projects/X/grants/1`,
      ...Object.keys(bodies),
    ]
    for (const route of routes) {
      const [method = '', path = ''] = route.split(' ')
      for (const id of ['999999', '2147483647', '0', '-1']) {
        const problem = await service.expect(404, method, path.replace('X', id), bodies[route])
        t.match(problem, { code: 'not-found' }, `${route} ${id}`)
      }
      for (const id of [
        '2147483648',
        '-2147483649',
        '99999999999999999999',
        '1e3',
        '0x1',
        '1.0',
        '01',
        'x',
        '%00',
        '%20',
      ]) {
        const { status, body } = await service.call(method, path.replace('X', id), bodies[route])
        t.ok(status === 404 || status === 400, `${route} ${id}: ${status} ${JSON.stringify(body)}`)
      }
    }
    t.match(await service.expect(400, 'PUT', `${grants}/role/${user.id}`, { permissions: [] }), { status: 400 })
    t.same(await state(), before)
  })

  t.test('filters and pages: what cannot be is a 400, what is not there an empty list', async (t) => {
    for (const query of [
      'audit-events?from=yesterday',
      'audit-events?from=2026-02-30T00:00:00Z',
      'audit-events?sort=caller',
      'audit-events?limit=1000',
      'groups?memberId=x',
      'groups?memberId=2147483648',
      'projects?sort=createdAt',
      'users?sort=id;select',
      'users?cursor=AAAA',
      `users?username=${'%00'}`,
      'groups?name=a&name=b',
    ]) {
      t.match(await service.expect(400, 'GET', `/v1/${query}`), { status: 400 }, query)
    }
    for (const query of [
      'users?username=%27%20OR%201=1',
      'groups?name=%25',
      'groups?memberId=999999',
      'projects?title=x',
    ]) {
      t.same(await service.expect(200, 'GET', `/v1/${query}`), { items: [], nextCursor: null }, query)
    }
    const page = await service.expect(200, 'GET', '/v1/users?limit=1')
    for (const query of ['limit=1&sort=username', 'limit=1&isActive=true']) {
      const problem = await service.expect(400, 'GET', `/v1/users?${query}&cursor=${page.nextCursor}`)
      t.match(problem, { code: 'invalid-cursor' }, query)
    }
    t.match(await service.expect(400, 'GET', `/v1/groups?cursor=${page.nextCursor}`), { code: 'invalid-cursor' })
  })
})
