import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { administration, administrationOf } from '../harness/administration.ts'
import { connected } from '../harness/server.ts'
import { testService } from '../harness/service.ts'

const CLIENTS = 8
const WRITES_A_CLIENT = 60
const SEED = 20261122

/** The same numbers each time (mulberry32). */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

t.test('many writers on the same few things get answers that make sense, and leave a database that does', async (t) => {
  const service = await administration(t)
  const below = numbers(SEED)
  const names = Array.from({ length: 5 }, (_, index) => `name ${index}`)
  const anyName = () => names[below(names.length)] ?? ''
  const anyId = () => 2 + below(8)
  const anyPermissions = () => ['can_browse', 'can_fork', 'can_annotate'].slice(below(3))
  const confirmEditRights = () => below(2) === 0
  const kinds: (() => [string, string, object?])[] = [
    () => ['POST', '/v1/users', { username: anyName(), confirmEditRights: confirmEditRights() }],
    () => ['PATCH', `/v1/users/${anyId()}`, { username: anyName(), confirmEditRights: confirmEditRights() }],
    () => ['PATCH', `/v1/users/${anyId()}`, { isSuperuser: below(2) === 0, isActive: below(2) === 0 }],
    () => ['DELETE', `/v1/users/${anyId()}`],
    () => ['POST', '/v1/groups', { name: anyName(), confirmEditRights: confirmEditRights() }],
    () => ['PATCH', `/v1/groups/${anyId()}`, { name: anyName(), confirmEditRights: confirmEditRights() }],
    () => ['DELETE', `/v1/groups/${anyId()}`],
    () => ['PUT', `/v1/groups/${anyId()}/members/${anyId()}`],
    () => ['PUT', `/v1/groups/${anyId()}/members/${anyId()}?project=${anyId()}`],
    () => ['DELETE', `/v1/groups/${anyId()}/members/${anyId()}`],
    () => ['PUT', `/v1/groups/${anyId()}/maintainers/${anyId()}`],
    () => ['POST', '/v1/projects', { title: 'p', ...(below(2) === 0 && { id: anyId() }) }],
    () => ['DELETE', `/v1/projects/${anyId()}`],
    () => ['PUT', `/v1/projects/${anyId()}/grants/user/${anyId()}`, { permissions: anyPermissions() }],
    () => ['PUT', `/v1/projects/${anyId()}/grants/group/${anyId()}`, { permissions: anyPermissions() }],
    () => [
      'POST',
      `/v1/projects/${anyId()}/grants`,
      { principal: { type: 'group', id: anyId() }, permission: 'can_fork' },
    ],
  ]
  const answers: { what: string; status: number; code: string }[] = []
  const client = async () => {
    for (let count = 0; count < WRITES_A_CLIENT; count += 1) {
      const [method, path, body] = kinds[below(kinds.length)]?.() ?? ['', '']
      const answer = await service.call(method, path, body)
      answers.push({ what: `${method} ${path}`, status: answer.status, code: answer.body.code ?? '' })
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))

  const odd = answers.filter(({ status }) => ![200, 201, 400, 404, 409].includes(status))
  t.same(odd, [], 'no request makes a 500')
  t.same(
    answers.filter(({ code }) => code === 'conflict'),
    [],
    'no two writes wait for each other for ever',
  )
  t.ok(answers.filter(({ status }) => status < 300).length > 50, 'and many writes were done')
  // Who maintains a group is no policy: such an event stands at the revision that another change gave.
  const none = async (what: string, sql: string) => t.same(await service.query(sql), [], what)
  for (const table of ['memberships', 'grants', 'group_maintainers']) {
    await none(
      `deleted users hold nothing in ${table}`,
      `SELECT * FROM ${table} JOIN users ON users.id = user_id WHERE deleted_at IS NOT NULL`,
    )
  }
  await none('every change got its revision', 'SELECT * FROM policy_change_sets WHERE revision IS NULL')
  await none(
    'every change set of the API has one event',
    `SELECT s.revision, count(e.id) FROM policy_change_sets s
     LEFT JOIN audit_events e ON e.revision = s.revision AND action NOT LIKE 'maintainer.%'
     GROUP BY s.revision HAVING count(e.id) <> 1`,
  )
  await none(
    'no event without a change',
    `SELECT * FROM audit_events WHERE action NOT LIKE 'maintainer.%' AND revision NOT IN
       (SELECT revision FROM policy_change_sets)`,
  )
})

t.test('nothing is given to a user, or on a project, that another transaction is about to delete', async (t) => {
  const service = await testService(t)
  const { call, expect, query } = administrationOf(t, service)
  const group = await expect(201, 'POST', '/v1/groups', { name: 'lab' })
  const waiting = async () => {
    const rows = await query(`SELECT FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid() AND wait_event_type = 'Lock'`)
    return rows.length > 0
  }
  const cases: [string, string, (ids: { user: number; project: number }) => [string, string, object?], number][] = [
    ['user', 'grant', ({ user, project }) => ['POST', `/v1/projects/${project}/grants`, grantTo(user)], 400],
    [
      'user',
      'set of grants',
      ({ user, project }) => ['PUT', `/v1/projects/${project}/grants/user/${user}`, ALLOWED],
      404,
    ],
    ['user', 'membership', ({ user }) => ['PUT', `/v1/groups/${group.id}/members/${user}`], 404],
    ['user', 'maintainership', ({ user }) => ['PUT', `/v1/groups/${group.id}/maintainers/${user}`], 404],
    ['user', 'change', ({ user }) => ['PATCH', `/v1/users/${user}`, { isActive: true }], 404],
    ['project', 'grant', ({ user, project }) => ['POST', `/v1/projects/${project}/grants`, grantTo(user)], 404],
    [
      'project',
      'limited membership',
      ({ user, project }) => ['PUT', `/v1/groups/${group.id}/members/${user}?project=${project}`],
      400,
    ],
  ]
  for (const [index, [deleted, given, request, status]] of cases.entries()) {
    const user = (await expect(201, 'POST', '/v1/users', { username: `user ${index}` })).id
    const project = (await expect(201, 'POST', '/v1/projects', { title: 'p' })).id
    await connected(service.databaseUrl, async (client) => {
      await client.query('BEGIN')
      await client.query(DELETION[deleted] ?? '', [deleted === 'user' ? user : project])
      let ended = false
      const writing = call(...request({ user, project })).finally(() => {
        ended = true
      })
      while (!ended && !(await waiting())) await wait(5)
      await client.query('COMMIT')
      t.equal((await writing).status, status, `${given} of a ${deleted}`)
    })
  }
})

const ALLOWED = { permissions: ['can_browse'] }
const grantTo = (user: number) => ({ principal: { type: 'user', id: user }, permission: 'can_browse' })
const DELETION: Record<string, string> = {
  user: 'UPDATE users SET is_active = false, deleted_at = now() WHERE id = $1',
  project: 'DELETE FROM projects WHERE id = $1',
}
