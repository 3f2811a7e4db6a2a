import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { runCommand } from '../../src/cli/program.ts'
import { administrationOf } from '../harness/administration.ts'
import { cloneDatabase } from '../harness/database.ts'
import { usersOf } from '../harness/in-person.ts'
import { connected } from '../harness/server.ts'
import { testService } from '../harness/service.ts'

const MAIN = join(import.meta.dirname, '../../src/main.ts')
const HEADER = 'project,principalType,principal,permission'
const service = await testService(t)
const admin = administrationOf(t, service)
const { user, project, group } = usersOf(t, service)
const env = { DATABASE_URL: service.databaseUrl }

/** Runs `gatehouse import grants` in this process. */
async function run(file: string, ...options: string[]) {
  const out: string[] = []
  const progress: string[] = []
  const terminal = { out: (text: string) => out.push(text), progress: (text: string) => progress.push(text) }
  const exitCode = await runCommand(['import', 'grants', file, ...options], env, terminal)
  return { exitCode, out: out.join('\n'), progress: progress.join('\n') }
}

/** Writes a file for the test, and gives its path. */
async function file(t: Test, name: string, content: string | Uint8Array): Promise<string> {
  const path = join(t.testdirName, name)
  t.testdir({})
  await writeFile(path, content)
  return path
}

const csv = (...lines: string[]) => [HEADER, ...lines, ''].join('\n')
const jsonLines = (...lines: object[]) => lines.map((line) => `${JSON.stringify(line)}\n`).join('')
const grantsOn = async (id: number) => (await admin.expect(200, 'GET', `/v1/projects/${id}/grants?limit=100`)).items
const traces = () =>
  service.query(`SELECT (SELECT count(*) FROM grants)::integer AS grants,
    (SELECT count(*) FROM audit_events)::integer AS events, (SELECT revision FROM policy_head) AS revision`)

t.test('the grants of many projects come at one revision, into the running service', async (t) => {
  const [one, two, tracers] = [await project('one'), await project('two'), await group('tracers')]
  await user('alice')
  const path = await file(
    t,
    'grants.csv',
    [
      'validUntil,permission,project,principalType,principal,effect,validFrom',
      `,can_browse,${one},user,alice,,`,
      `2999-01-01T00:00:00+02:00,can_fork,${two},user,alice,allow,2020-01-01T00:00:00Z`,
      `,can_import,${two},group,tracers,deny,`,
    ].join('\r\n'),
  )
  const { exitCode, out, progress } = await run(path)
  t.same([exitCode, progress], [0, ''])
  t.match(out, /^made 3 grants, in force at revision \d+$/)
  const revision = Number(/\d+$/.exec(out))
  t.equal(await admin.allowed({ user: 'alice', project: one, permission: 'can_browse' }, revision), true)
  t.equal(await admin.allowed({ user: 'alice', project: two, permission: 'can_fork' }, revision), true)
  t.match(await grantsOn(two), [
    { validFrom: '2020-01-01T00:00:00.000Z', validUntil: '2998-12-31T22:00:00.000Z', source: 'file' },
    { principal: { type: 'group', id: tracers }, effect: 'deny', grantedBy: 'command:import-grants', validFrom: null },
  ])
  const events = await admin.events(3)
  t.match(
    events.map(({ action, caller, requestId, revision: at }) => [action, caller, requestId, at]),
    Array(3).fill(['grant.create', 'command:import-grants', null, revision]),
  )
})

t.test('names come to the letter, whatever they hold', async (t) => {
  const id = await project('hostile names')
  const names = [
    'a "quoted", b',
    "'; DROP TABLE grants; --",
    '  spaced  ',
    '#',
    'ünïcödé',
    'u\u0308',
    '\u00fc',
    '=1+1',
    '{"a":1}',
  ]
  // Names with line breaks come by import only.
  names.push('two\nlines', 'two\r\nlines', '\u202eright to left')
  await service.query('INSERT INTO groups (name) SELECT unnest($1::text[])', [names])
  const quotedCell = (name: string) => `"${name.replaceAll('"', '""')}"`
  const lines = names.map((name) => `${id},group,${quotedCell(name)},can_browse`)
  t.match(await run(await file(t, 'names.csv', csv(...lines))), { exitCode: 0, out: /^made 12 grants/ })
  const principals = names.map((name) => ({
    project: id,
    principal: { type: 'group', name },
    permission: 'can_browse',
  }))
  const again = await run(await file(t, 'names.jsonl', jsonLines(...principals)))
  t.match(again, { exitCode: 0, out: 'made 0 grants; 12 were there already' }, 'JSON lines name the same groups')
  const [held] = await service.query(
    `SELECT array_agg(name ORDER BY name) AS names FROM grants JOIN groups ON groups.id = group_id WHERE project_id = $1`,
    [id],
  )
  t.same(held, { names: [...names].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other))) })
})

t.test('JSON lines name whom a grant is for by id or by name', async (t) => {
  const [id, bruno, readers] = [await project('json'), await user('bruno'), await group('readers')]
  const path = await file(
    t,
    'grants.jsonl',
    `\uFEFF${jsonLines(
      { project: id, principal: { type: 'user', id: bruno.id }, permission: 'can_browse' },
      { project: id, principal: { type: 'group', name: 'readers' }, permission: 'can_fork', validFrom: null },
    )}\n  \n${jsonLines({ project: id, principal: { type: 'group', id: readers }, permission: 'can_import', effect: 'deny' })}`,
  )
  const told = JSON.parse((await run(path, '--json')).out)
  t.same(told, {
    dryRun: false,
    refused: false,
    created: 3,
    alreadyHere: 0,
    revision: told.revision,
    faults: [],
    moreFaults: 0,
  })
  t.match(await grantsOn(id), [
    { principal: { type: 'user', id: bruno.id }, permission: 'can_browse' },
    { principal: { type: 'group', id: readers }, permission: 'can_fork' },
    { principal: { type: 'group', id: readers }, permission: 'can_import', effect: 'deny' },
  ])
})

t.test('a second run changes nothing, and what is new among known grants is made', async (t) => {
  const id = await project('twice')
  await user('carla')
  const path = await file(t, 'grants.csv', csv(`${id},user,carla,can_browse`, `${id},user,carla,can_fork`))
  t.match(await run(path), { exitCode: 0, out: /^made 2 grants, in force/ })
  const before = await traces()
  t.match(await run(path), { exitCode: 0, out: 'made 0 grants; 2 were there already' })
  t.match(JSON.parse((await run(path, '--json')).out), { created: 0, alreadyHere: 2, revision: null })
  t.same(await traces(), before, 'no audit event, no revision')
  const more = await file(t, 'more.csv', csv(`${id},user,carla,can_browse`, `${id},user,carla,can_import`))
  t.match(await run(more), { exitCode: 0, out: /^made 1 grant; 1 was there already, in force at revision \d+$/ })
})

t.test('a dry run says what would come, and changes nothing', async (t) => {
  const id = await project('dry')
  await user('dora')
  const before = await traces()
  const path = await file(t, 'grants.csv', csv(`${id},user,dora,can_browse`, `${id},user,dora,can_fork`))
  t.same(await run(path, '--dry-run'), { exitCode: 0, out: 'would make 2 grants', progress: '' })
  t.match(JSON.parse((await run(path, '--dry-run', '--json')).out), { dryRun: true, created: 2, revision: null })
  const wrong = await file(t, 'wrong.csv', csv(`${id},user,nobody at all,can_browse`))
  t.match(await run(wrong, '--dry-run'), { exitCode: 1, out: '', progress: /nothing would be made$/ })
  t.same(await traces(), before)
})

t.test('lines at fault are all told by their number, and nothing is made', async (t) => {
  const id = await project('faulty')
  await user('emma')
  const gone = await user('gone')
  await admin.expect(200, 'DELETE', `/v1/users/${gone.id}`)
  const before = await traces()
  const known = await run(
    await file(
      t,
      'unknown.csv',
      csv(
        `${id},user,emma,can_browse`,
        '',
        `${id},group,"two\nlines at fault",can_browse`,
        `${id},user,Emma,can_browse`,
        `2000000000,user,emma,can_browse`,
        `${id},user,emma,can_browse`,
        `${id},user,gone,can_browse`,
        `${id},user,"\u001b[31m\u202ered",can_browse`,
      ),
    ),
  )
  t.same(known.progress.split('\n'), [
    'line 4, principal: there is no group "two\\nlines at fault"',
    'line 6, principal: there is no user "Emma"',
    'line 7, project: there is no project 2000000000',
    'line 8 is the same grant as line 2',
    'line 9, principal: there is no user "gone"',
    'line 10, principal: there is no user "\\u001b[31m\\u{202e}red"',
    'gatehouse: nothing was made',
  ])
  t.same([known.exitCode, known.out], [1, ''])
  const malformed = await run(
    await file(
      t,
      'malformed.csv',
      csv(
        `${id},user,emma,can_browse,allow`,
        `x,user,emma,can_browse`,
        `01,user,emma,can_browse`,
        `${id},robot,emma,can_fly`,
        `${id},user,em\0ma,can_browse`,
        `,user,,can_browse`,
      ),
    ),
    '--json',
  )
  t.equal(malformed.exitCode, 1)
  const { faults, ...told } = JSON.parse(malformed.out)
  t.match(told, { refused: true, created: 0, revision: null, moreFaults: 0 })
  t.match(faults, [
    { line: 2, field: '', detail: 'has 5 cells, the header has 4' },
    { line: 3, field: 'project', detail: 'must be integer' },
    { line: 4, field: 'project', detail: 'must be integer' },
    { line: 5, field: 'principalType', detail: /user/ },
    { line: 5, field: 'permission', detail: /^must be one of can_administer, / },
    { line: 6, field: 'principal', detail: /NUL/ },
    { line: 7, field: 'project', detail: 'must be integer' },
  ])
  t.same(await traces(), before)
})

t.test('lines of JSON at fault are told in their own words', async (t) => {
  const id = await project('faulty json')
  const { id: holder } = await user('filip')
  const principal = { type: 'user', id: holder }
  const good = JSON.stringify({ project: id, principal, permission: 'can_browse' })
  const lines = [
    good,
    '{"project": 1',
    '[]',
    good.replace('"permission"', '"project":1,"permission"'),
    good.replace('can_browse', 'can_\\u0000'),
    JSON.stringify({ project: id, principal: { ...principal, name: 'filip' }, permission: 'can_browse' }),
    JSON.stringify({ project: id, principal: { type: 'user' }, permission: 'can_browse' }),
    JSON.stringify({ project: id, principal, permission: 'can_fork', until: 'tomorrow' }),
    JSON.stringify({ project: id, principal, permission: 'can_fork', validUntil: '2026-02-30T00:00:00Z' }),
  ]
  const { exitCode, progress } = await run(await file(t, 'grants.jsonl', lines.join('\n')))
  t.equal(exitCode, 1)
  t.match(progress.split('\n'), [
    /^line 2 the line stops being JSON|^line 2 the line is not JSON/,
    /^line 3 must be object$/,
    'line 4 a member name stands twice in one object',
    /^line 5 \/permission must not hold NUL/,
    'line 6, principal: must have an id or a name, and not both',
    'line 7, principal: must have an id or a name, and not both',
    'line 8, until: is not known here',
    /^line 9, validUntil: /,
    'gatehouse: nothing was made',
  ])
  const times = { validFrom: '2026-01-02T00:00:00Z', validUntil: '2026-01-01T00:00:00Z' }
  const order = await run(
    await file(
      t,
      'order.jsonl',
      jsonLines({ project: id, principal: { type: 'user', name: 'filip' }, permission: 'can_fork', ...times }),
    ),
  )
  t.match(order, { exitCode: 1, progress: /^line 1, validUntil: must be later than validFrom$/m })
})

t.test('a file that cannot be read as grants at all is refused with a sentence', async (t) => {
  const latin = Buffer.concat([Buffer.from(csv('1,user,ok,can_browse')), Buffer.from([0x31, 0x2c, 0xe9, 0x0a])])
  const utf16 = Buffer.from(`\uFEFF${csv('1,user,x,can_browse')}`, 'utf16le')
  const cases: [string, string | Uint8Array, RegExp][] = [
    ['empty.csv', '', /^gatehouse: the file holds no grants$/],
    ['blank.csv', '\n\r\n', /^gatehouse: the file holds no grants$/],
    ['header.csv', `${HEADER}\n`, /^gatehouse: the file holds no grants$/],
    ['empty.jsonl', '\n \n', /^gatehouse: the file holds no grants$/],
    ['latin.csv', latin, /^gatehouse: line 3 is not UTF-8$/],
    ['latin.jsonl', latin, /^gatehouse: line 3 is not UTF-8$/],
    ['utf16.csv', utf16, /^gatehouse: line 1 is not UTF-8$/],
    [
      'headless.csv',
      '1,user,x,can_browse\n',
      /^gatehouse: line 1, the header, names "1", which is no column; it may name project,/,
    ],
    ['unknown.csv', `${HEADER},until\n`, /names "until", which is no column/],
    ['case.csv', 'Project,principalType,principal,permission\n', /names "Project"/],
    ['semicolons.csv', 'project;principalType\n', /names "project;principalType"/],
    ['twice.csv', `${HEADER},project\n`, /names project twice/],
    ['missing.csv', 'project,principal\n1,x\n', /does not name principalType, permission/],
    [
      'open.csv',
      csv('1,user,"open,can_browse', '1,user,x,can_browse'),
      /^gatehouse: line 2 is not CSV: a quote is opened/,
    ],
    ['closed.csv', csv('1,user,"x"y,can_browse'), /^gatehouse: line 2 is not CSV: a quoted cell goes on/],
    [
      'inside.csv',
      csv('1,user,"l\r\n2",can_browse', '1,user,x"y,can_browse'),
      /^gatehouse: line 4 is not CSV: a quote stands inside/,
    ],
    [
      'long.csv',
      csv(`1,user,"${'x'.repeat(70_000)}`),
      /^gatehouse: line 2 is not CSV: it is longer than 65,536 characters/,
    ],
    ['many.jsonl', '1\n'.repeat(500_001), /^gatehouse: a file may hold at most 500,000 grants$/],
    ['long.jsonl', `\n"${'x'.repeat(70_000)}"\n`, /^gatehouse: line 2 is longer than 65,536 characters$/],
  ]
  for (const [name, content, message] of cases) {
    const { exitCode, out, progress } = await run(await file(t, name, content))
    t.same([exitCode, out], [1, ''], name)
    t.match(progress, message, name)
  }
  const large = await file(t, 'large.csv', '')
  await truncate(large, 256 * 1024 * 1024 + 1)
  t.match(await run(large), { exitCode: 1, progress: /^gatehouse: a file may have at most 268,435,456 bytes$/ })
  t.match(await run(join(t.testdirName, 'nowhere.csv')), {
    exitCode: 1,
    progress: /nowhere.csv: there is no such file/,
  })
})

t.test('wrong usage ends before anything is opened', async (t) => {
  t.match(await run(await file(t, 'grants.txt', csv())), {
    exitCode: 2,
    out: '',
    progress: /must end in .csv or .jsonl/,
  })
  t.match(await run('x.csv', '--fast'), { exitCode: 2, out: '' })
  t.match(await run('x.csv', 'y.csv'), { exitCode: 2, out: '' })
  t.equal(await runCommand(['import', 'grants'], env, { out: () => undefined, progress: () => undefined }), 2)
})

/** So many users and a file of a grant for each, with what comes after them. */
async function longFile(t: Test, id: number, size: number, ...more: string[]): Promise<string> {
  await service.query(
    `INSERT INTO users (username) SELECT 'many ' || n FROM generate_series(1, $1::integer) n ON CONFLICT DO NOTHING`,
    [size],
  )
  const lines = Array.from({ length: size }, (_, at) => `${id},user,many ${at + 1},can_browse`)
  return file(t, 'long.csv', csv(...lines, ...more))
}

t.test('a fault on the last line of a long file changes nothing; of many, the first hundred are told', async (t) => {
  const id = await project('long and faulty')
  const path = await longFile(t, id, 12_000, `${id},user,not there,can_browse`)
  const before = await traces()
  const { exitCode, progress } = await run(path)
  t.equal(exitCode, 1)
  t.same(progress.split('\n').slice(1), [
    'line 12002, principal: there is no user "not there"',
    'gatehouse: nothing was made',
  ])
  const many = Array.from({ length: 250 }, (_, at) => `${id},user,not there ${at},can_browse`)
  const path2 = await file(t, 'many.csv', csv(...many))
  const lines = (await run(path2)).progress.split('\n')
  t.same([lines.length, ...lines.slice(-2)], [102, '… and 150 more', 'gatehouse: nothing was made'])
  const told = JSON.parse((await run(path2, '--json')).out)
  t.same([told.faults.length, told.moreFaults], [100, 150])
  t.same(await traces(), before)
})

t.test('a long file shows how far it is', async (t) => {
  const path = await longFile(t, await project('long'), 25_000)
  const { exitCode, out, progress } = await run(path)
  t.equal(exitCode, 0)
  t.match(out, /^made 25,000 grants, in force at revision \d+$/)
  t.same(progress.split('\n'), [
    'read 25,000 grants',
    'creating: 10,000 of 25,000',
    'creating: 20,000 of 25,000',
    'creating: 25,000 of 25,000',
  ])
})

t.test('two imports of one file at once make each grant once', async (t) => {
  const id = await project('at once')
  const path = await longFile(t, id, 3000)
  const outs = (await Promise.all([run(path, '--json'), run(path, '--json')])).map(({ out }) => JSON.parse(out))
  t.same(
    outs.map(({ created }) => created).sort((one, other) => one - other),
    [0, 3000],
  )
  t.same(
    outs.map(({ alreadyHere }) => alreadyHere).sort((one, other) => one - other),
    [0, 3000],
  )
})

t.test('kill -9 in the middle leaves nothing, and the next run makes everything', async (t) => {
  const clone = await cloneDatabase()
  t.teardown(() => clone.drop())
  await connected(clone.url, (client) =>
    client.query(`INSERT INTO projects (id, title) VALUES (1, 'killed');
      INSERT INTO users (username) SELECT 'many ' || n FROM generate_series(1, 50000) n`),
  )
  const lines = ['can_browse', 'can_fork'].flatMap((permission) =>
    Array.from({ length: 50_000 }, (_, at) => `1,user,many ${at + 1},${permission}`),
  )
  const path = await file(t, 'killed.csv', csv(...lines))
  const counts = () =>
    connected(clone.url, async (client) => {
      const { rows } = await client.query(`SELECT (SELECT count(*) FROM grants)::integer AS grants,
        (SELECT count(*) FROM audit_events)::integer AS events,
        (SELECT count(*) FROM policy_changes WHERE kind = 'grant')::integer AS changes`)
      return rows
    })
  const started = (): ChildProcess =>
    spawn(process.execPath, ['--import=tsx', MAIN, 'import', 'grants', path], {
      env: { ...process.env, DATABASE_URL: clone.url },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
  // The last of them is killed when all grants are in the transaction and their audit events are being written.
  for (const until of ['creating: 10,000 of', 'creating: 60,000 of', 'creating: 100,000 of']) {
    const child = started()
    if (child.stderr === null) throw new Error('no output')
    for await (const line of createInterface(child.stderr)) if (line.startsWith(until)) child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    t.equal(child.signalCode, 'SIGKILL', until)
    await untilAlone(clone.url)
    t.same(await counts(), [{ grants: 0, events: 0, changes: 0 }])
  }
  const [code] = await once(started(), 'exit')
  t.equal(code, 0)
  t.same(await counts(), [{ grants: 100_000, events: 100_000, changes: 100_000 }])
})

/** Waits until PostgreSQL has noticed that nobody else is there any more. */
async function untilAlone(url: string): Promise<void> {
  await connected(url, async (client) => {
    for (let others = 1; others > 0; ) {
      const { rows } = await client.query(`SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`)
      others = rows.length
    }
  })
}
