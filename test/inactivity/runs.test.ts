import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import type { Run } from '../../src/inactivity/run-schemas.ts'
import { type Administration, administrationOf } from '../harness/administration.ts'
import { mailbox } from '../harness/mailbox.ts'
import { replicaOf, type TestServiceOptions, testService } from '../harness/service.ts'
import { catmaidDatabase } from '../import/catmaid-database.ts'
import { runImport } from '../import/import-run.ts'
import { deactivated, laboratory, PERIOD } from './laboratory.ts'

const instants: Record<string, { now: string; newly_deactivated_ids: number[] }> = JSON.parse(
  readFileSync(new URL('../data/catmaid-site.truth.json', import.meta.url), 'utf8'),
).inactivity.instants
const NEVER_LOGGED_IN = [36, 49]
const LAST_SUPERUSER = 5

/** Waits until a run has ended, or needs approval. */
async function ended({ expect }: Administration, id: number): Promise<Run> {
  for (;;) {
    const run: Run = await expect(200, 'GET', `/v1/inactivity-runs/${id}`)
    if (run.state !== 'running') return run
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Starts a run, or lets one go on, and waits for its end. The one before shows its end a moment before it lets go. */
async function carriedOut(admin: Administration, path = '/v1/inactivity-runs'): Promise<Run> {
  for (;;) {
    const { status, body } = await admin.call('POST', path)
    if (status === 202) return ended(admin, body.id)
    if (!/another inactivity run goes on/.test(body.detail)) throw new Error(`POST ${path}: ${JSON.stringify(body)}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function bench(t: Test, size = { active: 20, due: 3 }, options: TestServiceOptions = {}) {
  const service = await testService(t, options)
  const { due } = await laboratory(service.query, size)
  return { service, due, admin: administrationOf(t, service), query: service.query }
}

t.test(
  'on the imported site a run deactivates whom our rules make due, at each instant of the truth table',
  async (t) => {
    let now = ''
    const source = await catmaidDatabase(t)
    const service = await testService(t, { clock: () => now })
    await runImport(source.url, service.databaseUrl, {})
    const admin = administrationOf(t, service)
    for (const [name, { now: instant, newly_deactivated_ids: theirs }] of Object.entries(instants)) {
      now = instant
      let run = await carriedOut(admin)
      const due = [...theirs, ...NEVER_LOGGED_IN].filter((id) => id !== LAST_SUPERUSER).sort((a, b) => a - b)
      const many = due.length >= 10 && due.length > run.activeAccounts / 5
      t.equal(run.state, many ? 'needs-approval' : 'done', `${name}: ${due.length} of ${run.activeAccounts}`)
      if (many) {
        t.same(await deactivated(service.query), [])
        run = await carriedOut(admin, `/v1/inactivity-runs/${run.id}/approval`)
      }
      t.match(run, { state: 'done', due: due.length, deactivated: due.length, left: 0 })
      t.same(await deactivated(service.query), due)
      await service.query(`UPDATE users SET is_active = true, deactivated_at = NULL, deactivation_reason = NULL
      WHERE deactivation_reason = 'inactivity'`)
      await service.query('DELETE FROM account_activity')
    }
  },
)

t.test('a run deactivates, ends sessions, notes why and writes to each user, once', async (t) => {
  const { admin, query, due } = await bench(t)
  await query(
    `INSERT INTO sessions (id, user_id, secret, network, expires_at) OVERRIDING SYSTEM VALUE
     VALUES (1, $1, decode(repeat('00', 32), 'hex'), '::1', now() + interval '1 day')`,
    [due[0]],
  )
  const run = await carriedOut(admin)
  t.match(run, { state: 'done', due: 3, deactivated: 3, activeAccounts: 24, caller: 'service-key:test admin' })
  t.same(await deactivated(query), due)
  t.match(await query('SELECT id, reason FROM ended_sessions'), [{ id: 1, reason: 'deactivation' }])
  const [user] = await query(`SELECT deactivation_message AS message, deactivated_at FROM users WHERE id = $1`, [
    due[0],
  ])
  t.match(user, { message: 'Ask {{name}}\nor mail us.', deactivated_at: Date })
  const events = (await admin.events()).filter(({ action }) => action === 'user.deactivate')
  t.equal(events.length, 3)
  t.match(events.at(-1), {
    target: `user:${due[0]}`,
    before: { isActive: true },
    after: { isActive: false, deactivationReason: 'inactivity', period: PERIOD.id, maxInactivity: 'P90D', run: run.id },
  })
  const mails = await query(`SELECT kind, recipient FROM mail_outbox ORDER BY id`)
  t.same(
    mails,
    due.map((id) => ({ kind: 'inactivity-deactivation', recipient: `u${id - 999}@example.org` })),
  )
  const { items } = await admin.expect(200, 'GET', `/v1/inactivity-runs/${run.id}/accounts?limit=2`)
  t.match(items, [
    { id: due[0], username: 'user 21', state: 'deactivated', maxInactivity: 'P90D', periodId: PERIOD.id },
    { id: due[1] },
  ])
  const again = await carriedOut(admin)
  t.match(again, { state: 'done', due: 0, deactivated: 0 })
  t.match(await admin.expect(200, 'GET', '/v1/inactivity-runs?limit=1'), {
    items: [{ id: again.id }],
    nextCursor: String,
  })
  t.equal((await query('SELECT 1 FROM mail_outbox')).length, 3)
})

t.test('the mail at deactivation holds the message and the contacts', async (t) => {
  const box = await mailbox(t)
  const { admin } = await bench(t, { active: 20, due: 1 }, { env: box.env })
  await carriedOut(admin)
  const { text, subject } = await box.next('u21@example.org')
  t.equal(subject, 'Your account was deactivated')
  t.match(text, 'Hello User,')
  t.match(text, 'longer than 90 days')
  t.match(text, 'Ask {{name}}\nor mail us.')
  t.match(text, 'Grace Hopper (grace@example.org)')
})

t.test(
  'exempt users stay until the exemption ends, and so do the anonymous, the active and the last superuser',
  async (t) => {
    const { admin, query, due } = await bench(t, { active: 20, due: 6 })
    const [first = 0, second = 0, third = 0, fourth = 0, fifth = 0, sixth = 0] = due
    const exempt = (id: number) => `/v1/users/${id}/inactivity-exemption`
    const written = await admin.expect(200, 'PUT', exempt(first), { reason: 'on leave' })
    t.match(written, {
      userId: first,
      reason: 'on leave',
      until: null,
      createdBy: 'service-key:test admin',
      revision: Number,
    })
    await admin.expect(200, 'PUT', exempt(second), { reason: 'was on leave', until: '2020-01-01T00:00:00Z' })
    await query('INSERT INTO memberships (user_id, group_id) SELECT id, 100 FROM users WHERE is_anonymous')
    await query(`UPDATE users SET created_at = '2001-01-01' WHERE is_anonymous`)
    await query('INSERT INTO account_activity (user_id, token_used_at) VALUES ($1, now())', [third])
    await query('INSERT INTO account_activity (user_id, refreshed_at) VALUES ($1, now())', [fourth])
    await query('UPDATE users SET is_superuser = true WHERE id IN ($1, $2)', [fifth, sixth])
    await query(`UPDATE users SET last_login_at = now() - interval '92 days' WHERE id = $1`, [sixth])
    const { items } = await admin.expect(200, 'GET', `/v1/inactivity-periods/${PERIOD.id}/preview?isDue=true`)
    t.same(
      items.map(({ id, stays }: { id: number; stays: string }) => [id, stays]),
      [
        [sixth, null],
        [first, 'exempt'],
        [second, null],
        [fifth, 'last-superuser'],
      ],
    )
    await carriedOut(admin)
    t.same(await deactivated(query), [second, sixth].sort())
    await admin.expect(200, 'DELETE', exempt(first))
    await admin.expect(404, 'DELETE', exempt(first))
    await carriedOut(admin)
    t.same(await deactivated(query), [first, second, sixth].sort())
    await admin.expect(404, 'PUT', exempt(123_456), { reason: 'nobody' })
    await admin.expect(400, 'PUT', exempt(second), { reason: 'x', until: 'tomorrow' })
    await admin.expect(400, 'PUT', exempt(second), {})
  },
)

t.test('of due superusers alike the one with the lowest id stays', async (t) => {
  const { admin, query, due } = await bench(t, { active: 20, due: 3 })
  await query(
    `UPDATE users SET is_superuser = true, last_login_at = '2020-01-01', created_at = '2020-01-01' WHERE id = ANY ($1)`,
    [due],
  )
  await carriedOut(admin)
  t.same(await deactivated(query), due.slice(1))
})

t.test(
  'the shortest period of all memberships counts, one that is limited to a project too; a disabled one does not',
  async (t) => {
    const { admin, query, due } = await bench(t, { active: 1, due: 2 })
    const group = (await admin.expect(201, 'POST', '/v1/groups', { name: 'external' })).id
    const project = (await admin.expect(201, 'POST', '/v1/projects', { title: 'one' })).id
    await admin.expect(201, 'PUT', `/v1/groups/${group}/members/1000?project=${project}`)
    const body = { groupId: group, maxInactivity: 'PT1H', contacts: [900], enabled: false }
    const { id } = await admin.expect(201, 'POST', '/v1/inactivity-periods', body)
    const preview = `/v1/inactivity-periods/${id}/preview`
    t.match(await admin.expect(200, 'GET', preview), { items: [{ id: 1000, isDue: true }] }, 'as if it were enabled')
    await carriedOut(admin)
    t.same(await deactivated(query), due)
    await admin.expect(200, 'PATCH', `/v1/inactivity-periods/${id}`, { enabled: true })
    const run = await carriedOut(admin)
    t.match(await admin.expect(200, 'GET', `/v1/inactivity-runs/${run.id}/accounts`), {
      items: [{ id: 1000, periodId: id, maxInactivity: 'PT1H' }],
    })
  },
)

t.test('a run that would deactivate too many waits, and goes on with whom was due then and still is', async (t) => {
  const { admin, query, due } = await bench(t, { active: 20, due: 12 })
  const run = await carriedOut(admin)
  t.match(run, { state: 'needs-approval', due: 12, deactivated: 0, endedAt: null })
  t.same(await deactivated(query), [])
  await query('UPDATE users SET last_login_at = now() WHERE id = $1', [due[0]])
  await query(`UPDATE users SET last_login_at = now() - interval '91 days' WHERE id = 1000`)
  t.match(await admin.expect(202, 'POST', `/v1/inactivity-runs/${run.id}/approval`), {
    state: 'running',
    approvedBy: /test admin/,
  })
  t.match(await ended(admin, run.id), { state: 'done', deactivated: 11, left: 1 })
  t.same(await deactivated(query), due.slice(1), 'who became due later waits for the next run')
  t.match(await admin.call('POST', `/v1/inactivity-runs/${run.id}/approval`), {
    status: 409,
    body: { code: 'inactivity-run-state' },
  })
  await admin.expect(404, 'POST', '/v1/inactivity-runs/999999/approval')
})

t.test('a run that nobody approved lapses when the next one starts', async (t) => {
  const { admin } = await bench(t, { active: 20, due: 12 })
  const first = await carriedOut(admin)
  const second = await carriedOut(admin)
  t.equal(second.state, 'needs-approval')
  t.match(await admin.expect(200, 'GET', `/v1/inactivity-runs/${first.id}`), { state: 'lapsed' })
  await admin.expect(409, 'POST', `/v1/inactivity-runs/${first.id}/approval`)
})

t.test('the rule of approval is the operator’s', async (t) => {
  const env = { INACTIVITY_APPROVAL_PERCENT: '5', INACTIVITY_APPROVAL_MINIMUM: '3' }
  t.equal((await carriedOut((await bench(t, { active: 40, due: 3 }, { env })).admin)).state, 'needs-approval')
  t.equal((await carriedOut((await bench(t, { active: 60, due: 3 }, { env })).admin)).state, 'done')
  t.equal((await carriedOut((await bench(t, { active: 0, due: 2 }, { env })).admin)).state, 'done')
})

t.test('undoing a run makes its accounts active again, restarts their clock and cancels mails that wait', async (t) => {
  const { admin, query, due } = await bench(t, { active: 20, due: 4 })
  const [sent, byHand, deleted, other] = due
  const run = await carriedOut(admin)
  await query(`UPDATE mail_outbox SET state = 'sent', body = NULL WHERE user_id = $1`, [sent])
  await admin.expect(200, 'PUT', `/v1/users/${byHand}/deactivation`, { reason: 'left the laboratory' })
  await admin.expect(200, 'DELETE', `/v1/users/${deleted}`)
  const undone = await admin.expect(200, 'DELETE', `/v1/inactivity-runs/${run.id}`)
  t.match(undone, { state: 'undone', reactivated: 2, deactivated: 2, undoneBy: /test admin/, revision: Number })
  t.same(await deactivated(query), [])
  const active = await query(
    `SELECT id, deactivated_at, deactivation_message AS message FROM users WHERE is_active AND id = ANY ($1) ORDER BY id`,
    [due],
  )
  t.match(active, [{ id: sent, deactivated_at: null, message: null }, { id: other }])
  t.same(
    await query(`SELECT state, body IS NULL AS empty FROM mail_outbox WHERE user_id = ANY ($1) ORDER BY user_id`, [
      [sent, other],
    ]),
    [
      { state: 'sent', empty: true },
      { state: 'cancelled', empty: true },
    ],
  )
  t.match(await carriedOut(admin), { due: 0 }, 'nobody is due the next night')
  await admin.expect(409, 'DELETE', `/v1/inactivity-runs/${run.id}`)
  t.match(
    (await admin.events(10)).map(({ action }) => action),
    ['inactivity-run.start', 'inactivity-run.undo', 'user.reactivate', 'user.reactivate'],
  )
})

t.test(
  'a user is warned at each time once, nothing after new activity, and only the nearest where several are late',
  async (t) => {
    let now: string | null = null
    const { admin, query } = await bench(t, { active: 1, due: 0 }, { clock: () => now })
    const at = async (days: number) => {
      const [{ at = '' } = {}] = await query<{ at: string }>(
        `SELECT (last_login_at + make_interval(days => $1))::text AS at FROM users WHERE id = 1000`,
        [days],
      )
      now = at
      return carriedOut(admin)
    }
    t.match(await at(75), { warned: 0 })
    t.match(await at(76), { warned: 1, due: 0 })
    t.match(await at(77), { warned: 0 })
    t.match(await at(87), { warned: 1 })
    t.match(await at(88), { warned: 0 })
    const mails = await query<{ body: string }>(
      `SELECT body FROM mail_outbox WHERE kind = 'inactivity-warning' ORDER BY id`,
    )
    t.equal(mails.length, 2)
    const [{ dueAt }] = (await admin.expect(200, 'GET', `/v1/inactivity-periods/${PERIOD.id}/preview`)).items
    t.match(mails[0]?.body, `this one after ${dueAt.slice(0, 10)} at ${dueAt.slice(11, 16)} UTC`)
    t.match(mails[0]?.body, 'after 90 days without use')
    await query(`UPDATE users SET last_login_at = last_login_at + interval '60 days' WHERE id = 1000`)
    t.match(await at(40), { warned: 0, due: 0 }, 'the login cancels it')
    t.match(await at(89), { warned: 1 }, 'the nearer one of both')
    t.match(await at(91), { warned: 0, deactivated: 1 })
  },
)

t.test('a login between the start of a run and its turn leaves the user active', async (t) => {
  const { admin, query, due, service } = await bench(t, { active: 20, due: 2 })
  // The first account is held by a login that goes on, so the run waits for it.
  await service.parts.database.dataSource.transaction(async (manager) => {
    await manager.query('UPDATE users SET last_login_at = now() WHERE id = $1', [due[0]])
    const { id } = await admin.expect(202, 'POST', '/v1/inactivity-runs')
    t.match(await admin.expect(200, 'GET', `/v1/inactivity-runs/${id}`), { state: 'running', due: 2 })
    t.match(await admin.call('POST', '/v1/inactivity-runs'), { status: 409, body: { code: 'inactivity-run-state' } })
    t.match(await admin.call('DELETE', `/v1/inactivity-runs/${id}`), { status: 409 })
  })
  const { items } = await admin.expect(200, 'GET', '/v1/inactivity-runs')
  t.match(await ended(admin, items[0].id), { state: 'done', deactivated: 1, left: 1 })
  t.same(await deactivated(query), [due[1]])
})

t.test('a run on one replica keeps those on others from starting', async (t) => {
  const { admin, service, due } = await bench(t, { active: 20, due: 1 })
  const other = administrationOf(t, await replicaOf(t, service))
  await service.parts.database.dataSource.transaction(async (manager) => {
    await manager.query('SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE', [due[0]])
    await admin.expect(202, 'POST', '/v1/inactivity-runs')
    await other.expect(409, 'POST', '/v1/inactivity-runs')
  })
})

t.test('periods that make no sense are refused with what is wrong', async (t) => {
  const { admin } = await bench(t, { active: 1, due: 0 })
  const body = { groupId: 100, maxInactivity: 'P90D' }
  const pointers = async (change: object, method = 'POST', path = '/v1/inactivity-periods') => {
    const answer = await admin.call(method, path, method === 'POST' ? { ...body, ...change } : change)
    t.match(answer, { status: 400, body: { code: 'invalid-request' } }, JSON.stringify(change))
    return answer.body.errors.map(({ pointer }: { pointer: string }) => pointer)
  }
  for (const maxInactivity of ['P0D', 'PT-1S', '-P1D', 'P1Y', '90 days', '', 'PT0.0000001S']) {
    t.same(await pointers({ maxInactivity }), ['/maxInactivity'])
  }
  t.same(await pointers({ groupId: 4711, contacts: [900, 4711] }), ['/groupId', '/contacts/1'])
  t.same(await pointers({ warnBefore: ['P1D', 'P90D', 'x'] }), ['/warnBefore/2', '/warnBefore/1'])
  t.same(await pointers({ message: 'a\u0000b' }), ['/message'])
  t.same(await pointers({ maxInactivity: 'P2D' }, 'PATCH', `/v1/inactivity-periods/${PERIOD.id}`), [
    '/warnBefore/0',
    '/warnBefore/1',
  ])
  await admin.expect(400, 'POST', '/v1/inactivity-periods', { ...body, groupId: '100' })
  await admin.expect(400, 'POST', '/v1/inactivity-periods', { maxInactivity: 'P1D' })
  await admin.expect(404, 'GET', '/v1/inactivity-periods/4711')
  await admin.expect(404, 'PATCH', '/v1/inactivity-periods/4711', {})
  await admin.expect(404, 'DELETE', '/v1/inactivity-periods/4711')
  await admin.expect(404, 'GET', '/v1/inactivity-periods/4711/preview')
  for (const at of ['yesterday', '2026-02-30T00:00:00Z', '2026-01-01', '2026-01-01T00:00:00.0000001Z']) {
    await admin.expect(400, 'GET', `/v1/inactivity-periods/${PERIOD.id}/preview?at=${at}`)
  }
})

t.test('a period is made, shown, changed and deleted, with an event each', async (t) => {
  const { admin } = await bench(t, { active: 1, due: 0 })
  const made = await admin.expect(201, 'POST', '/v1/inactivity-periods', {
    groupId: 100,
    maxInactivity: 'PT15832800.25S',
  })
  const path = `/v1/inactivity-periods/${made.id}`
  const empty = { message: null, comment: null, contacts: [], warnBefore: [], enabled: true }
  t.same(await admin.expect(200, 'GET', path), { id: made.id, groupId: 100, maxInactivity: 'PT4398H0.25S', ...empty })
  const change = {
    maxInactivity: 'P30D',
    message: 'm',
    comment: 'c',
    contacts: [900, 1000],
    warnBefore: ['P1W', 'PT1.5S'],
    enabled: false,
  }
  const changed = await admin.expect(200, 'PATCH', path, change)
  t.match(changed, { ...change, warnBefore: ['P7D', 'PT1.5S'], groupId: 100 })
  await admin.expect(200, 'PATCH', path, { message: null, contacts: [] })
  const { revision: _revision, ...rest } = changed
  t.same(await admin.expect(200, 'GET', path), { ...rest, message: null, contacts: [] })
  t.match((await admin.events(1))[0], {
    before: { message: 'm', contacts: [900, 1000] },
    after: { message: null, contacts: [] },
  })
  await admin.expect(200, 'PATCH', path, { enabled: false })
  t.equal((await admin.events(1))[0].action, 'inactivity-period.update', 'what changes nothing leaves no event')
  t.equal((await admin.expect(200, 'GET', '/v1/inactivity-periods?enabled=false')).items.length, 1)
  t.equal((await admin.expect(200, 'GET', '/v1/inactivity-periods?limit=1&sort=-id')).items[0].id, PERIOD.id)
  await admin.expect(200, 'DELETE', path)
  t.match((await admin.events(1))[0], { action: 'inactivity-period.delete', before: { id: made.id } })
})
