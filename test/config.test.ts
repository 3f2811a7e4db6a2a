import { existsSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import t from 'tap'
import { ConfigError, configVariables, durationMs, loadConfig } from '../src/config.ts'

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
      'MAX_STALENESS',
    ],
  )
  for (const { name, description } of variables) t.ok(description.length > 10, name)
  t.equal(variables.find(({ name }) => name === 'PORT')?.default, '8080')
  t.equal(variables.find(({ name }) => name === 'DATABASE_URL')?.default, undefined)
})
