import { existsSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import t from 'tap'
import { durationMs } from '../src/config/duration.ts'
import { ConfigError, configVariables, loadConfig } from '../src/config.ts'

t.test('an empty environment gives the defaults', async (t) => {
  const config = loadConfig({})
  t.match(config, {
    databaseUrl: undefined,
    dataDir: join(process.cwd(), 'data'),
    host: '127.0.0.1',
    port: 8080,
    publicUrl: undefined,
    logLevel: 'info',
    maxStalenessMs: 300_000,
  })
  t.ok(Object.isFrozen(config))
})

t.test('the model and the policies are found beside the package, wherever the service is started', async (t) => {
  const config = loadConfig({})
  t.ok(existsSync(join(config.modelFile, '..', 'package.json')))
  t.equal(config.modelFile, join(import.meta.dirname, '..', 'model.conf'))
  t.equal(config.policyDir, join(import.meta.dirname, '..', 'policies'))
})

t.test('paths that are given count from the current folder and become absolute', async (t) => {
  const config = loadConfig({ MODEL_FILE: 'mine.conf', POLICY_DIR: '/etc/rules', DATA_DIR: 'here' })
  t.equal(config.modelFile, join(process.cwd(), 'mine.conf'))
  t.equal(config.policyDir, '/etc/rules')
  t.ok(isAbsolute(config.dataDir))
})

t.test('an empty variable counts as unset', async (t) => {
  t.same(loadConfig({ PORT: '', DATABASE_URL: '', LOG_LEVEL: '', MODEL_FILE: '' }), loadConfig({}))
})

t.test('every variable is read', async (t) => {
  t.match(
    loadConfig({
      DATABASE_URL: 'postgresql://gatehouse@db/gatehouse?sslmode=require',
      HOST: '::',
      PORT: '0',
      PUBLIC_URL: 'https://gatehouse.example.org/base',
      LOG_LEVEL: 'debug',
      MAX_STALENESS: 'PT1H30M',
    }),
    {
      databaseUrl: 'postgresql://gatehouse@db/gatehouse?sslmode=require',
      host: '::',
      port: 0,
      publicUrl: 'https://gatehouse.example.org/base',
      logLevel: 'debug',
      maxStalenessMs: 5_400_000,
    },
  )
})

t.test('one error names every fault and repeats no value', async (t) => {
  const wrong = {
    DATABASE_URL: 'mysql://root:hunter2@db/x',
    PORT: '80 80',
    PUBLIC_URL: 'ftp://x',
    LOG_LEVEL: 'loud',
    MAX_STALENESS: 'PT0S',
  }
  try {
    loadConfig(wrong)
    t.fail('took a wrong configuration')
  } catch (error) {
    t.ok(error instanceof ConfigError)
    const { faults, message } = error as ConfigError
    t.same(
      faults.map((fault) => fault.split(' ')[0]),
      ['DATABASE_URL', 'PORT', 'PUBLIC_URL', 'LOG_LEVEL', 'MAX_STALENESS'],
    )
    for (const name of Object.keys(wrong)) t.match(message, name)
    t.notMatch(message, 'hunter2')
  }
})

for (const port of ['-1', '65536', '8080.5', '0x50', '1e3', ' 80', '８０']) {
  t.test(`PORT=${JSON.stringify(port)} is refused`, async (t) => {
    t.throws(() => loadConfig({ PORT: port }), ConfigError)
  })
}

t.test('a socket folder may stand for the host', async (t) => {
  t.equal(
    loadConfig({ DATABASE_URL: 'postgres://me@/gatehouse?host=/run/postgresql' }).databaseUrl,
    'postgres://me@/gatehouse?host=/run/postgresql',
  )
})

t.test('durations are read to the millisecond, and only those of fixed length', async (t) => {
  const cases: [string, number | undefined][] = [
    ['PT5M', 300_000],
    ['PT0.25S', 250],
    ['P1D', 86_400_000],
    ['P1DT1H1M1S', 90_061_000],
    ['P2W', 1_209_600_000],
    ['P', undefined],
    ['PT', undefined],
    ['P1DT', undefined],
    ['5M', undefined],
    ['P1M', undefined],
    ['P1Y', undefined],
    ['PT-5M', undefined],
    ['pt5m', undefined],
    ['PT5M\n', undefined],
    [`P${'9'.repeat(30)}D`, undefined],
  ]
  for (const [text, ms] of cases) t.equal(durationMs(text), ms, JSON.stringify(text))
})

t.test('the table of variables has a description for each, and the default where there is one', async (t) => {
  const variables = configVariables()
  t.same(
    variables.map(({ name }) => name),
    [
      'DATABASE_URL',
      'DATA_DIR',
      'HOST',
      'PORT',
      'PUBLIC_URL',
      'LOG_LEVEL',
      'MODEL_FILE',
      'POLICY_DIR',
      'PROFILE_SETTINGS_FILE',
      'MAX_STALENESS',
      'TRUSTED_PROXIES',
      'TOKEN_AUDIENCE',
      'SMTP_URL',
      'MAIL_FROM',
      'MAIL_TO_FILES',
      'REGISTRATION_ALLOWED',
      'REGISTRATION_CONFIRMATION_REQUIRED',
      'REGISTRATION_CONFIRMATION_TEXT',
      'REGISTRATION_CONFIRMATION_TEXT_FILE',
      'REGISTRATION_WELCOME_MAIL',
      'REGISTRATION_WELCOME_TEXT',
      'REGISTRATION_WELCOME_TEXT_FILE',
      'REGISTRATION_REPLY_TO',
      'REGISTRATION_TERMS_TEXT',
      'REGISTRATION_TERMS_TEXT_FILE',
      'REGISTRATION_TERMS_VERSION',
      'NEW_USER_GROUPS',
      'NEW_USER_CREATE_GROUP',
      'INACTIVITY_SCHEDULE',
      'INACTIVITY_TIME_ZONE',
      'INACTIVITY_APPROVAL_PERCENT',
      'INACTIVITY_APPROVAL_MINIMUM',
    ],
  )
  for (const { name, description } of variables) t.ok(description.length > 10, name)
  t.equal(variables.find(({ name }) => name === 'PORT')?.default, '8080')
  t.equal(variables.find(({ name }) => name === 'DATABASE_URL')?.default, undefined)
})

const PUBLIC = { PUBLIC_URL: 'https://gatehouse.example.org' }
const MAIL = { ...PUBLIC, SMTP_URL: 'smtp://mail.example.org', MAIL_FROM: 'Gatehouse <gatehouse@example.org>' }

function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    loadConfig(env)
    return []
  } catch (error) {
    return (error as ConfigError).faults
  }
}

t.test('each area has its part, with defaults that let nobody in', async (t) => {
  const { mail, registration } = loadConfig({})
  t.same(mail, { smtp: undefined, from: { name: 'Gatehouse', address: 'gatehouse@localhost' } })
  t.match(registration, {
    allowed: false,
    confirmationRequired: true,
    confirmationText: /\{\{link\}\}/,
    welcomeMail: true,
    replyTo: undefined,
    terms: undefined,
    newUserGroups: [],
    createGroup: true,
  })
  t.ok(Object.isFrozen(mail) && Object.isFrozen(registration))
})

t.test('a mail server is read with its port, its login and its kind of TLS', async (t) => {
  const smtp = (url: string) => loadConfig({ ...MAIL, SMTP_URL: url }).mail.smtp
  t.same(smtp('smtp://mail.example.org'), {
    host: 'mail.example.org',
    port: 25,
    secure: false,
    user: undefined,
    password: undefined,
  })
  t.same(smtp('smtps://me%40here:p%2Fw%25@[::1]:4650/'), {
    host: '::1',
    port: 4650,
    secure: true,
    user: 'me@here',
    password: 'p/w%',
  })
  for (const url of [
    'http://x',
    'smtp://',
    'smtp://x/y',
    'smtp://x?a=b',
    'smtp://x:0x',
    'smtp://%zz@x',
    'x',
    'smtp://a b',
  ]) {
    t.same(faultsOf({ ...MAIL, SMTP_URL: url }).length, 1, url)
  }
})

t.test('the sender is one address, with or without a name', async (t) => {
  const from = (text: string) => loadConfig({ MAIL_FROM: text }).mail.from
  t.same(from('a@b.org'), { name: '', address: 'a@b.org' })
  t.same(from('Our lab, Ünit 5 <a@b.org>'), { name: 'Our lab, Ünit 5', address: 'a@b.org' })
  for (const text of [
    'a',
    'a@b, c@d',
    'x <a@b> <c@d>',
    'x <a@b>, <c@d>',
    'a@b\r\nBcc: x@y',
    'x\r\nBcc: c@d <a@b>',
    '<a@b>x',
  ]) {
    t.same(faultsOf({ MAIL_FROM: text }).length, 1, JSON.stringify(text))
  }
})

t.test('what does not fit together is told in the same message as what is wrong by itself', async (t) => {
  const faults = faultsOf({
    PORT: 'x',
    SMTP_URL: 'nowhere',
    REGISTRATION_ALLOWED: 'true',
    REGISTRATION_TERMS_VERSION: '1',
  })
  t.match(faults, [
    /^PORT must/,
    /^SMTP_URL must/,
    /MAIL_FROM/,
    /PUBLIC_URL/,
    /REGISTRATION_ALLOWED.*PUBLIC_URL/,
    /TERMS/,
  ])
  t.equal(faults.length, 6)
})

t.test('registration needs addresses for its links, and a way to send where it asks for confirmation', async (t) => {
  const allowed = { REGISTRATION_ALLOWED: 'true' }
  t.match(faultsOf({ ...allowed, MAIL_TO_FILES: 'true' }), [/PUBLIC_URL/])
  t.match(faultsOf({ ...allowed, ...PUBLIC }), [/a way to send mail/])
  t.same(faultsOf({ ...allowed, ...PUBLIC, MAIL_TO_FILES: 'true' }), [])
  t.same(faultsOf({ ...allowed, ...PUBLIC, REGISTRATION_CONFIRMATION_REQUIRED: 'false' }), [])
  t.same(faultsOf({ ...allowed, ...MAIL }), [])
  t.match(faultsOf({ ...MAIL, MAIL_TO_FILES: 'true' }), [/contradict/])
  t.match(faultsOf({ REGISTRATION_ALLOWED: 'yes' }), [/true or false/])
})

t.test('a text is given by itself or as a file, not both, and one that cannot be read stops the start', async (t) => {
  const folder = t.testdir({ welcome: 'Hej {{name}}\n', binary: Buffer.from([0xff, 0xfe]), large: 'x'.repeat(70_000) })
  const text = 'REGISTRATION_WELCOME_TEXT'
  const file = (name: string) => ({ [`${text}_FILE`]: join(folder, name) })
  t.equal(loadConfig(file('welcome')).registration.welcomeText, 'Hej {{name}}\n')
  t.equal(loadConfig({ [text]: 'Hi' }).registration.welcomeText, 'Hi')
  t.match(faultsOf({ ...file('welcome'), [text]: 'Hi' }), [/must not both be set/])
  for (const name of ['missing', 'binary', 'large', '.'])
    t.match(faultsOf(file(name)), [/^REGISTRATION_WELCOME_TEXT_FILE must/])
  t.same(
    loadConfig({ REGISTRATION_TERMS_TEXT_FILE: join(folder, 'welcome'), REGISTRATION_TERMS_VERSION: '2' }).registration
      .terms,
    { text: 'Hej {{name}}\n', version: '2' },
  )
})

t.test(
  'a placeholder that no text of its kind knows stops the start, and a confirmation without a link too',
  async (t) => {
    t.match(faultsOf({ REGISTRATION_WELCOME_TEXT: 'Hi {{nmae}}' }), [/no placeholders but/])
    t.match(faultsOf({ REGISTRATION_WELCOME_TEXT: 'Hi {{link}}' }), [/no placeholders but/])
    t.match(faultsOf({ REGISTRATION_CONFIRMATION_TEXT: 'Hi {{name}}' }), [/holds \{\{link\}\}/])
    t.same(faultsOf({ REGISTRATION_CONFIRMATION_TEXT: '{{ link }} <%= x %> $y { {z} }' }), [])
  },
)

t.test('groups for new users are names with commas between them', async (t) => {
  t.same(loadConfig({ NEW_USER_GROUPS: 'tracers, Neue Leute' }).registration.newUserGroups, ['tracers', 'Neue Leute'])
  for (const list of [',', 'a,', 'a,a', 'a,,b']) t.equal(faultsOf({ NEW_USER_GROUPS: list }).length, 1, list)
})

t.test('trusted proxies are addresses and ranges, and nobody is trusted by default', async (t) => {
  t.same(loadConfig({}).sessions, { trustedProxies: [], tokenAudience: 'gatehouse' })
  const given = loadConfig({ TRUSTED_PROXIES: '10.0.0.7, fd00::/8,192.168.0.0/16', TOKEN_AUDIENCE: 'microscopes' })
  t.same(given.sessions, {
    trustedProxies: ['10.0.0.7', 'fd00::/8', '192.168.0.0/16'],
    tokenAudience: 'microscopes',
  })
  for (const wrong of [
    'true',
    '*',
    'proxy.example.org',
    '10.0.0.7,',
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/8/8',
    '10.0.0',
  ]) {
    t.throws(() => loadConfig({ TRUSTED_PROXIES: wrong }), /TRUSTED_PROXIES must be IP addresses/, wrong)
  }
})

t.test('the schedule of runs is a cron pattern of five fields in a time zone that there is', async (t) => {
  const { inactivity } = loadConfig({ INACTIVITY_SCHEDULE: '0 3 * * *', INACTIVITY_TIME_ZONE: 'Europe/Berlin' })
  t.same(inactivity, { schedule: '0 3 * * *', timeZone: 'Europe/Berlin', approval: { sharePercent: 20, minimum: 10 } })
  t.equal(loadConfig({}).inactivity.schedule, undefined)
  for (const pattern of ['nightly', '* * * *', '0 0 0 * * *', '61 * * * *', '0 0 31 2 *']) {
    t.equal(faultsOf({ INACTIVITY_SCHEDULE: pattern }).length, 1, pattern)
  }
  t.equal(faultsOf({ INACTIVITY_TIME_ZONE: 'Mars/Olympus' }).length, 1)
})
