import t from 'tap'
import { administration } from '../harness/administration.ts'

/** Names that mean something to SQL, CSV, Casbin, shells, globs, JavaScript or a reader, and that must stay letters. */
const HONEST = [
  `O'Brien "quoted"`,
  'a, b; c',
  '# comment',
  '*',
  'user:1',
  'eve", "d9", "o", "write", "allow',
  "'; DROP TABLE users; --",
  '$1',
  '%s %(x)s {0} {{name}}',
  'a\\b\\',
  '</script><script>alert(1)</script>',
  '__proto__',
  'constructor',
  'null',
  '0',
  '-1',
  '../../etc/passwd',
  'mit Leerzeichen innen',
  'gruppe-ü',
  'о.иванова',
  '李雷',
  'محمد',
  '👩‍🔬',
  'é',
  'é'.normalize('NFD'),
  'x'.repeat(150),
  '𝒳'.repeat(150),
]

/** Names that nobody could tell apart or keep, with what they are refused for. */
const REFUSED: [string, RegExp][] = [
  ['', /fewer than 1|empty/],
  ['x'.repeat(151), /150/],
  ['nul\0', /NUL/],
  ['line\nbreak', /control/],
  ['carriage\rreturn', /control/],
  ['tab\tstop', /control/],
  ['bell\u0007', /control/],
  ['delete\u007f', /control/],
  ['next\u0085line', /control/],
  ['para\u2029graph', /control/],
  [' leading', /white space/],
  ['trailing ', /white space/],
  ['trailing\u00a0', /white space/],
  ['   ', /white space/],
  ['right\u202eleft', /direction/],
  ['mark\u200f', /direction/],
  ['isolate\u2066d', /direction/],
  ['zero\u200bwidth', /nobody can see/],
  ['\ufeffbom', /nobody can see/],
  ['soft\u00adhyphen', /nobody can see/],
]

t.test('hostile names', async (t) => {
  const service = await administration(t)
  const counts = () =>
    service.query(`SELECT (SELECT count(*) FROM users) AS users, (SELECT count(*) FROM groups) AS groups,
      (SELECT count(*) FROM projects) AS projects, (SELECT count(*) FROM audit_events) AS events`)

  t.test(
    'names of every kind are kept to the letter, found by the letter, and open nothing to anybody else',
    async (t) => {
      const project = await service.expect(201, 'POST', '/v1/projects', { title: 'x' })
      const bystander = await service.expect(201, 'POST', '/v1/users', { username: 'bystander' })
      for (const name of HONEST) {
        const made = await service.expect(201, 'POST', '/v1/users', { username: name, firstName: name.slice(0, 70) })
        t.equal(made.username, name)
        t.equal((await service.expect(200, 'GET', `/v1/users/${made.id}`)).username, name)
        for (const list of ['users?username', 'groups?name']) {
          const { items } = await service.expect(200, 'GET', `/v1/${list}=${encodeURIComponent(name)}`)
          t.equal(items.length, 1, list)
          t.equal(items[0].username ?? items[0].name, name)
        }
        const titled = await service.expect(201, 'POST', '/v1/projects', { title: name })
        t.equal((await service.expect(200, 'GET', `/v1/projects/${titled.id}`)).title, name)
        const grant = { principal: { type: 'user', id: made.id }, permission: 'can_annotate' }
        const { revision } = await service.expect(201, 'POST', `/v1/projects/${project.id}/grants`, grant)
        const check = { user: name, project: project.id, permission: 'can_annotate' }
        t.equal(await service.allowed(check, revision), true, encodeURIComponent(name))
        t.equal(await service.allowed({ ...check, user: 'bystander' }, revision), false, encodeURIComponent(name))
        t.equal(
          await service.allowed({ ...check, object: { creator: 'bystander' } }, revision),
          false,
          encodeURIComponent(name),
        )
      }
      t.match(await service.expect(200, 'GET', `/v1/users/${bystander.id}`), { username: 'bystander' })
    },
  )

  t.test(
    'names that nobody could tell apart are refused with the field and the reason, and change nothing',
    async (t) => {
      const { id } = await service.expect(201, 'POST', '/v1/users', { username: 'patient' })
      const group = await service.expect(201, 'POST', '/v1/groups', { name: 'patient group' })
      const project = await service.expect(201, 'POST', '/v1/projects', { title: 'patient project' })
      const before = await counts()
      for (const [name, reason] of REFUSED) {
        for (const [method, path, field] of [
          ['POST', '/v1/users', 'username'],
          ['PATCH', `/v1/users/${id}`, 'username'],
          ['POST', '/v1/groups', 'name'],
          ['PATCH', `/v1/groups/${group.id}`, 'name'],
          ['PATCH', `/v1/users/${id}`, 'lastName'],
          ['POST', '/v1/projects', 'title'],
          ['PATCH', `/v1/projects/${project.id}`, 'title'],
        ] as const) {
          if (field === 'lastName' && name === '') continue
          if (field === 'title' && name.length > 150) continue
          const problem = await service.expect(400, method, path, { [field]: name })
          t.match(
            problem,
            { code: 'invalid-request', errors: [{ pointer: `/${field}`, detail: reason }] },
            encodeURIComponent(name),
          )
        }
      }
      const long = await service.expect(400, 'POST', '/v1/projects', { title: 'x'.repeat(501) })
      t.match(long, { errors: [{ pointer: '/title', detail: /500/ }] })
      t.same(await counts(), before)
    },
  )

  t.test('halves of surrogate pairs are refused wherever they stand', async (t) => {
    const before = await counts()
    for (const text of ['\\ud800', 'x\\udc00y', '\\udc00\\ud800']) {
      for (const [path, field] of [
        ['/v1/users', 'username'],
        ['/v1/groups', 'name'],
        ['/v1/projects', 'title'],
      ] as const) {
        const problem = await service.expect(400, 'POST', path, `{"${field}":"${text}"}`)
        t.match(problem, { code: 'invalid-request', errors: [{ pointer: `/${field}` }] }, text)
      }
    }
    t.same(await counts(), before)
  })

  t.test('an e-mail address is refused only when it can be none', async (t) => {
    const { id } = await service.expect(201, 'POST', '/v1/users', { username: 'addressed' })
    for (const email of ['', 'OBrien@Example.ORG', 'user+tracer@example.org', 'jürgen@exämple.org']) {
      t.equal((await service.expect(200, 'PATCH', `/v1/users/${id}`, { email })).email, email)
    }
    for (const email of [
      'x',
      '@',
      'a@',
      'a@b@c',
      'a b@c',
      'a@b\r\nRCPT TO:<e@x>',
      '<a@b>',
      `${'x'.repeat(250)}@b.org`,
    ]) {
      const problem = await service.expect(400, 'PATCH', `/v1/users/${id}`, { email })
      t.match(problem, { errors: [{ pointer: '/email' }] }, encodeURIComponent(email))
    }
  })

  t.test(
    'hostile names that an import brought can be read, found, sent back as they are, and left for others',
    async (t) => {
      const hostile = [' leading', 'trailing ', 'line\nbreak', 'right\u202eleft', 'zero\u200bwidth', '\u0001', '  ']
      for (const name of hostile) {
        const [row] = await service.query<{ id: number }>(
          'INSERT INTO users (username, last_name) VALUES ($1, $1) RETURNING id',
          [name],
        )
        await service.query('INSERT INTO groups (name) VALUES ($1)', [name])
        const path = `/v1/users/${row?.id}`
        const shown = await service.expect(200, 'GET', path)
        t.equal(shown.username, name)
        t.equal(shown.lastName, name)
        const { items } = await service.expect(200, 'GET', `/v1/users?username=${encodeURIComponent(name)}`)
        t.equal(items.length, 1)
        const { firstName, lastName, username } = { ...shown, firstName: 'Given' }
        const patched = await service.expect(200, 'PATCH', path, { firstName, lastName, username })
        t.match(patched, { firstName: 'Given', lastName: name, username: name })
      }
      const [first] = (await service.expect(200, 'GET', '/v1/users?username=%20leading')).items
      await service.expect(200, 'PATCH', `/v1/users/${first.id}`, { username: 'led' })
      t.equal((await service.expect(200, 'GET', '/v1/groups?name=led')).items.length, 1, 'the group follows')
    },
  )
})
