import t from 'tap'
import { administrationOf } from '../harness/administration.ts'
import { testService } from '../harness/service.ts'
import { PASSWORD, signedIn } from '../harness/sign-in.ts'
import { laboratory } from './laboratory.ts'

t.test(
  'whoever was deactivated is told why, with period, message and contacts, after the right password only',
  async (t) => {
    const service = await testService(t)
    const { query } = service
    await laboratory(query, { active: 20, due: 0 })
    const alice = await signedIn(t, service, { username: 'alice' })
    await query('INSERT INTO memberships (user_id, group_id) VALUES ($1, 100)', [alice.id])
    await query(`UPDATE users SET last_login_at = '2026-01-01', created_at = '2025-01-01' WHERE id = $1`, [alice.id])
    await query('DELETE FROM account_activity WHERE user_id = $1', [alice.id])
    const context = { caller: 'command:test', requestId: null, inPerson: null }
    const started = await service.parts.inactivityRuns.start(context)
    t.match(await started?.finished, { state: 'done', deactivated: 1 })

    const login = async (password: string) => {
      await query('DELETE FROM throttles')
      const answer = await fetch(`${service.url}/v1/sessions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ login: 'alice', password }),
      })
      return { status: answer.status, body: await answer.json() }
    }
    t.match(await login(PASSWORD), {
      status: 403,
      body: {
        code: 'account-inactive',
        reason: 'inactivity',
        message: 'Ask {{name}}\nor mail us.',
        period: { maxInactivity: 'P90D', lastActivityAt: '2026-01-01T00:00:00.000000Z' },
        contacts: [{ name: 'Grace Hopper', email: 'grace@example.org' }],
      },
    })
    const wrong = await login('not the password at all')
    t.match(wrong, { status: 401, body: { code: 'invalid-credentials' } })
    t.notMatch(JSON.stringify(wrong), /P90D|Grace|inactiv/)

    const { expect } = administrationOf(t, service)
    await expect(200, 'DELETE', `/v1/users/${alice.id}/deactivation`)
    t.match(await (await service.parts.inactivityRuns.start(context))?.finished, { due: 0 }, 'its clock starts anew')
    t.match(await login(PASSWORD), { status: 201 })
  },
)
