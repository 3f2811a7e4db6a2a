import t, { type Test } from 'tap'
import { administrationOf } from '../harness/administration.ts'
import { usersOf } from '../harness/in-person.ts'
import { connected } from '../harness/server.ts'
import { replicaOf, testService } from '../harness/service.ts'
import { signedIn } from '../harness/sign-in.ts'

type Row = { principal: { type: string; id: number }; permission: string; [field: string]: unknown }
type Fault = { pointer: string; detail: string }

const service = await testService(t)
const admin = administrationOf(t, service)
const { user, project, group, grant, member, administers } = usersOf(t, service)
const bulkOf = (id: number) => `/v1/projects/${id}/grants/bulk`
const forUser = (id: number, permission: string, more: object = {}): Row => ({
  principal: { type: 'user', id },
  permission,
  ...more,
})
const forGroup = (id: number, permission: string, more: object = {}): Row => ({
  principal: { type: 'group', id },
  permission,
  ...more,
})
const send = (id: number, grants: unknown[]) => admin.call('POST', bulkOf(id), { grants })
const grantsOn = async (id: number) => (await admin.expect(200, 'GET', `/v1/projects/${id}/grants?limit=100`)).items
const pointers = (body: { errors: Fault[] }) => body.errors.map(({ pointer }) => pointer)

/** Many users, made at once and known to the service. */
async function crowd(size: number): Promise<number[]> {
  crowds += 1
  await service.query(
    `INSERT INTO users (username) SELECT 'crowd ' || $1::integer || '.' || n FROM generate_series(1, $2::integer) n`,
    [crowds, size],
  )
  const rows = await service.query<{ id: number }>('SELECT id FROM users WHERE username LIKE $1 ORDER BY id', [
    `crowd ${crowds}.%`,
  ])
  return rows.map(({ id }) => id)
}
let crowds = 0

/** What a refused bulk must leave as it was. */
async function traces(): Promise<object[]> {
  return service.query(`SELECT (SELECT count(*) FROM grants)::integer AS grants,
    (SELECT count(*) FROM audit_events)::integer AS events, (SELECT revision FROM policy_head) AS revision,
    (SELECT count(*) FROM policy_changes)::integer AS changes`)
}

async function leavesNothing<T>(t: Test, work: () => Promise<T>): Promise<T> {
  const before = await traces()
  const value = await work()
  t.same(await traces(), before, 'nothing was written')
  return value
}

t.test('a bulk is in force as a whole, at one revision, in the check right after it', async (t) => {
  const [alice, bob, tracers, id] = [await user('alice'), await user('bob'), await group('tracers'), await project('p')]
  await member(tracers, bob.id)
  const [{ revision: before } = { revision: 0 }] = await service.query<{ revision: number }>(
    'SELECT revision FROM policy_head',
  )
  const rows = [
    forUser(alice.id, 'can_browse'),
    forUser(alice.id, 'can_fork', { effect: 'deny' }),
    forUser(alice.id, 'can_import', { validFrom: '2020-01-01T00:00:00Z', validUntil: '2020-01-01T00:00:00.001Z' }),
    forUser(alice.id, 'can_import', { validFrom: '2020-01-01T00:00:00+02:00', validUntil: null }),
    forGroup(tracers, 'can_annotate', { effect: 'allow', validUntil: '2999-01-01T00:00:00Z' }),
  ]
  const answer = await send(id, rows)
  t.same([answer.status, answer.body], [201, { created: 5, revision: Number(before) + 1 }])
  const may = (username: string, permission: string) =>
    admin.allowed({ user: username, project: id, permission }, answer.body.revision)
  t.equal(await may('alice', 'can_browse'), true)
  t.equal(await may('alice', 'can_fork'), false)
  t.equal(await may('alice', 'can_import'), true)
  t.equal(await may('bob', 'can_annotate'), true)
  t.equal(await may('bob', 'can_browse'), false)
})

t.test('each grant of a bulk leaves the audit event that it leaves when it is made alone', async (t) => {
  const [carol, curators, id] = [await user('carol'), await group('curators'), await project('audited')]
  const rows = [
    forUser(carol.id, 'can_browse'),
    forGroup(curators, 'can_fork', {
      effect: 'deny',
      validFrom: '0001-01-01T00:00:00Z',
      validUntil: '9999-12-31T23:59:59.999Z',
    }),
  ]
  const { body } = await send(id, rows)
  const bulk = await admin.events(2)
  const made = await grantsOn(id)
  t.same(bulk.map(({ after }) => after).reverse(), made, 'with the grant as the API shows it')
  t.match(bulk[0], { action: 'grant.create', target: `grant:${made[1].id}`, before: null, revision: body.revision })
  t.match(bulk[0], { caller: 'service-key:test admin', editRightsConfirmed: false, requestId: bulk[1].requestId })
  for (const { id: grantId } of made) await admin.expect(200, 'DELETE', `/v1/projects/${id}/grants/${grantId}`)
  for (const row of rows) await admin.expect(201, 'POST', `/v1/projects/${id}/grants`, row)
  const alone = await admin.events(2)
  const lasting = ({
    after: { id: _id, createdAt: _at, ...after },
    action,
    caller,
    before,
  }: (typeof alone)[number]) => ({
    ...{ after, action, caller, before },
  })
  t.same(alone.map(lasting), bulk.map(lasting))
})

t.test('whatever is wrong with a row is told by its place, in all rows at once, and nothing is made', async (t) => {
  const [dora, gone, id] = [await user('dora'), await user('gone'), await project('refusing')]
  await admin.expect(200, 'DELETE', `/v1/users/${gone.id}`)
  await grant(id, { type: 'user', id: dora.id }, 'can_browse')
  const answer = await leavesNothing(t, () =>
    send(id, [
      forUser(dora.id, 'can_fork'),
      forUser(2_000_000_000, 'can_fork'),
      forGroup(2_000_000_000, 'can_fork'),
      forUser(gone.id, 'can_fork'),
      forUser(dora.id, 'can_import', { validFrom: '2026-01-02T00:00:00Z', validUntil: '2026-01-01T00:00:00Z' }),
      forUser(dora.id, 'can_import', { validFrom: '2026-01-01T00:00:00Z', validUntil: '2026-01-01T00:00:00Z' }),
      forUser(dora.id, 'can_import', { validUntil: '2026-01-01T00:00:00.0001Z' }),
      forUser(dora.id, 'can_fork', { validFrom: null, effect: 'allow' }),
      forUser(dora.id, 'can_browse'),
      forUser(2_000_000_000, 'can_import', { validUntil: '2026-12-31T23:59:59.12345Z' }),
      forUser(dora.id, 'can_queue_compute_task', { validFrom: '2026-03-01T12:00:00+01:00' }),
      forUser(dora.id, 'can_queue_compute_task', { validFrom: '2026-03-01T11:00:00.000Z' }),
    ]),
  )
  t.match([answer.status, answer.body.code], [400, 'invalid-request'])
  t.match(answer.body.detail, '10 of 12 grants are at fault; none was made')
  t.same(answer.body.errors, [
    { pointer: '/grants/1/principal/id', detail: 'there is no user 2000000000' },
    { pointer: '/grants/2/principal/id', detail: 'there is no group 2000000000' },
    { pointer: '/grants/3/principal/id', detail: `there is no user ${gone.id}` },
    { pointer: '/grants/4/validUntil', detail: 'must be later than validFrom' },
    { pointer: '/grants/5/validUntil', detail: 'must be later than validFrom' },
    { pointer: '/grants/6/validUntil', detail: 'must not be finer than a millisecond' },
    { pointer: '/grants/7', detail: 'is the same grant as /grants/0' },
    { pointer: '/grants/8', detail: 'the same grant is there already' },
    { pointer: '/grants/9/validUntil', detail: 'must not be finer than a millisecond' },
    { pointer: '/grants/9/principal/id', detail: 'there is no user 2000000000' },
    { pointer: '/grants/11', detail: 'is the same grant as /grants/10' },
  ])
})

t.test('grants that are there already are refused as a single one is, like ones are not', async (t) => {
  const [emil, readers, id] = [await user('emil'), await group('readers'), await project('present')]
  const there = [
    forUser(emil.id, 'can_browse'),
    forUser(emil.id, 'can_fork', { validFrom: '2026-01-01T00:00:00Z' }),
    forGroup(readers, 'can_browse', { effect: 'deny', validUntil: '2026-01-01T00:00:00Z' }),
  ]
  t.equal((await send(id, there)).status, 201)
  const like = [
    forUser(emil.id, 'can_browse', { effect: 'deny' }),
    forUser(emil.id, 'can_browse', { validUntil: '2026-01-01T00:00:00Z' }),
    forUser(emil.id, 'can_fork'),
    forUser(emil.id, 'can_fork', { validUntil: '2026-01-01T00:00:00Z' }),
    forGroup(readers, 'can_browse', { effect: 'deny' }),
    forGroup(readers, 'can_browse', { validUntil: '2026-01-01T00:00:00Z' }),
  ]
  const { status, body } = await leavesNothing(t, () => send(id, [...like, ...there]))
  t.same([status, body.code, pointers(body)], [409, 'grant-exists', ['/grants/6', '/grants/7', '/grants/8']])
  t.match(await send(id, like), { status: 201, body: { created: 6 } })
  t.match(
    await admin.call('POST', `/v1/projects/${id}/grants`, like[0]),
    { status: 409 },
    'the single route knows them',
  )
})

t.test('a row that is no grant is told by its place, and a body that is no list too', async (t) => {
  const [finn, id] = [await user('finn'), await project('schema')]
  const good = forUser(finn.id, 'can_browse')
  const { status, body } = await leavesNothing(t, () =>
    send(id, [
      good,
      { ...good, permission: 'can_fly' },
      { ...good, until: 'tomorrow' },
      { permission: 'can_browse' },
      forUser(2 ** 31, 'can_browse'),
      { ...good, principal: { type: 'robot', id: '7' } },
      { ...good, validUntil: 'tomorrow', effect: 'maybe' },
      7,
    ]),
  )
  t.same([status, body.code], [400, 'invalid-request'])
  t.same(pointers(body), [
    '/grants/1/permission',
    '/grants/2/until',
    '/grants/3/principal',
    '/grants/4/principal/id',
    '/grants/5/principal/type',
    '/grants/5/principal/id',
    '/grants/6/effect',
    '/grants/6/validUntil',
    '/grants/7',
  ])
  for (const [wrong, pointer] of [
    [[good], ''],
    [{}, '/grants'],
    [{ grants: good }, '/grants'],
    [{ grants: [good], more: 1 }, '/more'],
  ] as const) {
    const answer = await admin.call('POST', bulkOf(id), wrong)
    t.same([answer.status, pointers(answer.body)], [400, [pointer]], JSON.stringify(wrong))
  }
  const repeated = await admin.call(
    'POST',
    bulkOf(id),
    '{"grants":[{"permission":"can_fork","permission":"can_fork"}]}',
  )
  t.match(repeated, { status: 400, body: { code: 'malformed-json' } })
})

t.test('a fault in the last of many rows changes nothing', async (t) => {
  const [users, id] = [await crowd(20_001), await project('all or nothing')]
  const rows = users.map((holder) => forUser(holder, 'can_browse'))
  rows.push(forUser(2_000_000_000, 'can_browse'))
  const { status, body } = await leavesNothing(t, () => send(id, rows))
  t.same([status, pointers(body)], [400, ['/grants/20001/principal/id']])
  await service.query(`CREATE FUNCTION fail_late() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN IF NEW.user_id = ${users.at(-1)} THEN RAISE EXCEPTION 'planted' USING ERRCODE = '23514'; END IF; RETURN NEW; END $$;
    CREATE TRIGGER fail_late BEFORE INSERT ON grants FOR EACH ROW EXECUTE FUNCTION fail_late()`)
  t.match(
    await leavesNothing(t, () => send(id, rows.slice(0, -1))),
    { status: 400 },
    'when the database refuses it, too',
  )
  await service.query('DROP TRIGGER fail_late ON grants')
  t.match(await send(id, rows.slice(0, -1)), { status: 201, body: { created: 20_001 } })
})

t.test('one request takes 100,000 grants, and names its bounds', async (t) => {
  const id = await project('bounded')
  const nobody = forUser(2_000_000_000, 'can_browse')
  const many = Array.from({ length: 100_000 }, () => nobody)
  const unknown = await send(id, many)
  t.match([unknown.status, unknown.body.detail], [400, /^100,000 of 100,000 grants are at fault/])
  t.equal(unknown.body.errors.length, 100)
  const oneMore = await send(id, [...many, nobody])
  t.same(
    [oneMore.status, oneMore.body.errors],
    [400, [{ pointer: '/grants', detail: 'must NOT have more than 100000 items' }]],
  )
  const misspelt = await send(
    id,
    many.map(({ permission, ...row }) => ({ ...row, permision: permission })),
  )
  t.match([misspelt.status, misspelt.body.detail], [400, /^\/grants\/0\/permission is missing, and at least 101 more$/])
  t.equal(misspelt.body.errors.length, 100)
  const large = await admin.call('POST', bulkOf(id), `{"grants":[${' '.repeat(32 * 1024 * 1024)}]}`)
  t.match([large.status, large.body.code, large.body.detail], [413, 'body-too-large', /at most 33,554,432 bytes$/])
})

t.test('no grants at all change nothing, and a project that is not there is not found', async (t) => {
  const id = await project('empty')
  const { status, body } = await leavesNothing(t, () => send(id, []))
  t.match([status, body], [201, { created: 0, revision: Number }])
  for (const rows of [[], [forUser(2_000_000_000, 'can_browse')]]) {
    t.match(await send(2_000_000_000, rows), { status: 404, body: { code: 'not-found', errors: undefined } })
  }
})

t.test('two bulks of the same grants at once make them once, in whatever order they stand', async (t) => {
  const users = await crowd(3000)
  for (let round = 0; round < 3; round += 1) {
    const id = await project(`twice ${round}`)
    const rows = users.map((holder) => forUser(holder, 'can_browse'))
    const answers = await Promise.all([send(id, rows), send(id, rows.toReversed())])
    t.same(answers.map(({ status }) => status).sort(), [201, 409])
    const refused = answers.find(({ status }) => status === 409)
    t.same([refused?.body.code, refused?.body.errors.length], ['grant-exists', 100])
    const [count] = await service.query('SELECT count(*)::integer FROM grants WHERE project_id = $1', [id])
    t.same(count, { count: 3000 })
  }
})

t.test('bulks that share holders but no grant are both made, and single writes beside them', async (t) => {
  const [users, id] = [await crowd(2000), await project('beside')]
  const answers = await Promise.all([
    send(
      id,
      users.map((holder) => forUser(holder, 'can_browse')),
    ),
    send(
      id,
      users.toReversed().map((holder) => forUser(holder, 'can_fork')),
    ),
    ...users
      .slice(0, 20)
      .map((holder) => admin.call('POST', `/v1/projects/${id}/grants`, forUser(holder, 'can_import'))),
    ...users.slice(20, 40).map((holder) => admin.call('PATCH', `/v1/users/${holder}`, { firstName: 'changed' })),
  ])
  t.same([...new Set(answers.map(({ status }) => status))].sort(), [200, 201])
  const revisions = answers.map(({ body }) => body.revision)
  const [count] = await service.query('SELECT count(*)::integer FROM grants WHERE project_id = $1', [id])
  t.same(count, { count: 4020 })
  t.not(revisions[0], revisions[1], 'each at a revision of its own')
})

t.test('a grant that somebody makes by hand meanwhile ends the bulk', async (t) => {
  const [gina, id] = [await user('gina'), await project('by hand')]
  const rows = [forUser(gina.id, 'can_browse'), forUser(gina.id, 'can_fork')]
  const answer = await connected(service.databaseUrl, async (client) => {
    await client.query('BEGIN')
    await client.query(`INSERT INTO grants (project_id, user_id, permission) VALUES ($1, $2, 'can_fork')`, [
      id,
      gina.id,
    ])
    const running = send(id, rows)
    for (let waiting = 0; waiting === 0; ) {
      const found = await service.query(`SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%INSERT INTO grants%'`)
      waiting = found.length
    }
    await client.query('COMMIT')
    return running
  })
  t.match(answer, { status: 409, body: { code: 'grant-exists' } })
  t.same(
    (await grantsOn(id)).map(({ permission }: Row) => permission),
    ['can_fork'],
  )
})

t.test('another replica decides by it as soon as it is asked for its revision', async (t) => {
  const other = administrationOf(t, await replicaOf(t, service))
  const [holders, id] = [await crowd(5000), await project('replicated')]
  const { body } = await send(
    id,
    holders.map((holder) => forUser(holder, 'can_browse')),
  )
  const last = { user: holders.at(-1), project: id, permission: 'can_browse' }
  t.equal(await other.allowed(last, body.revision), true)
})

t.test('who administers the project makes bulks in person, by session and, with D8, by token', async (t) => {
  const session = await signedIn(t, service, { username: 'heidi' })
  const [id, elsewhere, ivan] = [await project('of heidi'), await project('not of heidi'), await user('ivan')]
  const rows = [forUser(ivan.id, 'can_browse'), forUser(ivan.id, 'can_annotate')]
  t.match(await session.call('POST', bulkOf(id), { grants: rows }), { status: 403, body: { code: 'not-permitted' } })
  await grant(id, { type: 'user', id: session.id }, 'can_administer')
  t.match(await session.call('POST', bulkOf(id), { grants: rows.slice(0, 1) }), { status: 201 })
  const caller = (await grantsOn(id)).at(-1).grantedBy
  t.equal(caller, `user:${session.id}`)
  t.match(await session.call('POST', bulkOf(elsewhere), { grants: rows }), { status: 403 })

  const judy = await user('judy')
  await grant(id, { type: 'user', id: judy.id }, 'can_administer')
  t.same(
    await judy.problem('POST', bulkOf(id), { grants: rows.slice(1) }),
    [403, 'not-permitted'],
    'without D8’s grant',
  )
  await grant(id, { type: 'user', id: judy.id }, 'can_annotate_with_token')
  t.equal(await judy.status('POST', bulkOf(id), { grants: rows.slice(1) }), 201)
  const asking = { authorization: `Bearer ${service.keys.check}` }
  t.match(await admin.call('POST', bulkOf(id), { grants: [] }, asking), {
    status: 403,
    body: { code: 'insufficient-scope' },
  })
})

t.test('in person a bulk is bound as single grants are: denies of superusers, the last administrator', async (t) => {
  const [kim, root, staff, id] = [
    await user('kim'),
    await user('root', { superuser: true }),
    await group('staff'),
    await project('of kim'),
  ]
  await administers(kim, id)
  await member(staff, root.id, `?project=${id}`)
  const denies = [
    forUser(kim.id, 'can_fork'),
    forUser(root.id, 'can_import', { effect: 'deny' }),
    forUser(root.id, 'can_import'),
    forGroup(staff, 'can_import', { effect: 'deny', validFrom: '2099-01-01T00:00:00Z' }),
  ]
  const { status, body } = await leavesNothing(t, () => kim.call('POST', bulkOf(id), { grants: denies }))
  t.same([status, body.code, pointers(body)], [403, 'not-permitted', ['/grants/1', '/grants/3']])
  const lockout = [forUser(kim.id, 'can_browse'), forUser(kim.id, 'can_administer', { effect: 'deny' })]
  const refused = await leavesNothing(t, () => kim.problem('POST', bulkOf(id), { grants: lockout }))
  t.same(refused, [409, 'last-administrator'])
  const lima = await user('lima')
  const handover = [...lockout, forUser(lima.id, 'can_administer')]
  t.equal(await kim.status('POST', bulkOf(id), { grants: handover }), 201, 'somebody else is left')
  t.equal(await root.status('POST', bulkOf(id), { grants: denies }), 201, 'superusers may')
})
