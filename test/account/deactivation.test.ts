import t from 'tap'
import { administration } from '../harness/administration.ts'

t.test('deactivation by hand', async (t) => {
  const service = await administration(t)
  const made = (username: string, more: object = {}) => service.expect(201, 'POST', '/v1/users', { username, ...more })
  const pathOf = ({ id }: { id: number }) => `/v1/users/${id}/deactivation`
  const insertSession = async (userId: number): Promise<number> => {
    const [row] = await service.query<{ id: number }>(
      `INSERT INTO sessions (user_id, secret, device_name, network, expires_at)
       VALUES ($1, sha256('s'), 'a laptop', '192.0.2.1', now() + interval '1 day') RETURNING id`,
      [userId],
    )
    return row?.id ?? 0
  }
  const insertToken = (userId: number) =>
    service.query(
      `INSERT INTO one_time_tokens (token_hash, purpose, user_id, address, expires_at)
       VALUES (sha256($1), 'password-reset', $2, 'a@example.org', now() + interval '1 day')`,
      [`token of ${userId}`, userId],
    )
  const tokensOf = (userId: number) => service.query('SELECT FROM one_time_tokens WHERE user_id = $1', [userId])

  t.test('it keeps the message for the user, and the reason for the audit trail only', async (t) => {
    const user = await made('ada')
    const body = { reason: 'left the laboratory', message: 'Ask ines to let you in again.' }
    const idle = await service.expect(200, 'PUT', pathOf(user), body)
    t.match(idle, {
      isActive: false,
      deactivationReason: 'admin',
      deactivationMessage: body.message,
      deactivatedAt: /Z$/,
    })
    t.notMatch(JSON.stringify(idle), /left the laboratory/)
    t.match(await service.events(1), [
      {
        action: 'user.update',
        target: `user:${user.id}`,
        before: { isActive: true, deactivationMessage: null },
        after: { isActive: false, deactivationMessage: body.message, reason: body.reason },
      },
    ])
    const again = await service.expect(200, 'PUT', pathOf(user), body)
    t.same(again, idle, 'the same once more changes nothing')
    const other = await service.expect(200, 'PUT', pathOf(user), { message: 'Ask bruno.' })
    t.match(other, { deactivationMessage: 'Ask bruno.', deactivatedAt: idle.deactivatedAt })
    t.match(await service.expect(200, 'PUT', pathOf(user), {}), { isActive: false, deactivationMessage: null })
  })

  t.test('sessions and links that were mailed end with it, and stay ended after it', async (t) => {
    const user = await made('bruno')
    const session = await insertSession(user.id)
    await insertToken(user.id)
    await service.expect(200, 'PUT', pathOf(user), {})
    const ended = () => service.query('SELECT reason FROM ended_sessions WHERE id = $1', [session])
    t.same(await ended(), [{ reason: 'deactivation' }])
    t.same(await tokensOf(user.id), [])
    t.match(await service.expect(200, 'DELETE', pathOf(user)), { isActive: true })
    t.same(await ended(), [{ reason: 'deactivation' }])
  })

  for (const reason of ['import', 'admin', 'unconfirmed', 'inactivity']) {
    t.test(
      `an account that is inactive for the reason ${reason} is reactivated, and that counts as activity`,
      async (t) => {
        const user = await made(`idle-${reason}`)
        await service.query(
          `UPDATE users SET is_active = false, deactivation_reason = $1, deactivated_at = now(), deactivation_message = 'm'
         WHERE id = $2`,
          [reason, user.id],
        )
        const active = await service.expect(200, 'DELETE', pathOf(user))
        const gone = { deactivationReason: null, deactivationMessage: null, deactivatedAt: null }
        t.match(active, { isActive: true, ...gone })
        const times = 'SELECT FROM account_activity WHERE user_id = $1 AND reactivated_at > now() - interval $$1 min$$'
        t.equal((await service.query(times, [user.id])).length, 1)
        const again = await service.expect(200, 'DELETE', pathOf(user))
        t.equal(again.revision, active.revision, 'an active user is left as it is')
      },
    )
  }

  t.test('PATCH with isActive goes the same way', async (t) => {
    const user = await made('carol')
    await service.expect(200, 'PUT', pathOf(user), { message: 'm' })
    const patched = await service.expect(200, 'PATCH', `/v1/users/${user.id}`, { isActive: false })
    t.match(patched, { deactivationMessage: 'm' }, 'it says nothing of the message')
    const active = await service.expect(200, 'PATCH', `/v1/users/${user.id}`, { isActive: true })
    t.match(active, { isActive: true, deactivationMessage: null, deactivationReason: null })
    t.equal((await service.query('SELECT FROM account_activity WHERE user_id = $1', [user.id])).length, 1)
  })

  t.test('a deactivation that was not made by hand becomes one', async (t) => {
    const user = await made('dora')
    await service.query(`UPDATE users SET is_active = false, deactivation_reason = 'inactivity' WHERE id = $1`, [
      user.id,
    ])
    t.match(await service.expect(200, 'PUT', pathOf(user), {}), { isActive: false, deactivationReason: 'admin' })
  })

  t.test('the last active superuser stays active, however it is asked for', async (t) => {
    const user = await made('root', { isSuperuser: true })
    t.match(await service.expect(409, 'PUT', pathOf(user), {}), { code: 'last-superuser' })
    t.match(await service.expect(409, 'PATCH', `/v1/users/${user.id}`, { isActive: false }), { code: 'last-superuser' })
    await made('second', { isSuperuser: true })
    t.match(await service.expect(200, 'PUT', pathOf(user), {}), { isActive: false })
  })

  t.test('a user who is not there, and what is no deactivation, are refused', async (t) => {
    t.match(await service.expect(404, 'PUT', '/v1/users/2000000000/deactivation', {}), { code: 'not-found' })
    t.match(await service.expect(404, 'DELETE', '/v1/users/2000000000/deactivation'), { code: 'not-found' })
    const user = await made('erin')
    for (const body of [{ message: 7 }, { until: 'tomorrow' }, { message: 'x'.repeat(2001) }, [], { reason: ['x'] }]) {
      t.match(await service.expect(400, 'PUT', pathOf(user), body), { code: 'invalid-request' })
    }
    t.match(await service.expect(200, 'GET', `/v1/users/${user.id}`), { isActive: true })
  })

  t.test('a new address counts as unconfirmed, and links to the old one end', async (t) => {
    const user = await made('finn', { email: 'old@example.org' })
    await service.query('UPDATE users SET email_confirmed_at = now() WHERE id = $1', [user.id])
    await insertToken(user.id)
    const same = await service.expect(200, 'PATCH', `/v1/users/${user.id}`, { firstName: 'Finn' })
    t.match(same, { emailConfirmedAt: /Z$/ })
    t.equal((await tokensOf(user.id)).length, 1)
    const moved = await service.expect(200, 'PATCH', `/v1/users/${user.id}`, { email: 'new@example.org' })
    t.match(moved, { email: 'new@example.org', emailConfirmedAt: null })
    t.same(await tokensOf(user.id), [])
  })

  t.test('of a deleted user nothing personal is left, in sessions and mails neither', async (t) => {
    const user = await made('gone', { email: 'gone@example.org', firstName: 'Gone' })
    const session = await insertSession(user.id)
    await insertToken(user.id)
    await service.query(
      `INSERT INTO mail_outbox (message_id, kind, user_id, recipient, subject, body)
       VALUES ('<1@x>', 'welcome', $1, 'gone@example.org', 'Gone', 'Dear Gone')`,
      [user.id],
    )
    await service.query(
      `UPDATE users SET email_confirmed_at = now(), terms_version = '1', terms_accepted_at = now() WHERE id = $1`,
      [user.id],
    )
    await service.expect(200, 'DELETE', `/v1/users/${user.id}`)
    t.same(await tokensOf(user.id), [])
    t.same(
      await service.query('SELECT state, recipient, subject, body FROM mail_outbox WHERE user_id = $1', [user.id]),
      [{ state: 'cancelled', recipient: '', subject: '', body: null }],
    )
    t.same(await service.query('SELECT device_name, network FROM sessions WHERE id = $1', [session]), [
      { device_name: '', network: '' },
    ])
    t.equal((await service.query('SELECT FROM ended_sessions WHERE id = $1', [session])).length, 1)
    const [row] = await service.query('SELECT email_confirmed_at, terms_version FROM users WHERE id = $1', [user.id])
    t.same(row, { email_confirmed_at: null, terms_version: null })
  })
})
