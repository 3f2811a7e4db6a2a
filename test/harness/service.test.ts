import t from 'tap'
import { replicaOf, testService } from './service.ts'

t.test('the service answers on a loopback port, and each key opens its scope alone', async (t) => {
  const { url, keys } = await testService(t)
  const status = async (path: string, key: string) =>
    (await fetch(url + path, { headers: { authorization: `Bearer ${key}` } })).status
  t.match(url, /^http:\/\/127\.0\.0\.1:\d+$/)
  t.equal(await status('/readyz', ''), 200)
  t.equal(await status('/v1/users', keys.admin), 200)
  t.equal(await status('/v1/users', keys.check), 403)
  t.equal(await status('/metrics', keys.metrics), 200)
  t.equal(await status('/metrics', keys.admin), 403)
})

t.test('a replica on the same database decides from what the first one wrote', async (t) => {
  const first = await testService(t, {
    prepare: async (query) => {
      await query(
        `INSERT INTO users (id, username) VALUES (7, 'alice'); INSERT INTO projects (id, title) VALUES (3, 'p')`,
      )
    },
  })
  const second = await replicaOf(t, first)
  const ask = async (url: string, key: string, path: string, body: object) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const response = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) })
    return (await response.json()) as { revision: number }
  }
  const { revision: atLeastRevision } = await ask(first.url, first.keys.admin, '/v1/projects/3/grants', {
    principal: { type: 'user', id: 7 },
    permission: 'can_browse',
  })
  const check = { user: 'alice', project: 3, permission: 'can_browse', atLeastRevision }
  t.match(await ask(second.url, second.keys.check, '/check', check), { allowed: true })
})
