import { createHash } from 'node:crypto'
import t from 'tap'
import { isServiceKey, newServiceKey } from '../../src/session/service-key.ts'
import { administration, administrationOf } from '../harness/administration.ts'
import { testService } from '../harness/service.ts'

t.test('a key has a prefix, 30 random and 6 checking letters or digits', (t) => {
  const made = new Set(Array.from({ length: 1000 }, newServiceKey))
  t.equal(made.size, 1000)
  for (const key of made) {
    t.match(key, /^gatehouse_key_[0-9A-Za-z]{36}$/)
    t.ok(isServiceKey(key))
  }
  t.end()
})

t.test('a key with one letter changed, left out, added or swapped is no key', (t) => {
  for (const key of Array.from({ length: 50 }, newServiceKey)) {
    for (let at = 0; at < key.length; at++) {
      t.notOk(isServiceKey(key.slice(0, at) + (key[at] === 'x' ? 'y' : 'x') + key.slice(at + 1)))
      t.notOk(isServiceKey(key.slice(0, at) + key.slice(at + 1)))
    }
    t.notOk(isServiceKey(`${key}0`))
    t.notOk(isServiceKey(`${key}\n`))
    t.notOk(isServiceKey(` ${key}`))
  }
  t.end()
})

t.test('a service key is made, opens, is listed without its key, and ends', async (t) => {
  const service = await testService(t)
  const admin = administrationOf(t, service)
  const made = await admin.expect(201, 'POST', '/v1/service-keys', { name: 'gallery', scopes: ['check'] })
  t.match(made, {
    name: 'gallery',
    scopes: ['check'],
    keyStart: made.key.slice(0, 20),
    createdBy: 'service-key:test admin',
  })
  t.type(made.revision, 'number')

  const check = () =>
    fetch(`${service.url}/check`, {
      method: 'POST',
      headers: { authorization: `Bearer ${made.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ user: 'a', project: 1, permission: 'can_browse', atLeastRevision: made.revision }),
    })
  t.equal((await check()).status, 200, 'right after it was made')

  const list = await admin.expect(200, 'GET', '/v1/service-keys?name=gallery')
  t.equal(list.items.length, 1)
  const shown = await admin.expect(200, 'GET', `/v1/service-keys/${made.id}`)
  t.same(list.items[0], shown)
  t.notMatch(JSON.stringify([list, shown, await admin.events()]), made.key.slice(0, 25), 'the key is shown once')
  const [kept] = await admin.query<{ hash: string }>(
    `SELECT encode(key_hash, 'hex') AS hash FROM service_keys WHERE id = ${made.id}`,
  )
  t.equal(kept?.hash, createHash('sha256').update(made.key).digest('hex'))

  const ended = await admin.expect(200, 'DELETE', `/v1/service-keys/${made.id}`)
  t.equal(ended.revision, made.revision + 1)
  t.equal((await check()).status, 401)
  await admin.expect(404, 'GET', `/v1/service-keys/${made.id}`)
  await admin.expect(404, 'DELETE', `/v1/service-keys/${made.id}`)

  const events = await admin.events(2)
  t.match(events, [
    {
      action: 'service-key.delete',
      target: `service-key:${made.id}`,
      before: { name: 'gallery' },
      revision: ended.revision,
    },
    { action: 'service-key.create', target: `service-key:${made.id}`, after: { name: 'gallery', scopes: ['check'] } },
  ])
  t.ok(events.every(({ caller }) => caller === 'service-key:test admin'))
})

t.test('a service key that cannot be is refused, and nothing is made', async (t) => {
  const admin = await administration(t)
  const before = await admin.query('SELECT id FROM service_keys')
  const refused: [number, string, object][] = [
    [400, 'invalid-request', { name: '', scopes: ['check'] }],
    [400, 'invalid-request', { name: 'x'.repeat(101), scopes: ['check'] }],
    [400, 'invalid-request', { name: 'a\nb', scopes: ['check'] }],
    [400, 'invalid-request', { name: 'x', scopes: [] }],
    [400, 'invalid-request', { name: 'x', scopes: ['check', 'check'] }],
    [400, 'invalid-request', { name: 'x', scopes: ['everything'] }],
    [400, 'invalid-request', { name: 'x', scopes: 'check' }],
    [400, 'invalid-request', { name: 'x' }],
    [400, 'invalid-request', { name: 'x', scopes: ['check'], key: 'gatehouse_key_mine' }],
    [409, 'name-taken', { name: 'test admin', scopes: ['check'] }],
  ]
  for (const [status, code, body] of refused) {
    const { body: problem } = await admin.call('POST', '/v1/service-keys', body)
    t.match(problem, { status, code }, JSON.stringify(body))
  }
  t.same(await admin.query('SELECT id FROM service_keys'), before)
})

t.test('names are kept to the letter', async (t) => {
  const admin = await administration(t)
  for (const name of ['a "b", #c *', 'Ключ', '🔑', "o'neill; DROP"]) {
    const made = await admin.expect(201, 'POST', '/v1/service-keys', { name, scopes: ['check'] })
    t.equal(made.name, name)
    const found = await admin.expect(200, 'GET', `/v1/service-keys?name=${encodeURIComponent(name)}`)
    t.match(found.items, [{ id: made.id, name }])
  }
})

t.test('the list is paged and sorted both ways', async (t) => {
  const admin = await administration(t)
  const others = ['test admin', 'test check', 'test metrics']
  const byId = (await admin.expect(200, 'GET', '/v1/service-keys')).items.map((key: { name: string }) => key.name)
  for (const name of ['c', 'a', 'b']) await admin.expect(201, 'POST', '/v1/service-keys', { name, scopes: ['check'] })
  for (const [sort, expected] of [
    ['name', ['a', 'b', 'c', ...others]],
    ['-name', [...others.slice().reverse(), 'c', 'b', 'a']],
    ['id', [...byId, 'c', 'a', 'b']],
    ['-id', ['b', 'a', 'c', ...byId.slice().reverse()]],
  ] as [string, string[]][]) {
    const names: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const next: string = cursor === '' ? '' : `&cursor=${cursor}`
      const page = await admin.expect(200, 'GET', `/v1/service-keys?limit=1&sort=${sort}${next}`)
      names.push(...page.items.map((key: { name: string }) => key.name))
      cursor = page.nextCursor
    }
    t.same(names, expected, sort)
  }
})
