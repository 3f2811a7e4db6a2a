import t from 'tap'
import { type Administration, administration } from '../harness/administration.ts'

/** Makes what each case needs; names are free to choose, each case takes its own. */
const making = (service: Administration) => ({
  user: (username: string, more: object = {}) => service.expect(201, 'POST', '/v1/users', { username, ...more }),
  group: (name: string) => service.expect(201, 'POST', '/v1/groups', { name }),
  groupWithMember: async (name: string) => {
    const group = await service.expect(201, 'POST', '/v1/groups', { name })
    const member = await service.expect(201, 'POST', '/v1/users', { username: `member of ${name}` })
    await service.expect(201, 'PUT', `/v1/groups/${group.id}/members/${member.id}`)
    return { id: group.id, member: member.username }
  },
  groupNamed: async (name: string) => {
    const { items } = await service.expect(200, 'GET', `/v1/groups?name=${encodeURIComponent(name)}`)
    return items[0]
  },
})

const refusal = (pointer: string) => ({ code: 'name-carries-edit-rights', errors: [{ pointer }] })

t.test('names are rights', async (t) => {
  const service = await administration(t)
  const { user, group, groupWithMember, groupNamed } = making(service)
  const project = await service.expect(201, 'POST', '/v1/projects', { title: 'shared' })
  const mayEdit = async (username: string, creator: string, revision: number) => {
    const [{ id }] = (await service.expect(200, 'GET', `/v1/users?username=${encodeURIComponent(username)}`)).items
    const permissions = { permissions: ['can_annotate'] }
    const set = await service.expect(200, 'PUT', `/v1/projects/${project.id}/grants/user/${id}`, permissions)
    const check = { user: username, project: project.id, permission: 'can_annotate', object: { creator } }
    return service.allowed(check, Math.max(revision, set.revision))
  }
  const lastEvent = async () => (await service.events(1))[0]

  t.test('a new login that a group with members has is refused; insisted on, it takes that group', async (t) => {
    const { id, member } = await groupWithMember('newcomer')
    t.match(await service.expect(409, 'POST', '/v1/users', { username: 'newcomer' }), refusal('/username'))
    const silent = { username: 'newcomer', createGroup: false }
    t.match(await service.expect(409, 'POST', '/v1/users', silent), refusal('/username'), 'without a group too')
    t.equal(await mayEdit(member, 'newcomer', 0), false)
    const { revision } = await user('newcomer', { confirmEditRights: true })
    t.equal((await groupNamed('newcomer')).id, id)
    t.equal((await lastEvent()).editRightsConfirmed, true)
    t.equal(await mayEdit(member, 'newcomer', revision), true)
  })

  t.test('a new login that an empty group has is given, and takes that group', async (t) => {
    const { id } = await group('empty')
    await user('empty')
    t.equal((await groupNamed('empty')).id, id)
    t.equal((await lastEvent()).editRightsConfirmed, false)
  })

  t.test('a confirmation that was not needed is no confirmation in the audit trail', async (t) => {
    await user('eager', { confirmEditRights: true })
    t.equal((await lastEvent()).editRightsConfirmed, false)
  })

  t.test(
    'renaming a user renames its group, so that its members keep their rights and nobody gets new ones',
    async (t) => {
      const { id } = await user('before')
      await user('friend')
      const own = await groupNamed('before')
      const [friend] = (await service.expect(200, 'GET', '/v1/users?username=friend')).items
      const put = await service.expect(201, 'PUT', `/v1/groups/${own.id}/members/${friend.id}`)
      t.equal(await mayEdit('friend', 'before', put.revision), true)
      const { revision } = await service.expect(200, 'PATCH', `/v1/users/${id}`, { username: 'after' })
      t.equal((await groupNamed('after')).id, own.id)
      t.equal(await groupNamed('before'), undefined)
      t.equal(await mayEdit('friend', 'after', revision), true)
      const event = (await service.events(5)).find(({ action }) => action === 'user.update')
      t.match(event, {
        before: { username: 'before' },
        after: { username: 'after', renamedGroup: own.id },
        editRightsConfirmed: false,
      })
    },
  )

  t.test('renaming a user to the name of a group with members needs insisting', async (t) => {
    const { id } = await user('wanderer', { createGroup: false })
    const { member } = await groupWithMember('harbour')
    const path = `/v1/users/${id}`
    t.match(await service.expect(409, 'PATCH', path, { username: 'harbour' }), refusal('/username'))
    t.match(await service.expect(200, 'GET', path), { username: 'wanderer' })
    const insisted = { username: 'harbour', confirmEditRights: true }
    const { revision } = await service.expect(200, 'PATCH', path, insisted)
    t.equal((await lastEvent()).editRightsConfirmed, true)
    t.equal(await mayEdit(member, 'harbour', revision), true)
  })

  t.test('renaming a user is refused for good where its group would get the name of another group', async (t) => {
    const { id } = await user('with group')
    await group('occupied')
    for (const confirmEditRights of [false, true]) {
      const body = { username: 'occupied', confirmEditRights }
      const taken = { code: 'name-taken', errors: [{ pointer: '/username' }] }
      t.match(await service.expect(409, 'PATCH', `/v1/users/${id}`, body), taken)
    }
    t.match(await groupNamed('with group'), { name: 'with group' })
  })

  t.test('logins are taken for good, by users who are there and by deleted ones', async (t) => {
    await user('present')
    const gone = await user('departed')
    await service.expect(200, 'DELETE', `/v1/users/${gone.id}`)
    const { id } = await user('third')
    for (const username of ['present', 'departed']) {
      const body = { username, confirmEditRights: true }
      const taken = { code: 'name-taken', errors: [{ pointer: '/username' }] }
      t.match(await service.expect(409, 'POST', '/v1/users', body), taken)
      t.match(await service.expect(409, 'PATCH', `/v1/users/${id}`, body), taken)
    }
  })

  t.test('a new group needs insisting to be named like a login, a deleted one too', async (t) => {
    await user('solo', { createGroup: false })
    const gone = await user('past', { createGroup: false })
    await service.expect(200, 'DELETE', `/v1/users/${gone.id}`)
    for (const name of ['solo', 'past']) {
      t.match(await service.expect(409, 'POST', '/v1/groups', { name }), refusal('/name'), name)
      await service.expect(201, 'POST', '/v1/groups', { name, confirmEditRights: true })
      t.match(await lastEvent(), { action: 'group.create', editRightsConfirmed: true })
    }
  })

  t.test('renaming a group to a login needs insisting, a deleted one too', async (t) => {
    await user('target', { createGroup: false })
    const gone = await user('ghost', { createGroup: false })
    await service.expect(200, 'DELETE', `/v1/users/${gone.id}`)
    const { id, member } = await groupWithMember('source')
    for (const name of ['target', 'ghost']) {
      t.match(await service.expect(409, 'PATCH', `/v1/groups/${id}`, { name }), refusal('/name'))
      const body = { name, confirmEditRights: true }
      const { revision } = await service.expect(200, 'PATCH', `/v1/groups/${id}`, body)
      t.match(await lastEvent(), { action: 'group.update', editRightsConfirmed: true, after: { name } })
      t.equal(await mayEdit(member, name, revision), true)
    }
  })

  t.test('renaming a group with members away from a login needs insisting, since they lose rights', async (t) => {
    await user('lender')
    const own = await groupNamed('lender')
    const path = `/v1/groups/${own.id}`
    await service.expect(200, 'PATCH', path, { name: 'lent' })
    await service.expect(200, 'PATCH', path, { name: 'lender', confirmEditRights: true })
    const borrower = await user('borrower')
    await service.expect(201, 'PUT', `${path}/members/${borrower.id}`)
    t.match(await service.expect(409, 'PATCH', path, { name: 'lent' }), refusal('/name'))
    const { revision } = await service.expect(200, 'PATCH', path, { name: 'lent', confirmEditRights: true })
    t.equal((await lastEvent()).editRightsConfirmed, true)
    t.equal(await mayEdit('borrower', 'lender', revision), false)
  })

  t.test('adding a member to a group named like a login needs no insisting: it is what the group is for', async (t) => {
    await user('teacher')
    const pupil = await user('pupil')
    const { id } = await groupNamed('teacher')
    const { revision } = await service.expect(201, 'PUT', `/v1/groups/${id}/members/${pupil.id}`)
    t.equal(await mayEdit('pupil', 'teacher', revision), true)
  })

  t.test('upper and lower case, composed and decomposed are names apart, also for rights', async (t) => {
    const { member } = await groupWithMember('Zoë')
    for (const username of ['zoë', 'Zoë'.normalize('NFD'), 'Zoe']) {
      const { revision } = await user(username)
      t.equal(await mayEdit(member, username, revision), false, username)
    }
    t.match(await service.expect(409, 'POST', '/v1/users', { username: 'Zoë' }), refusal('/username'))
  })
})

t.test('two writers at once', async (t) => {
  const service = await administration(t)
  const { user } = making(service)
  const both = async (...calls: [string, string, object][]) => {
    const answers = await Promise.all(calls.map(([method, path, body]) => service.call(method, path, body)))
    return answers.map((answer) => answer.status).sort()
  }

  t.test('of two users with one login, and of two groups with one name, one is made', async (t) => {
    for (let round = 0; round < 5; round += 1) {
      const [username, name] = [`twin ${round}`, `pair ${round}`]
      const groupless = { username, createGroup: false }
      t.same(await both(['POST', '/v1/users', { username }], ['POST', '/v1/users', groupless]), [201, 409])
      t.same(await both(['POST', '/v1/groups', { name }], ['POST', '/v1/groups', { name }]), [201, 409])
    }
  })

  t.test('of a login and a group of the same name, whichever comes second is judged by the rules', async (t) => {
    for (let round = 0; round < 5; round += 1) {
      const name = `race ${round}`
      const answers = await Promise.all([
        service.call('POST', '/v1/users', { username: name, createGroup: false }),
        service.call('POST', '/v1/groups', { name }),
      ])
      const [made, grouped] = answers.map((answer) => answer.status)
      t.equal(made, 201, 'an empty group is no reason to refuse a login')
      t.ok(grouped === 201 || grouped === 409)
      if (grouped === 409) t.match(answers[1]?.body, { code: 'name-carries-edit-rights' })
    }
  })

  t.test('of two users renamed to one login, one is; the other keeps its name and its group', async (t) => {
    for (let round = 0; round < 5; round += 1) {
      const [left, right] = [await user(`left ${round}`), await user(`right ${round}`)]
      const change = { username: `middle ${round}` }
      const paths = [left, right].map(({ id }) => `/v1/users/${id}`)
      t.same(await both(['PATCH', paths[0] ?? '', change], ['PATCH', paths[1] ?? '', change]), [200, 409])
      const names = await service.query<{ username: string; name: string | null }>(
        'SELECT username, name FROM users LEFT JOIN groups ON name = username WHERE users.id = ANY ($1)',
        [[left.id, right.id]],
      )
      t.equal(names.length, 2)
      t.ok(names.every(({ username, name }) => username === name))
    }
  })

  t.test('a name given by hand in psql meanwhile is a 409, not a 500', async (t) => {
    await service.query(`
      CREATE FUNCTION give_name_first() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF NEW.username = 'by api' THEN INSERT INTO users (username) VALUES ('by hand'); NEW.username := 'by hand'; END IF;
        RETURN NEW;
      END $$;
      CREATE TRIGGER give_name_first BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION give_name_first()`)
    const problem = await service.expect(409, 'POST', '/v1/users', { username: 'by api' })
    t.match(problem, { code: 'name-taken', errors: [{ pointer: '/username' }] })
  })
})
