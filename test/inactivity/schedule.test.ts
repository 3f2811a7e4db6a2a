import t from 'tap'
import { RunSchedule } from '../../src/inactivity/run-schedule.ts'
import { testService } from '../harness/service.ts'
import { deactivated, laboratory } from './laboratory.ts'

/** A schedule whose clock the test sets; `started` are the instants whose runs it started. */
function scheduleAt(from: string, pattern: string, timeZone: string) {
  const started: string[] = []
  let now = Date.parse(from)
  const runs = {
    start: async (_context: unknown, scheduledFor: string) => {
      started.push(scheduledFor)
      return null
    },
  }
  const schedule = new RunSchedule(runs, { pattern, timeZone }, { error: () => undefined }, () => now)
  schedule.start()
  const at = async (time: string) => {
    now = Date.parse(time)
    await schedule.look()
  }
  return { started, at, stop: () => schedule.stop() }
}

/** Looks at the clock every ten minutes between two instants. */
async function through(schedule: ReturnType<typeof scheduleAt>, from: string, until: string): Promise<void> {
  for (let at = Date.parse(from); at <= Date.parse(until); at += 600_000) await schedule.at(new Date(at).toISOString())
}

t.test('daylight saving neither skips a night nor doubles one', async (t) => {
  const spring = scheduleAt('2026-03-27T12:00:00Z', '30 2 * * *', 'Europe/Berlin')
  await through(spring, '2026-03-27T12:00:00Z', '2026-03-30T12:00:00Z')
  t.equal(spring.started.length, 3, spring.started.join())
  const autumn = scheduleAt('2026-10-23T12:00:00Z', '30 2 * * *', 'Europe/Berlin')
  await through(autumn, '2026-10-23T12:00:00Z', '2026-10-26T12:00:00Z')
  t.equal(autumn.started.length, 3, autumn.started.join())
  const noon = scheduleAt('2026-03-27T12:00:00Z', '0 3 * * *', 'Europe/Berlin')
  await through(noon, '2026-03-28T00:00:00Z', '2026-03-29T12:00:00Z')
  t.same(noon.started, ['2026-03-28T02:00:00.000Z', '2026-03-29T01:00:00.000Z'])
  for (const schedule of [spring, autumn, noon]) schedule.stop()
})

t.test('a clock that jumps ahead makes the run late, one that jumps back does not make it twice', async (t) => {
  const schedule = scheduleAt('2026-05-01T23:50:00Z', '0 0 * * *', 'UTC')
  await schedule.at('2026-05-02T09:00:00Z')
  t.same(schedule.started, ['2026-05-02T00:00:00.000Z'])
  await schedule.at('2026-05-01T23:59:00Z')
  await schedule.at('2026-05-02T00:01:00Z')
  t.equal(schedule.started.length, 1)
  await schedule.at('2026-05-05T12:00:00Z')
  t.same(schedule.started.slice(1), ['2026-05-03T00:00:00.000Z'], 'one run for the nights that were jumped over')
  schedule.stop()
})

t.test('the instants of a schedule have one run each, on however many replicas', async (t) => {
  const { parts, query } = await testService(t)
  const { due } = await laboratory(query, { active: 20, due: 2 })
  const context = { caller: 'schedule:inactivity', requestId: null, inPerson: null }
  const first = await parts.inactivityRuns.start(context, '2026-05-02T00:00:00.000Z')
  await first?.finished
  t.same(await deactivated(query), due)
  t.equal(await parts.inactivityRuns.start(context, '2026-05-02T00:00:00.000Z'), null)
  t.match(await query('SELECT caller, state FROM inactivity_runs'), [{ caller: 'schedule:inactivity', state: 'done' }])
})
