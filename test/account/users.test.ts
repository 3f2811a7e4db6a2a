import t from 'tap'
import { type Administration, administration } from '../harness/administration.ts'

const makeUser = (service: Administration, username: string, more: object = {}) =>
  service.expect(201, 'POST', '/v1/users', { username, ...more })

t.test('users over HTTP', async (t) => {
  const service = await administration(t)

  t.test(
    'a new user is active, no superuser, empty of everything else, and has a group that it is not in',
    async (t) => {
      const { id, createdAt, revision, ...user } = await makeUser(service, 'alice')
      t.match(createdAt, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
      t.equal(typeof revision, 'number')
      t.same(user, {
        username: 'alice',
        email: '',
        firstName: '',
        lastName: '',
        isActive: true,
        isSuperuser: false,
        isAnonymous: false,
        generalPermissions: [],
        lastLoginAt: null,
        deactivatedAt: null,
        deactivationReason: null,
        deactivationMessage: null,
        emailConfirmedAt: null,
      })
      t.same(await service.expect(200, 'GET', `/v1/users/${id}`), { id, createdAt, ...user })
      const groups = await service.expect(200, 'GET', '/v1/groups?name=alice')
      t.equal(groups.items.length, 1)
      const members = await service.expect(200, 'GET', `/v1/groups/${groups.items[0].id}/members`)
      t.same(members, { items: [], nextCursor: null })
    },
  )

  t.test('createGroup: false makes no group', async (t) => {
    await makeUser(service, 'groupless', { createGroup: false })
    t.same((await service.expect(200, 'GET', '/v1/groups?name=groupless')).items, [])
  })

  t.test('every field that is given is kept', async (t) => {
    const fields = {
      username: 'everything',
      email: 'every@example.org',
      firstName: 'Ever',
      lastName: 'Y. Thing',
      isActive: false,
      isSuperuser: true,
      generalPermissions: ['can_browse'],
    }
    const { id, revision, ...made } = await service.expect(201, 'POST', '/v1/users', fields)
    t.match(made, fields)
    t.equal(made.deactivationReason, 'admin')
    t.ok(made.deactivatedAt)
    t.match(await service.expect(200, 'GET', `/v1/users/${id}`), made)
  })

  t.test('lists filter exactly, by code point', async (t) => {
    const names = ['Kepler', 'kepler', 'kepler ', 'kép', 'kép'.normalize('NFD')]
    for (const username of names.filter((name) => name.trim() === name)) await makeUser(service, username)
    for (const username of ['Kepler', 'kepler', 'kép', 'kép'.normalize('NFD')]) {
      const { items } = await service.expect(200, 'GET', `/v1/users?username=${encodeURIComponent(username)}`)
      t.same(
        items.map((user: { username: string }) => user.username),
        [username],
      )
    }
    t.same((await service.expect(200, 'GET', '/v1/users?username=KEPLER')).items, [])
    t.same((await service.expect(200, 'GET', '/v1/users?username=kepler%25')).items, [])
    const anonymous = (await service.expect(200, 'GET', '/v1/users?isAnonymous=true')).items
    t.match(anonymous, [{ username: 'anonymous', isAnonymous: true }])
    t.equal(anonymous.length, 1)
    t.match((await service.expect(200, 'GET', '/v1/users?email=every@example.org')).items, [{ username: 'everything' }])
    t.same((await service.expect(200, 'GET', '/v1/users?email=Every@example.org')).items, [])
    const both = await service.expect(200, 'GET', '/v1/users?isActive=false&isSuperuser=true')
    t.match(both.items, [{ username: 'everything' }])
  })

  t.test('a list comes in pages that together hold every user once, whichever way it is sorted', async (t) => {
    for (const sort of ['id', '-id', 'username', '-username']) {
      const seen: number[] = []
      let cursor: string | null = null
      do {
        const from: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
        const page = await service.expect(200, 'GET', `/v1/users?limit=2&sort=${sort}${from}`)
        seen.push(...page.items.map((user: { id: number }) => user.id))
        cursor = page.nextCursor
      } while (cursor !== null)
      const order = sort.endsWith('username') ? 'username COLLATE "C"' : 'id'
      const all = await service.query<{ id: number }>(
        `SELECT id FROM users WHERE deleted_at IS NULL ORDER BY ${order} ${sort.startsWith('-') ? 'DESC' : 'ASC'}`,
      )
      t.same(
        seen,
        all.map((row) => row.id),
        sort,
      )
    }
  })

  t.test('parameters that nobody knows, and values that are none, are refused', async (t) => {
    for (const query of [
      'user=alice',
      'sort=email',
      'isActive=yes',
      'isActive=1',
      'limit=0',
      'limit=201',
      'cursor=x',
    ]) {
      const problem = await service.expect(400, 'GET', `/v1/users?${query}`)
      t.match(problem, { type: /^urn:gatehouse:problem:/, status: 400 }, query)
    }
    await service.expect(400, 'GET', '/v1/users?username=%00')
    await service.expect(400, 'PATCH', '/v1/users/1?confirmEditRights=true', { firstName: 'A' })
  })

  t.test('deactivating notes when and that it was an admin; activating clears both', async (t) => {
    const { id } = await makeUser(service, 'sleeper')
    const asleep = await service.expect(200, 'PATCH', `/v1/users/${id}`, { isActive: false })
    t.match(asleep, { isActive: false, deactivationReason: 'admin', deactivatedAt: /Z$/ })
    const again = await service.expect(200, 'PATCH', `/v1/users/${id}`, { isActive: false })
    t.same(again, asleep, 'deactivating twice is deactivating once')
    const awake = await service.expect(200, 'PATCH', `/v1/users/${id}`, { isActive: true })
    t.match(awake, { isActive: true, deactivationReason: null, deactivatedAt: null })
    t.ok(awake.revision > asleep.revision)
  })

  t.test('to deactivate what an import left inactive is a deactivation made here', async (t) => {
    const { id } = await makeUser(service, 'imported-idle')
    await service.query(`UPDATE users SET is_active = false, deactivation_reason = 'import' WHERE id = $1`, [id])
    const idle = await service.expect(200, 'PATCH', `/v1/users/${id}`, { isActive: false })
    t.match(idle, { isActive: false, deactivationReason: 'admin', deactivatedAt: /Z$/ })
  })

  t.test('the anonymous user can be renamed, opened and shut, but not deleted or made superuser', async (t) => {
    const [{ id }] = (await service.expect(200, 'GET', '/v1/users?isAnonymous=true')).items
    const path = `/v1/users/${id}`
    t.match(await service.expect(409, 'DELETE', path), { code: 'anonymous-user' })
    t.match(await service.expect(409, 'PATCH', path, { isSuperuser: true }), { code: 'anonymous-user' })
    const open = { generalPermissions: ['can_browse'] }
    t.match(await service.expect(200, 'PATCH', path, open), open)
    const project = await service.expect(201, 'POST', '/v1/projects', { title: 'public' })
    const grant = { principal: { type: 'user', id }, permission: 'can_browse' }
    const { revision } = await service.expect(201, 'POST', `/v1/projects/${project.id}/grants`, grant)
    const check = { user: null, project: project.id, permission: 'can_browse' }
    t.equal(await service.allowed(check, revision), true)
    const shut = await service.expect(200, 'PATCH', path, { isActive: false })
    t.equal(await service.allowed(check, shut.revision), false)
    await service.expect(200, 'PATCH', path, { isActive: true, username: 'nobody' })
    t.match(await service.expect(200, 'GET', '/v1/users?isAnonymous=true'), { items: [{ username: 'nobody' }] })
    await service.expect(200, 'PATCH', path, { username: 'anonymous' })
  })

  t.test('a deleted user is gone, holds nothing and no personal data, and its login stays reserved', async (t) => {
    const fields = { email: 'gone@example.org', firstName: 'Gone', lastName: 'Girl' }
    const { id } = await makeUser(service, 'gone', fields)
    const project = await service.expect(201, 'POST', '/v1/projects', { title: 'left behind' })
    const group = await service.expect(201, 'POST', '/v1/groups', { name: 'leavers' })
    await service.expect(201, 'PUT', `/v1/groups/${group.id}/members/${id}`)
    await service.expect(201, 'PUT', `/v1/groups/${group.id}/members/${id}?project=${project.id}`)
    await service.expect(201, 'PUT', `/v1/groups/${group.id}/maintainers/${id}`)
    const grant = { principal: { type: 'user', id }, permission: 'can_browse' }
    await service.expect(201, 'POST', `/v1/projects/${project.id}/grants`, grant)
    await service.query('UPDATE users SET password_hash = $1, last_login_at = now() WHERE id = $2', ['secret', id])
    await service.query(
      `INSERT INTO api_tokens (user_id, name, token_hash, scopes) VALUES ($1, $2, sha256($3), '{check}')`,
      [id, 'x', 'x'],
    )

    const { revision } = await service.expect(200, 'DELETE', `/v1/users/${id}`)

    for (const [method, body] of [['GET'], ['DELETE'], ['PATCH', { firstName: 'Back' }]] as const) {
      t.match(await service.expect(404, method, `/v1/users/${id}`, body), { code: 'not-found' }, method)
    }
    t.same((await service.expect(200, 'GET', '/v1/users?username=gone')).items, [])
    const { created_at, deleted_at, ...row } = (await service.query('SELECT * FROM users WHERE id = $1', [id]))[0] ?? {}
    t.ok(deleted_at)
    t.ok(created_at)
    t.same(row, {
      id,
      username: 'gone',
      email: '',
      first_name: '',
      last_name: '',
      is_active: false,
      is_superuser: false,
      is_anonymous: false,
      general_permissions: [],
      password_hash: null,
      last_login_at: null,
      deactivated_at: null,
      deactivation_reason: null,
      email_confirmed_at: null,
      deactivation_message: null,
      terms_version: null,
      terms_accepted_at: null,
    })
    for (const table of ['memberships', 'grants', 'group_maintainers', 'profiles', 'api_tokens']) {
      t.same(await service.query(`SELECT * FROM ${table} WHERE user_id = $1`, [id]), [], table)
    }
    const problem = await service.expect(409, 'POST', '/v1/users', { username: 'gone', confirmEditRights: true })
    t.match(problem, { code: 'name-taken', errors: [{ pointer: '/username' }] })
    await service.expect(404, 'PUT', `/v1/groups/${group.id}/members/${id}`)
    await service.expect(404, 'PUT', `/v1/groups/${group.id}/maintainers/${id}`)
    await service.expect(400, 'POST', `/v1/projects/${project.id}/grants`, grant)
    await service.expect(404, 'PUT', `/v1/projects/${project.id}/grants/user/${id}`, { permissions: [] })
    const check = { user: 'gone', project: project.id, permission: 'can_browse' }
    const explained = await service.check(check, revision)
    t.match(explained, { allowed: false, reason: { code: 'inactive' } })

    const [event] = await service.events(1)
    t.match(event, {
      action: 'user.delete',
      target: `user:${id}`,
      before: {
        username: 'gone',
        memberships: [
          { groupId: group.id, projectId: null },
          { groupId: group.id, projectId: project.id },
        ],
        grants: [{ projectId: project.id, permission: 'can_browse', effect: 'allow' }],
        maintainedGroups: [group.id],
      },
      after: null,
      revision,
    })
    t.notMatch(JSON.stringify(event), /gone@example.org|Girl/)
  })

  t.test('whoever may edit what a user made still may when the user is deleted', async (t) => {
    const owner = await makeUser(service, 'owner')
    const heir = await makeUser(service, 'heir')
    const [group] = (await service.expect(200, 'GET', '/v1/groups?name=owner')).items
    await service.expect(201, 'PUT', `/v1/groups/${group.id}/members/${heir.id}`)
    const project = await service.expect(201, 'POST', '/v1/projects', { title: 'heritage' })
    const grant = { principal: { type: 'user', id: heir.id }, permission: 'can_annotate' }
    await service.expect(201, 'POST', `/v1/projects/${project.id}/grants`, grant)
    const { revision } = await service.expect(200, 'DELETE', `/v1/users/${owner.id}`)
    const check = { user: 'heir', project: project.id, permission: 'can_annotate', object: { creator: 'owner' } }
    t.equal(await service.allowed(check, revision), true)
  })
})

t.test('the last active superuser', async (t) => {
  const service = await administration(t)
  const first = await makeUser(service, 'first', { isSuperuser: true })
  await makeUser(service, 'asleep', { isSuperuser: true, isActive: false })
  const path = `/v1/users/${first.id}`

  t.test('cannot be deactivated, demoted or deleted', async (t) => {
    for (const [method, body] of [
      ['PATCH', { isActive: false }],
      ['PATCH', { isSuperuser: false }],
      ['DELETE', undefined],
    ] as const) {
      t.match(await service.expect(409, method, path, body), { code: 'last-superuser' })
    }
    t.match(await service.expect(200, 'GET', path), { isActive: true, isSuperuser: true })
  })

  t.test('of two who are demoted at once, one stays', async (t) => {
    for (let round = 0; round < 5; round += 1) {
      const second = await makeUser(service, `second${round}`, { isSuperuser: true })
      const answers = await Promise.all(
        [first.id, second.id].map((id) => service.call('PATCH', `/v1/users/${id}`, { isSuperuser: false })),
      )
      t.same(answers.map((answer) => answer.status).sort(), [200, 409])
      await service.expect(200, 'PATCH', path, { isSuperuser: true })
      await service.call('PATCH', `/v1/users/${second.id}`, { isSuperuser: false })
    }
  })

  t.test('can be demoted once there is another', async (t) => {
    const other = await makeUser(service, 'other', { isSuperuser: true })
    await service.expect(200, 'PATCH', path, { isSuperuser: false })
    t.match(await service.expect(409, 'DELETE', `/v1/users/${other.id}`), { code: 'last-superuser' })
  })
})
