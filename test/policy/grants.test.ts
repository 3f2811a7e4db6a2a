import t from 'tap'
import { administration } from '../harness/administration.ts'

const MINUTE = 60_000
const at = (offset: number) => new Date(Date.now() + offset).toISOString()

t.test('grants over HTTP', async (t) => {
  const service = await administration(t)
  const user = await service.expect(201, 'POST', '/v1/users', { username: 'alice' })
  const group = await service.expect(201, 'POST', '/v1/groups', { name: 'tracers' })
  const fresh = async () => {
    const { id } = await service.expect(201, 'POST', '/v1/projects', { title: 'p' })
    return { id, path: `/v1/projects/${id}/grants` }
  }
  const principal = { type: 'user', id: user.id }
  const may = (project: number, permission: string, revision: number) =>
    service.allowed({ user: 'alice', project, permission }, revision)

  t.test('a grant is in force in the first check that asks for its revision, and a deleted one is not', async (t) => {
    const { id, path } = await fresh()
    for (let round = 0; round < 10; round += 1) {
      const made = await service.expect(201, 'POST', path, { principal, permission: 'can_browse' })
      t.equal(await may(id, 'can_browse', made.revision), true)
      const { revision } = await service.expect(200, 'DELETE', `${path}/${made.id}`)
      t.equal(revision, made.revision + 1)
      t.equal(await may(id, 'can_browse', revision), false)
      await service.expect(404, 'DELETE', `${path}/${made.id}`)
    }
  })

  t.test('a grant tells who holds what since when, and who gave it', async (t) => {
    const { id, path } = await fresh()
    const { revision, ...made } = await service.expect(201, 'POST', path, {
      principal: { type: 'group', id: group.id },
      permission: 'can_annotate',
      effect: 'deny',
    })
    t.match(made, {
      projectId: id,
      principal: { type: 'group', id: group.id },
      permission: 'can_annotate',
      effect: 'deny',
      validFrom: null,
      validUntil: null,
      source: 'api',
      grantedBy: 'service-key:test admin',
      createdAt: /Z$/,
    })
    t.same(await service.expect(200, 'GET', path), { items: [made], nextCursor: null })
  })

  t.test('the same grant twice is refused, a like one with another effect or time is not', async (t) => {
    const { path } = await fresh()
    const grant = { principal, permission: 'can_browse' }
    const timed = { ...grant, validFrom: '2026-01-01T00:00:00Z' }
    for (const body of [grant, { ...grant, effect: 'deny' }, timed]) {
      await service.expect(201, 'POST', path, body)
      t.match(await service.expect(409, 'POST', path, body), { code: 'grant-exists' })
    }
    const sameInstant = { ...grant, validFrom: '2026-01-01T02:00:00.000+02:00' }
    t.match(await service.expect(409, 'POST', path, sameInstant), { code: 'grant-exists' })
    const twice = { ...grant, permission: 'can_fork' }
    const answers = await Promise.all([1, 2, 3].map(() => service.call('POST', path, twice)))
    t.same(answers.map((answer) => answer.status).sort(), [201, 409, 409])
  })

  t.test('a timed grant is in force from validFrom until just before validUntil', async (t) => {
    const { id, path } = await fresh()
    const cases: [string | null, string | null, boolean][] = [
      [at(-MINUTE), at(10 * MINUTE), true],
      [at(-2 * MINUTE), at(-MINUTE), false],
      [at(10 * MINUTE), null, false],
      [null, at(10 * MINUTE), true],
      [null, at(-MINUTE), false],
    ]
    for (const [validFrom, validUntil, expected] of cases) {
      const body = { principal, permission: 'can_browse', validFrom, validUntil }
      const made = await service.expect(201, 'POST', path, body)
      t.match(made, { validFrom, validUntil })
      t.equal(await may(id, 'can_browse', made.revision), expected, `${validFrom} to ${validUntil}`)
      await service.expect(200, 'DELETE', `${path}/${made.id}`)
    }
  })

  t.test('times are taken with any offset and shown in UTC to the millisecond', async (t) => {
    const { path } = await fresh()
    const cases: [string, string][] = [
      ['2026-03-01T12:00:00+01:00', '2026-03-01T11:00:00.000Z'],
      ['2026-03-01T00:30:00.5-05:30', '2026-03-01T06:00:00.500Z'],
      ['2026-03-01t12:00:00.123z', '2026-03-01T12:00:00.123Z'],
      ['2026-03-01T12:00:00.123000+00:00', '2026-03-01T12:00:00.123Z'],
      ['2024-02-29T23:59:59.999Z', '2024-02-29T23:59:59.999Z'],
      ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
      ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
    ]
    for (const [given, shown] of cases) {
      const made = await service.expect(201, 'POST', path, { principal, permission: 'can_browse', validFrom: given })
      t.equal(made.validFrom, shown, given)
      const { items } = await service.expect(200, 'GET', path)
      t.equal(items[0].validFrom, shown)
      await service.expect(200, 'DELETE', `${path}/${made.id}`)
    }
  })

  t.test('times that are none, finer than a millisecond, or the wrong way round are refused', async (t) => {
    const { path } = await fresh()
    const refused = [
      '2026-03-01T12:00:00.1234Z',
      '2026-03-01T12:00:00.1230001Z',
      '2026-02-29T12:00:00Z',
      '2026-04-31T12:00:00Z',
      '2026-03-01T24:00:00Z',
      '2026-12-31T23:59:60Z',
      '2026-03-01T12:00:00',
      '2026-03-01 12:00:00Z',
      '2026-03-01',
      '2026-03-01T12:00:00+24:00',
      '0000-12-31T00:00:00Z',
      '9999-12-31T23:59:59-01:00',
      'infinity',
      'tomorrow',
      '',
      1767225600000,
    ]
    for (const validUntil of refused) {
      const problem = await service.expect(400, 'POST', path, { principal, permission: 'can_browse', validUntil })
      t.match(problem, { code: 'invalid-request', errors: [{ pointer: '/validUntil' }] }, String(validUntil))
    }
    for (const validFrom of ['2026-03-01T12:00:00Z', '2026-03-01T12:00:00.001Z']) {
      const body = { principal, permission: 'can_browse', validFrom, validUntil: '2026-03-01T12:00:00Z' }
      t.match(await service.expect(400, 'POST', path, body), { errors: [{ pointer: '/validUntil' }] })
    }
    t.same((await service.expect(200, 'GET', path)).items, [])
  })

  t.test('setting permissions changes exactly the lasting allows; denies and timed grants stay', async (t) => {
    const { id, path } = await fresh()
    const validUntil = at(10 * MINUTE)
    const lasting = ['can_browse', 'can_fork', 'can_import']
    const ids: Record<string, number> = {}
    for (const permission of lasting) {
      ids[permission] = (await service.expect(201, 'POST', path, { principal, permission })).id
    }
    await service.expect(201, 'POST', path, { principal, permission: 'can_queue_compute_task', effect: 'deny' })
    await service.expect(201, 'POST', path, { principal, permission: 'can_annotate', validUntil })
    await service.expect(201, 'POST', path, { principal: { type: 'group', id: group.id }, permission: 'can_fork' })

    const permissions = ['can_browse', 'can_administer']
    const set = await service.expect(200, 'PUT', `${path}/user/${user.id}`, { permissions })

    const told = set.grants.map(({ permission, effect, validUntil: until }: Record<string, unknown>) => [
      permission,
      effect,
      until,
    ])
    t.same(told.sort(), [
      ['can_administer', 'allow', null],
      ['can_annotate', 'allow', validUntil],
      ['can_browse', 'allow', null],
      ['can_queue_compute_task', 'deny', null],
    ])
    t.equal(set.grants.find((grant: { permission: string }) => grant.permission === 'can_browse').id, ids.can_browse)
    t.match(set, { projectId: id, principal })
    t.equal(await may(id, 'can_queue_compute_task', set.revision), false)
    t.equal(await may(id, 'can_fork', set.revision), true, 'by can_administer')
    const { items } = await service.expect(200, 'GET', `${path}?groupId=${group.id}`)
    t.equal(items.length, 1, 'the grants of others stay')

    t.match((await service.events(1))[0], {
      action: 'grant.set',
      target: `project:${id}`,
      before: { principal, permissions: ['can_browse', 'can_fork', 'can_import'] },
      after: { principal, permissions: ['can_administer', 'can_browse'] },
      revision: set.revision,
    })
    const same = await service.expect(200, 'PUT', `${path}/user/${user.id}`, { permissions: permissions.reverse() })
    t.equal(same.revision, set.revision)
    t.same(same.grants, set.grants)
    const none = await service.expect(200, 'PUT', `${path}/user/${user.id}`, { permissions: [] })
    t.equal(none.grants.length, 2)
  })

  t.test('whoever sets permissions last has them exactly, however many do so at once', async (t) => {
    const { path } = await fresh()
    const sets = [['can_browse'], ['can_fork', 'can_import'], ['can_annotate'], ['can_browse', 'can_annotate'], []]
    for (let round = 0; round < 3; round += 1) {
      const answers = await Promise.all(
        sets.map((permissions) => service.call('PUT', `${path}/group/${group.id}`, { permissions })),
      )
      t.ok(answers.every((answer) => answer.status === 200))
      const { items } = await service.expect(200, 'GET', `${path}?groupId=${group.id}`)
      const found = items.map((grant: { permission: string }) => grant.permission).sort()
      const last = answers.map((answer) => answer.body.revision).sort((a, b) => b - a)[0]
      const winners = sets.filter((_, index) => answers[index]?.body.revision === last)
      t.ok(
        winners.some((permissions) => JSON.stringify([...permissions].sort()) === JSON.stringify(found)),
        `${found} of ${JSON.stringify(winners)}`,
      )
    }
  })

  t.test('lists filter exactly and come in pages', async (t) => {
    const { path } = await fresh()
    const permissions = ['can_browse', 'can_fork', 'can_import', 'can_annotate']
    await service.expect(200, 'PUT', `${path}/user/${user.id}`, { permissions })
    await service.expect(200, 'PUT', `${path}/group/${group.id}`, { permissions: ['can_fork'] })
    const count = async (query: string) => (await service.expect(200, 'GET', `${path}?${query}`)).items.length
    t.equal(await count(`userId=${user.id}`), 4)
    t.equal(await count(`groupId=${group.id}`), 1)
    t.equal(await count('permission=can_fork'), 2)
    t.equal(await count(`permission=can_fork&userId=${user.id}`), 1)
    t.equal(await count('effect=deny'), 0)
    t.equal(await count('source=api'), 5)
    await service.expect(400, 'GET', `${path}?permission=can_fly`)
    await service.expect(400, 'GET', `${path}?principal=user`)
    const first = await service.expect(200, 'GET', `${path}?limit=3&sort=permission`)
    const second = await service.expect(200, 'GET', `${path}?limit=3&sort=permission&cursor=${first.nextCursor}`)
    t.same(
      [...first.items, ...second.items].map((grant) => grant.permission),
      ['can_annotate', 'can_browse', 'can_fork', 'can_fork', 'can_import'],
    )
    t.equal(second.nextCursor, null)
    const seen: string[] = []
    let cursor = ''
    do {
      const page = await service.expect(200, 'GET', `${path}?limit=1&sort=-permission${cursor}`)
      seen.push(page.items[0].permission)
      cursor = page.nextCursor === null ? '' : `&cursor=${page.nextCursor}`
    } while (cursor !== '')
    t.same(seen, ['can_import', 'can_fork', 'can_fork', 'can_browse', 'can_annotate'], 'equal ones are not skipped')
  })

  t.test('a grant of another project is not found through this one', async (t) => {
    const [one, other] = [await fresh(), await fresh()]
    const grant = await service.expect(201, 'POST', one.path, { principal, permission: 'can_browse' })
    t.match(await service.expect(404, 'DELETE', `${other.path}/${grant.id}`), { code: 'not-found' })
    t.equal((await service.expect(200, 'GET', one.path)).items.length, 1)
  })
})
