import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { runCommand } from '../../src/cli/program.ts'
import { type TestService, testService } from '../harness/service.ts'
import { deactivated, laboratory } from './laboratory.ts'

const MAIN = join(import.meta.dirname, '../../src/main.ts')

/** The command as a process of its own. */
function command(databaseUrl: string) {
  const child = spawn(process.execPath, ['--import=tsx', MAIN, 'deactivate-inactive', '--json'], {
    env: { PATH: process.env.PATH ?? '', DATABASE_URL: databaseUrl },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  return { child, exit: once(child, 'exit').then(([code]) => ({ code, output })) }
}

/** Every account is wholly done, with its event and its mail, or untouched. */
async function wholeOrUntouched(t: Test, { query }: TestService): Promise<number[]> {
  const done = await deactivated(query)
  const ids = async (sql: string) => (await query<{ id: number }>(sql)).map(({ id }) => id)
  t.same(await ids(`SELECT user_id AS id FROM mail_outbox WHERE kind = 'inactivity-deactivation' ORDER BY 1`), done)
  t.same(
    await ids(`SELECT substr(target, 6)::integer AS id FROM audit_events WHERE action = 'user.deactivate' ORDER BY 1`),
    done,
  )
  t.same(await ids(`SELECT user_id AS id FROM inactivity_run_accounts WHERE state = 'deactivated' ORDER BY 1`), done)
  return done
}

t.test('ten processes started at once deactivate each due account once, with one mail each', async (t) => {
  const service = await testService(t)
  const { due } = await laboratory(service.query, { active: 300, due: 40 })
  const ended = await Promise.all(Array.from({ length: 10 }, () => command(service.databaseUrl).exit))
  for (const { code, output } of ended) t.equal(code, 0, output)
  t.same(await wholeOrUntouched(t, service), due)
})

t.test(
  'killed in the middle, it leaves each account wholly done or untouched, and the next run ends the work',
  async (t) => {
    const service = await testService(t)
    const { due } = await laboratory(service.query, { active: 5000, due: 400 })
    let kills = 0
    for (let round = 0; round < 4; round += 1) {
      const before = (await deactivated(service.query)).length
      const { child, exit } = command(service.databaseUrl)
      const progress = async () => (await deactivated(service.query)).length > before || child.exitCode !== null
      while (!(await progress())) await new Promise((resolve) => setTimeout(resolve, 5))
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 100))
      if (child.kill('SIGKILL')) kills += 1
      await exit
      await wholeOrUntouched(t, service)
    }
    t.comment(`${kills} kills, ${(await deactivated(service.query)).length} of ${due.length} done`)
    const { code, output } = await command(service.databaseUrl).exit
    t.equal(code, 0, output)
    t.same(await wholeOrUntouched(t, service), due)
  },
)

t.test('a dry run says who would go, at any instant, and changes nothing; a real one uses the present', async (t) => {
  const service = await testService(t)
  const { due } = await laboratory(service.query, { active: 20, due: 3 })
  const run = async (...args: string[]) => {
    const [out, progress]: [string[], string[]] = [[], []]
    const terminal = { out: (text: string) => out.push(text), progress: (text: string) => progress.push(text) }
    const env = { DATABASE_URL: service.databaseUrl }
    const exitCode = await runCommand(['deactivate-inactive', ...args], env, terminal)
    return { exitCode, out: out.join('\n'), progress: progress.join('\n') }
  }
  t.match(await run('--dry-run'), { exitCode: 0, out: /would deactivate 3 of 24 .*\n {2}"user 21" \(id 1020\).*P90D/ })
  const later = JSON.parse((await run('--dry-run', '--at', '2100-01-01T00:00:00.000001Z', '--json')).out)
  t.match(later, { at: '2100-01-01T00:00:00.000001Z', needsApproval: true, activeAccounts: 24 })
  t.equal(later.due.length, 23)
  for (const args of [
    ['--at', '2100-01-01T00:00:00Z'],
    ['--dry-run', '--at', 'tomorrow'],
    ['--dry-run', '--at', '2026-02-30T00:00:00Z'],
    ['now'],
  ]) {
    t.match(await run(...args), { exitCode: 2, out: '', progress: /./ }, args.join(' '))
  }
  t.same(await deactivated(service.query), [])
  t.match(await run(), { exitCode: 0, out: /^run 1 deactivated 3 of 24 active accounts and warned 0$/ })
  t.same(await deactivated(service.query), due)
  await service.query(`UPDATE users SET last_login_at = now() - interval '91 days' WHERE id < 1015 AND id >= 1000`)
  t.match(await run(), { exitCode: 1, out: /would deactivate 15 of 21 .*waits for approval/ })
})
