import t from 'tap'
import { callWith } from '../harness/in-person.ts'
import { testService } from '../harness/service.ts'
import { catmaidDatabase, readTruth } from '../import/catmaid-database.ts'
import { runImport } from '../import/import-run.ts'

const site = await catmaidDatabase(t)
const service = await testService(t)
const { exitCode } = await runImport(site.url, service.databaseUrl, {})
if (exitCode !== 0) throw new Error('the import was refused')
const truth = readTruth()
const tokens = await site.query<{ key: string; userId: number }>(
  'SELECT key, user_id AS "userId" FROM authtoken_token ORDER BY user_id',
)
const userOf = (id: number) => truth.users.find((user) => user.id === id)
const isAnonymous = (id: number) => userOf(id)?.username === 'AnonymousUser'
const usable = tokens.filter(({ userId }) => userOf(userId)?.is_active && !isAnonymous(userId))
await service.parts.keeper.noticed(await headRevision())
const first = usable.find(({ userId }) => !userOf(userId)?.is_superuser) as (typeof tokens)[number]

async function headRevision(): Promise<number> {
  const [head] = await service.query<{ revision: string }>('SELECT revision FROM policy_head')
  return Number(head?.revision)
}

t.test('tokens that CATMAID gave out work as they are, in CATMAID’s form of the header too', async (t) => {
  t.ok(usable.length > 10 && usable.length < tokens.length, `${usable.length} of ${tokens.length}`)
  for (const { key, userId } of tokens) {
    const works = userOf(userId)?.is_active && !isAnonymous(userId)
    for (const scheme of ['Bearer', 'Token', 'token']) {
      const { status, body } = await callWith(service.url, key, 'GET', '/v1/me/api-tokens', undefined, scheme)
      t.equal(status, works ? 200 : 401, `${userOf(userId)?.username} ${scheme}`)
      if (works) t.match(body.items, [{ userId, source: 'catmaid', expiresAt: null, name: 'CATMAID' }])
    }
  }
})

t.test('a superuser’s does not administer the site: CATMAID’s tokens never had the scope', async (t) => {
  const superusers = usable.filter(({ userId }) => userOf(userId)?.is_superuser)
  t.ok(superusers.length > 0)
  for (const { key } of superusers) {
    const { status, body } = await callWith(service.url, key, 'GET', '/v1/users')
    t.match([status, body.code], [403, 'insufficient-scope'])
  }
})

t.test('what is not exactly such a token opens nothing', async (t) => {
  const { key } = first
  const wrong = [key.toUpperCase(), key.slice(1), `${key}0`, key.replace(/.$/, (last) => (last === '0' ? '1' : '0'))]
  for (const credential of wrong)
    t.equal((await callWith(service.url, credential, 'GET', '/v1/me/api-tokens')).status, 401)
})

t.test('it is replaced by one of ours, or revoked by whoever holds it', async (t) => {
  const { key, userId } = first
  const { items } = (await callWith(service.url, key, 'GET', '/v1/me/api-tokens')).body
  const context = { caller: `user:${userId}`, requestId: null, inPerson: userId }
  const { value } = await service.parts.apiTokens.rotate(context, userId, items[0].id, 3600)
  t.match(value.token, /^gatehouse_pat_/)
  t.ok(Date.parse(value.expiresAt ?? '') > Date.now(), 'which expires')
  for (const credential of [key, value.token])
    t.equal((await callWith(service.url, credential, 'GET', '/v1/me/api-tokens')).status, 200)
  const revocation = await fetch(`${service.url}/v1/api-token-revocations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token: key }),
  })
  t.equal(revocation.status, 202)
  t.equal((await callWith(service.url, key, 'GET', '/v1/me/api-tokens')).status, 401)
  t.equal((await runImport(site.url, service.databaseUrl, {})).exitCode, 0)
  await service.parts.keeper.noticed(await headRevision())
  t.equal((await callWith(service.url, key, 'GET', '/v1/me/api-tokens')).status, 401, 'the next import leaves it ended')
})
