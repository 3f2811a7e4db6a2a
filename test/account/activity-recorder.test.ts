import t from 'tap'
import { type Activity, ActivityRecorder } from '../../src/account/activity-recorder.ts'
import { callWith, usersOf } from '../harness/in-person.ts'
import { testService } from '../harness/service.ts'

const MINUTE = Date.UTC(2026, 0, 31, 12, 0)
const warned: string[] = []
const log = { warn: (_details: object, message: string) => void warned.push(message) }

/** Keeps what it is given, and fails as often as it is told to. */
function store(failures = 0) {
  const kept: { tokens: [number, { userId: number; at: number }][]; refreshes: [number, number][] }[] = []
  let left = failures
  return {
    kept,
    async keep({ tokens, refreshes }: Activity): Promise<void> {
      left -= 1
      if (left >= 0) throw new Error('the database is away')
      kept.push({ tokens: [...tokens], refreshes: [...refreshes] })
    },
  }
}

t.test('a token is noted once a minute, to the minute, and written in one batch', async (t) => {
  const there = store()
  const recorder = new ActivityRecorder(there, log)
  for (const ms of [1, 2, 59_999]) recorder.used({ id: 7, tokenId: 70 }, MINUTE + ms)
  recorder.used({ id: 8, tokenId: 80 }, MINUTE + 60_001)
  recorder.used({ id: 9, tokenId: null }, MINUTE)
  recorder.refreshed(7, MINUTE + 5)
  await recorder.flush()
  t.same(there.kept, [
    {
      tokens: [
        [70, { userId: 7, at: MINUTE }],
        [80, { userId: 8, at: MINUTE + 60_000 }],
      ],
      refreshes: [[7, MINUTE]],
    },
  ])
  await recorder.flush()
  t.equal(there.kept.length, 1, 'nothing new, nothing written')
})

t.test('the same minute is written once, also over several batches', async (t) => {
  const there = store()
  const recorder = new ActivityRecorder(there, log)
  const now = Date.now()
  const minute = now - (now % 60_000)
  recorder.used({ id: 7, tokenId: 70 }, minute)
  await recorder.flush()
  recorder.used({ id: 7, tokenId: 70 }, minute + 1)
  await recorder.flush()
  t.equal(there.kept.length, 1)
})

t.test('what could not be written is written later, with what came meanwhile', async (t) => {
  const there = store(1)
  const recorder = new ActivityRecorder(there, log)
  recorder.used({ id: 7, tokenId: 70 }, MINUTE)
  await recorder.flush()
  t.same([there.kept.length, warned.length], [0, 1])
  recorder.used({ id: 7, tokenId: 70 }, MINUTE + 60_000)
  recorder.used({ id: 8, tokenId: 80 }, MINUTE)
  await recorder.flush()
  t.same(there.kept[0]?.tokens, [
    [70, { userId: 7, at: MINUTE + 60_000 }],
    [80, { userId: 8, at: MINUTE }],
  ])
})

t.test('the use of an API token is in the database after a batch, and never moves back', async (t) => {
  const service = await testService(t)
  const { user } = usersOf(t, service)
  const ada = await user('ada')
  const [before] = await service.query<{ revision: string }>('SELECT revision FROM policy_head')
  for (let time = 0; time < 3; time += 1) t.equal(await ada.status('GET', '/v1/me/api-tokens'), 200)
  await service.parts.activity.flush()
  const read = () =>
    service.query<{ lastUsedAt: Date; tokenUsedAt: Date; refreshedAt: Date | null }>(
      `SELECT t.last_used_at AS "lastUsedAt", a.token_used_at AS "tokenUsedAt", a.refreshed_at AS "refreshedAt"
       FROM api_tokens t JOIN account_activity a ON a.user_id = t.user_id WHERE t.id = $1`,
      [ada.tokenId],
    )
  const [row] = await read()
  t.ok(row && row.lastUsedAt.getTime() % 60_000 === 0 && Date.now() - row.lastUsedAt.getTime() < 120_000)
  t.same(row?.tokenUsedAt, row?.lastUsedAt)
  t.equal(row?.refreshedAt, null)
  const shown = (await ada.call('GET', '/v1/me/api-tokens')).body.items[0]
  t.equal(shown.lastUsedAt, row?.lastUsedAt.toISOString())
  const [after] = await service.query<{ revision: string }>('SELECT revision FROM policy_head')
  t.same(after, before, 'it is no change of policy')

  const { activity } = service.parts
  activity.used({ id: ada.id, tokenId: ada.tokenId }, MINUTE)
  activity.used({ id: ada.id, tokenId: 2_000_000_000 }, MINUTE)
  activity.used({ id: 2_000_000_000, tokenId: 5 }, MINUTE)
  activity.refreshed(ada.id, MINUTE)
  await activity.flush()
  t.match(await read(), [{ lastUsedAt: row?.lastUsedAt, tokenUsedAt: row?.tokenUsedAt, refreshedAt: new Date(MINUTE) }])
})

t.test('a token that opens nothing leaves no activity', async (t) => {
  const service = await testService(t)
  const { user, admin } = usersOf(t, service)
  const ada = await user('ada')
  await admin.expect(200, 'PATCH', `/v1/users/${ada.id}`, { isActive: false })
  t.equal((await callWith(service.url, ada.token, 'GET', '/v1/me/api-tokens')).status, 401)
  await service.parts.activity.flush()
  t.same(await service.query('SELECT * FROM account_activity'), [])
})
