import t from 'tap'
import { testService } from '../harness/service.ts'
import { signedIn, userWithPassword } from '../harness/sign-in.ts'

t.test('the owner of an API token is told once, a week before it ends', async (t) => {
  const service = await testService(t)
  const { query, parts } = service
  const alice = await signedIn(t, service, { username: 'alice', email: 'alice@example.org' })
  const made = async (name: string) => {
    const { status, body } = await alice.call('POST', '/v1/me/api-tokens', { name, scopes: ['check'] })
    t.equal(status, 201)
    return body.id
  }
  const later = async (id: number, time: string) => {
    await query(
      `UPDATE api_tokens SET created_at = created_at - $2::interval, expires_at = expires_at - $2::interval
      WHERE id = $1`,
      [id, time],
    )
  }
  await later(await made('ends in six days'), 'P84D')
  await later(await made('ends in eight days'), 'P82D')
  await later(await made('has ended'), 'P91D')
  const short = await made('was never for long')
  await query(`UPDATE api_tokens SET expires_at = now() + interval '2 days' WHERE id = $1`, [short])
  const rotated = await made('goes on for a day')
  await alice.call('POST', `/v1/me/api-tokens/${rotated}/rotation`, { graceSeconds: 86_400 })
  const bob = await userWithPassword(service, { username: 'bob', email: 'bob@example.org' })
  await query(
    `INSERT INTO api_tokens (user_id, name, token_hash, scopes, created_at, expires_at)
     SELECT $1, 'of nobody who is here', sha256('bob'), '{check}', now() - interval '80 days', now() + interval '6 days'`,
    [bob],
  )
  await query('UPDATE users SET is_active = false WHERE id = $1', [bob])

  await parts.hourly.runAll()
  const mails = () => query<{ recipient: string; body: string }>(`SELECT * FROM mail_outbox ORDER BY id`)
  t.match(await mails(), [{ recipient: 'alice@example.org', kind: 'api-token-expiring', body: /ends in six days/ }])
  t.equal((await mails()).length, 1)
  await parts.hourly.runAll()
  t.equal((await mails()).length, 1, 'and not again')
})
