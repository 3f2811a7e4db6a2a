import t from 'tap'
import { testService } from '../harness/service.ts'
import { callWithoutToken, PASSWORD, signedIn, userWithPassword } from '../harness/sign-in.ts'

const service = await testService(t)
const { query } = service
const login = (body: object, headers: Record<string, string> = {}) =>
  callWithoutToken(service, 'POST', '/v1/sessions', body, headers)
t.beforeEach(() => query('DELETE FROM throttles'))

t.test('a login answers with an access token and a refresh token, and nothing may keep them', async (t) => {
  await userWithPassword(service, { username: 'bob' })
  const answer = await login({ login: 'bob', password: PASSWORD, deviceName: 'microscope' })
  t.equal(answer.status, 201)
  t.match(answer.body, {
    accessToken: /^[\w-]+\.[\w-]+\.[\w-]+$/,
    tokenType: 'Bearer',
    expiresIn: 600,
    refreshToken: /^gatehouse_rt_[0-9A-Za-z]{36}$/,
    refreshExpiresAt: /^\d{4}-.*Z$/,
    session: { id: Number },
  })
  t.equal(answer.headers.get('location'), `/v1/me/sessions/${answer.body.session.id}`)
  t.equal(answer.headers.get('cache-control'), 'no-store')
})

t.test('the access token opens what a user in person may, and a superuser the whole administration', async (t) => {
  const carol = await signedIn(t, service, { username: 'carol' })
  t.match((await carol.call('GET', '/v1/users')).body, { status: 403, code: 'not-permitted' })
  const root = await signedIn(t, service, { username: 'root', superuser: true })
  t.equal((await root.call('GET', '/v1/users')).status, 200)
})
