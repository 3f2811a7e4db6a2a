import { execFile } from 'node:child_process'
import { cp, mkdir, readdir, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import t from 'tap'

const project = join(import.meta.dirname, '..', '..')
const require = createRequire(import.meta.url)

type Cruise = {
  summary: { totalCruised: number; violations: { rule: { name: string }; from: string; to: string }[] }
  modules: { source: string }[]
}

/** Runs dependency-cruiser over `src` as `npm run architecture` does. */
function cruise(folder: string, ...options: string[]): Promise<Cruise> {
  const script = join(project, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs')
  const args = [script, '--config', '.dependency-cruiser.cjs', '--output-type', 'json', ...options, 'src']
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { cwd: folder, maxBuffer: 100_000_000 }, (error, stdout) => {
      try {
        resolve(JSON.parse(stdout))
      } catch (cause) {
        reject(error ?? cause)
      }
    })
  })
}

async function sourceFiles(): Promise<string[]> {
  const names = await readdir(join(project, 'src'), { recursive: true })
  return names.filter((name) => name.endsWith('.ts')).map((name) => join('src', name))
}

t.test('the source keeps to the import rules, and the cruiser saw all of it', async (t) => {
  const { summary, modules } = await cruise(project)
  t.same(
    summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`),
    [],
  )
  const seen = new Set(modules.map(({ source }) => source))
  const files = await sourceFiles()
  t.ok(files.length > 0)
  t.same(
    files.filter((file) => !seen.has(file)),
    [],
    'no source file escaped the cruiser',
  )
})

/** For each rule, a file that breaks it: [path, text]. Several lines where the rule needs more than one file. */
const PLANTS: Record<string, [file: string, text: string][]> = {
  'no-cycles': [
    ['src/http/planted-one.ts', "import './planted-two.ts'"],
    ['src/http/planted-two.ts', "import './planted-one.ts'"],
  ],
  'no-orphans': [['src/http/planted-orphan.ts', 'export const alone = 1']],
  'everything-is-reached-from-main': [['src/http/planted-dead.ts', "import '../errors.ts'"]],
  'imports-resolve': [['src/http/planted-missing.ts', "import './nowhere.ts'"]],
  'src-never-imports-test': [['src/http/planted-test.ts', "import '../../test/planted.ts'"]],
  'src-uses-only-declared-dependencies': [['src/http/planted-dev.ts', "import 'fast-check'"]],
  'decision-core-is-pure': [['src/decision/planted-impure.ts', "import '../config.ts'"]],
  'decision-core-uses-no-node-module': [['src/decision/planted-core.ts', "import 'node:fs'"]],
  'decision-core-reaches-no-io': [
    ['src/decision/planted-reach.ts', "import './planted-carrier.ts'"],
    ['src/decision/planted-carrier.ts', "import 'pg'"],
  ],
  'decision-imports-no-feature': [['src/decision/planted-routes.ts', "import '../account/planted.ts'"]],
  'schemas-import-only-typebox': [['src/account/planted-schemas.ts', "import 'pg'"]],
  'services-do-no-io': [['src/account/planted-service.ts', "import '../database/planted.ts'"]],
  'routes-never-see-stores': [['src/account/planted-routes.ts', "import './planted-store.ts'"]],
  'stores-know-no-http': [['src/account/planted-store.ts', "import '../http/planted.ts'"]],
  'features-do-not-import-each-other': [['src/account/planted-sibling.ts', "import '../session/planted.ts'"]],
  'features-see-only-decision-vocabulary': [['src/policy/planted-snapshot.ts', "import '../decision/snapshot.ts'"]],
  'shells-know-no-feature': [['src/database/planted-feature.ts', "import '../account/planted.ts'"]],
  'only-cli-composes': [['src/http/planted-compose.ts', "import '../compose.ts'"]],
  'only-main-starts-the-cli': [['src/http/planted-cli.ts', "import '../cli/planted.ts'"]],
  'nobody-imports-main': [['src/cli/planted-main.ts', "import '../main.ts'"]],
  'casbin-has-its-owners': [['src/decision/planted-casbin.ts', "import '@casbin/expression-eval'"]],
  'typeorm-stays-in-storage': [['src/account/planted-typeorm.ts', "import 'typeorm'"]],
  'pg-stays-in-database': [['src/account/planted-pg.ts', "import type { Pool } from 'pg'"]],
  'fastify-stays-at-the-edge': [['src/account/planted-fastify.ts', "import '@fastify/swagger'"]],
  'typebox-stays-in-schemas': [['src/account/planted-typebox.ts', "import { Type } from 'typebox'"]],
  'prom-client-stays-in-metrics': [['src/http/planted-prom.ts', "import 'prom-client'"]],
  'ghtml-stays-in-the-templates': [['src/pages/planted-ghtml.ts', "import 'ghtml'"]],
  'only-the-command-line-makes-a-log': [['src/account/planted-pino.ts', "import 'pino'"]],
  'croner-stays-in-the-schedule': [['src/mail/planted-cron.ts', "import 'croner'"]],
  'nodemailer-stays-in-its-transport': [['src/mail/planted-mail.ts', "import 'nodemailer'"]],
  'commander-stays-in-the-command-line': [['src/http/planted-commander.ts', "import 'commander'"]],
}

/** Modules that the plants point at, where the real tree has none of that name. */
const TARGETS = ['src/account', 'src/session', 'src/database', 'src/http', 'src/cli', 'test'].map(
  (folder) => `${folder}/planted.ts`,
)

t.test('each import rule bites when a forbidden import is planted', async (t) => {
  const copy = t.testdir({ node_modules: t.fixture('symlink', join(project, 'node_modules')) })
  const copied = ['src', 'package.json', 'tsconfig.json', '.dependency-cruiser.cjs']
  for (const name of copied) await cp(join(project, name), join(copy, name), { recursive: true })
  const plants = Object.values(PLANTS).flat()
  for (const [file, text] of [...TARGETS.map((file) => [file, 'export {}'] as const), ...plants]) {
    await mkdir(dirname(join(copy, file)), { recursive: true })
    await writeFile(join(copy, file), `${text}\n`)
  }

  const { summary } = await cruise(copy, '--preserve-symlinks')
  const caught = new Set(summary.violations.map(({ rule, from }) => `${rule.name} in ${from}`))
  const rules: { name: string }[] = require(join(project, '.dependency-cruiser.cjs')).forbidden
  t.same(Object.keys(PLANTS).sort(), rules.map(({ name }) => name).sort(), 'every rule has a plant')
  for (const { name } of rules) {
    const [[planted = ''] = []] = PLANTS[name] ?? []
    t.ok(caught.has(`${name} in ${planted}`), `${name} catches ${planted}`)
  }
})
