import t from 'tap'
import { runCommand } from '../../src/cli/program.ts'
import { testService } from '../harness/service.ts'

t.test('profiles reset sets everybody’s settings to the defaults, or says whom that would change', async (t) => {
  const service = await testService(t)
  const run = async (...args: string[]) => {
    const [out, progress]: string[][] = [[], []]
    const terminal = { out: (text: string) => out?.push(text), progress: (text: string) => progress?.push(text) }
    const exitCode = await runCommand(['profiles', 'reset', ...args], { DATABASE_URL: service.databaseUrl }, terminal)
    return { exitCode, out: out?.join('\n'), progress: progress?.join('\n') }
  }
  const context = { caller: 'command:test', requestId: null, inPerson: null }
  const { users, profiles } = service.parts
  const { value: ada } = await users.create(context, { username: 'ada' })
  await users.create(context, { username: 'bruno' })
  await profiles.update(context, ada.id, { settings: { show_roi_tool: true }, color: { r: 1, g: 0, b: 0 } })
  const anonymous = async () =>
    service.query('SELECT * FROM profiles p JOIN users u ON u.id = user_id AND is_anonymous')

  t.match(await run('--dry-run'), {
    exitCode: 0,
    out: 'would set the settings of 1 user to the defaults; the settings of 1 user had them already',
    progress: '',
  })
  t.same(JSON.parse((await run('--dry-run', '--json', '--include-anonymous')).out ?? ''), {
    updated: 1,
    unchanged: 2,
    revision: null,
    includeAnonymous: true,
    dryRun: true,
  })
  t.equal((await profiles.get(ada.id)).settings.show_roi_tool, true)
  t.match(await run(), { exitCode: 0, out: /^set the settings of 1 user to the defaults;/ })
  t.match(await profiles.get(ada.id), { settings: { show_roi_tool: false }, color: { r: 1, g: 0, b: 0 } })
  t.same(await anonymous(), [])
  t.match(JSON.parse((await run('--json')).out ?? ''), { updated: 0, unchanged: 2, revision: Number, dryRun: false })
  const events = await service.query(`SELECT action FROM audit_events WHERE caller = 'command:profiles'`)
  t.same(events, [{ action: 'profile-defaults.apply' }])
  t.match(await run('--fast'), { exitCode: 2, out: '' })
})
