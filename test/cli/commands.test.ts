import t, { type Test } from 'tap'
import { runCommand } from '../../src/cli/program.ts'
import { cloneDatabase } from '../harness/database.ts'
import { testService } from '../harness/service.ts'

/** Runs a command line in this process; the environment is only what is given here. */
async function run(env: Record<string, string>, ...args: string[]) {
  const out: string[] = []
  const progress: string[] = []
  const terminal = { out: (text: string) => out.push(text), progress: (text: string) => progress.push(text) }
  const exitCode = await runCommand(args, env, terminal)
  return { exitCode, out: out.join('\n'), progress: progress.join('\n') }
}

async function database(t: Test, options: { empty?: boolean } = {}): Promise<{ DATABASE_URL: string }> {
  const { url, drop } = await cloneDatabase(options)
  t.teardown(drop)
  return { DATABASE_URL: url }
}

t.test('help is help, and what is no command is wrong usage', async (t) => {
  t.match(await run({}, '--help'), { exitCode: 0, out: /serve.*migrate.*demo.*service-key.*openapi/s })
  t.match(await run({}, '--version'), { exitCode: 0, out: /^\d+\.\d+\.\d+$/ })
  for (const args of [
    ['nonsense'],
    ['serve', '--fast'],
    ['superuser', 'create'],
    ['service-key', 'create', 'x'],
    ['import'],
  ]) {
    const { exitCode, out, progress } = await run({}, ...args)
    t.equal(exitCode, 2, args.join(' '))
    t.equal(out, '')
    t.match(progress, /./)
  }
})

t.test('a wrong configuration ends a command with one line that names every fault', async (t) => {
  const { exitCode, progress } = await run({ PORT: 'x', MAX_STALENESS: 'never' }, 'migrate')
  t.equal(exitCode, 1)
  t.match(progress, /^gatehouse: .*PORT must .*MAX_STALENESS must [^\n]*$/)
})

t.test('a database that cannot be reached is said in one line, without its password', async (t) => {
  const { exitCode, progress } = await run({ DATABASE_URL: 'postgres://x:secret@127.0.0.1:1/x' }, 'migrate')
  t.equal(exitCode, 1)
  t.match(progress, /^gatehouse: cannot reach the database: [^\n]*$/)
  t.notMatch(progress, 'secret')
})

t.test('a command refuses a server that was not migrated, and migrate mends it', async (t) => {
  const env = await database(t, { empty: true })
  const early = await run(env, 'superuser', 'create', 'ada')
  t.match(early, { exitCode: 1, out: '', progress: /^gatehouse: .*run `gatehouse migrate` first$/ })
  t.match(await run(env, 'migrate'), { exitCode: 0, out: /^applied Policy\d+, .*RevisionMarks\d+$/ })
  t.match(await run(env, 'migrate'), { exitCode: 0, out: 'the schema is up to date' })
  t.match(JSON.parse((await run(env, 'migrate', '--json')).out), { applied: [] })
})

t.test('a superuser is made, or an existing user promoted, beside a running service', async (t) => {
  const service = await testService(t)
  const env = { DATABASE_URL: service.databaseUrl }
  const { value: bruno } = await service.parts.users.create(
    { caller: 'command:test', requestId: null, inPerson: null },
    { username: 'bruno', email: 'b@example.org' },
  )
  const made = await run(env, 'superuser', 'create', 'ada', '--email', 'ada@example.org')
  t.match(made, { exitCode: 0, out: /^made user "ada" \(id \d+\), a superuser$/m, progress: '' })
  const [token] = /gatehouse_once_\w+/.exec(made.out) ?? []
  const choose = async () => {
    const newPassword = 'four slow otters drift'
    const answer = await fetch(`${service.url}/v1/password-resets/confirm`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token, newPassword }),
    })
    return answer.status
  }
  t.same([await choose(), await choose()], [200, 400], 'the token that is printed sets the first password, once')
  t.match(await service.query(`SELECT email_confirmed_at FROM users WHERE username = 'ada'`), [
    { email_confirmed_at: null },
  ])
  const again = await run(env, 'superuser', 'create', 'ada')
  t.notMatch(again.out, 'gatehouse_once_', 'whoever has a password gets no other one')
  const linked = await run({ ...env, PUBLIC_URL: 'https://g.example.org' }, 'superuser', 'create', 'dora')
  t.match(linked.out, /^https:\/\/g\.example\.org\/reset-password\?token=gatehouse_once_\w{36}$/m)
  t.match(await run(env, 'superuser', 'create', 'bruno'), { exitCode: 0, out: /^user "bruno" .* is a superuser now$/m })
  t.match(await run(env, 'superuser', 'create', 'bruno'), { exitCode: 0, out: /is a superuser already$/m })
  const told = JSON.parse((await run(env, 'superuser', 'create', 'carla', '--json')).out)
  t.match(told, {
    outcome: 'made',
    user: { username: 'carla', isSuperuser: true },
    revision: Number,
    passwordLink: null,
  })
  t.match(told.passwordToken, /^gatehouse_once_/)
  await service.parts.keeper.atLeast(told.revision)
  t.match(service.parts.keeper.snapshot().users.get(bruno.id), { isSuperuser: true, isActive: true })
  const events = await service.query(`SELECT action FROM audit_events WHERE caller = 'command:superuser' ORDER BY id`)
  t.same(
    events.map(({ action }) => String(action).replace('user.', '')),
    [
      'create',
      'first-password-link',
      'create',
      'first-password-link',
      'update',
      'first-password-link',
      'first-password-link',
      'create',
      'first-password-link',
    ],
  )
})

t.test('a superuser who cannot be is refused with a sentence', async (t) => {
  const env = await database(t)
  const refused: [RegExp, string[]][] = [
    [/^gatehouse: username holds a line break/, ['a\nb']],
    [/^gatehouse: .*anonymous[^\n]*$/, ['anonymous']],
    [/^gatehouse: email [^\n]*$/, ['ada', '--email', 'no address']],
  ]
  for (const [message, args] of refused) {
    t.match(await run(env, 'superuser', 'create', ...args), { exitCode: 1, out: '', progress: message }, args.join(' '))
  }
})

t.test('a service key is printed alone, once, and opens what it was made for', async (t) => {
  const service = await testService(t)
  const env = { DATABASE_URL: service.databaseUrl }
  const {
    exitCode,
    out: key,
    progress,
  } = await run(env, 'service-key', 'create', 'gallery', '--scopes', 'check, metrics')
  t.equal(exitCode, 0)
  t.match(key, /^gatehouse_key_[0-9A-Za-z]{36}$/)
  t.notMatch(progress, key)
  const told = JSON.parse((await run(env, 'service-key', 'create', 'other', '--scopes', 'admin', '--json')).out)
  t.match(told, { name: 'other', scopes: ['admin'], key: /^gatehouse_key_/, revision: Number })
  await service.parts.keeper.atLeast(told.revision)
  const status = async (path: string, credential: string) =>
    (await fetch(service.url + path, { headers: { authorization: `Bearer ${credential}` } })).status
  t.equal(await status('/metrics', key), 200)
  t.equal(await status('/v1/users', key), 403)
  t.equal(await status('/v1/users', told.key), 200)
  const again = await run(env, 'service-key', 'create', 'gallery', '--scopes', 'check')
  t.match(again, { exitCode: 1, out: '', progress: /^gatehouse: another service key has this name$/ })
})

t.test('scopes that there are not are wrong usage, before anything is opened', async (t) => {
  for (const scopes of ['', 'everything', 'check,', 'check;admin']) {
    t.match(await run({}, 'service-key', 'create', 'x', '--scopes', scopes), { exitCode: 2, out: '' }, scopes)
  }
})

t.test('openapi needs no database and no configuration', async (t) => {
  const { exitCode, out } = await run({ DATABASE_URL: 'nonsense' }, 'openapi')
  t.equal(exitCode, 0)
  t.match(out, /^openapi: 3\.1\.0\n/)
})
