import t from 'tap'
import { type TestService, testService } from '../harness/service.ts'
import { callWithoutToken, PASSWORD, signedIn, userWithPassword } from '../harness/sign-in.ts'

const login = async (service: TestService, name: string, password = PASSWORD) =>
  (await callWithoutToken(service, 'POST', '/v1/sessions', { login: name, password })).status

t.test('logins in any script open with their own spelling, and with another one', async (t) => {
  const service = await testService(t)
  for (const [username, spelled] of [
    ['Ärger', 'ärger'],
    ['Иван', 'иван'],
    ['Øystein', 'ØYSTEIN'],
  ] as const) {
    await userWithPassword(service, { username })
    await service.query('DELETE FROM throttles')
    t.equal(await login(service, username), 201, username)
    t.equal(await login(service, spelled), 201, spelled)
  }
})

t.test('a spelling that the database takes for the same login has no counter of its own', async (t) => {
  const service = await testService(t)
  await userWithPassword(service, { username: 'victim' })
  for (let tries = 0; tries < 5; tries += 1) t.equal(await login(service, 'victim', `${PASSWORD}!`), 401)
  for (const spelling of ['victim', 'VICTIM', 'vİctim', 'vİctİm'])
    t.equal(await login(service, spelling), 429, spelling)
})

t.test('who is told to wait fills no table', async (t) => {
  const service = await testService(t)
  const counters = async () => (await service.query<{ count: number }>('SELECT count(*) FROM throttles'))[0]?.count
  let status = 0
  for (let n = 0; status !== 429; n += 1) status = await login(service, `nobody${n}`)
  const before = await counters()
  for (let n = 0; n < 20; n += 1) t.equal(await login(service, `somebody${n}`), 429)
  t.equal(await counters(), before)
})

t.test('nobody waits for a mail server that takes its time with a mail to a user who is deleted', async (t) => {
  const service = await testService(t)
  const id = await userWithPassword(service, { username: 'dave', email: 'dave@example.org' })
  await service.query(
    `INSERT INTO mail_outbox (message_id, kind, user_id, recipient, subject, body)
     VALUES ('one', 'welcome', $1, 'dave@example.org', 'x', 'x'), ('two', 'welcome', $1, 'dave@example.org', 'x', 'x')`,
    [id],
  )
  const runner = service.parts.database.dataSource.createQueryRunner()
  await runner.startTransaction()
  await runner.query(`SELECT FROM mail_outbox WHERE message_id = 'one' FOR UPDATE`)
  const authorization = `Bearer ${service.keys.admin}`
  const { status } = await callWithoutToken(service, 'DELETE', `/v1/users/${id}`, undefined, { authorization })
  t.equal(status, 200, 'while the mail is on its way')
  await runner.rollbackTransaction()
  await runner.release()
  t.match(await service.query('SELECT state FROM mail_outbox ORDER BY id'), [
    { state: 'queued' },
    { state: 'cancelled' },
  ])
})

t.test('an explanation about oneself does not tell who else has an account', async (t) => {
  const service = await testService(t)
  const alice = await signedIn(t, service)
  const bob = await userWithPassword(service, { username: 'bob' })
  await service.query(`INSERT INTO projects (id, title) VALUES (3, 'x')`)
  await service.query(`INSERT INTO grants (user_id, project_id, permission) VALUES ($1, 3, 'can_annotate')`, [alice.id])
  const [{ revision }] = (await service.query('SELECT revision FROM policy_head')) as [{ revision: number }]
  const reasons: string[] = []
  for (const creator of ['bob', 'nobody', bob, 999_999]) {
    const check = {
      user: alice.id,
      project: 3,
      permission: 'can_annotate',
      object: { creator },
      atLeastRevision: revision,
    }
    const { status, body } = await alice.call('POST', '/check?explain=true', check)
    t.equal(status, 200)
    t.equal(body.allowed, false)
    reasons.push(JSON.stringify(body.reason))
  }
  t.equal(new Set(reasons).size, 1, reasons.join(' '))
  t.notMatch(reasons.join(), /bob/)
})
