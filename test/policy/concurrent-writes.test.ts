import t from 'tap'
import { administration } from '../harness/administration.ts'

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
