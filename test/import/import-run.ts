import { pino } from 'pino'
import type { Test } from 'tap'
import { type ImportCatmaidOptions, importCatmaid } from '../../src/cli/import-catmaid.ts'
import { compose } from '../../src/compose.ts'
import { loadConfig } from '../../src/config.ts'
import type { ImportReport } from '../../src/import/import-report.ts'
import { type TestDatabase, testDatabase } from '../harness/database.ts'
import { type CatmaidDatabase, catmaidDatabase } from './catmaid-database.ts'

/** What one run of the command gave. */
export type ImportRun = { exitCode: number; report: ImportReport; progress: string[] }

/** A CATMAID database, a Gatehouse, and the command between them. */
export type ImportBench = {
  source: CatmaidDatabase
  here: TestDatabase
  run: (options?: { dryRun?: boolean }) => Promise<ImportRun>
}

/** The dump of the site restored, and an empty Gatehouse beside it. */
export async function importBench(t: Test): Promise<ImportBench> {
  const [source, here] = [await catmaidDatabase(t), await testDatabase(t)]
  return { source, here, run: (options = {}) => runImport(source.url, here.url, options) }
}

/** Runs the command, as the program makes its parts, and reads the report that it prints. */
export async function runImport(from: string, databaseUrl: string, options: { dryRun?: boolean }): Promise<ImportRun> {
  const { exitCode, printed, progress } = await runCommand({ from, json: true, ...options }, databaseUrl)
  return { exitCode, report: JSON.parse(printed), progress }
}

/** Runs the command and gives what it prints. */
export async function runCommand(
  options: ImportCatmaidOptions,
  databaseUrl: string,
): Promise<{ exitCode: number; printed: string; progress: string[] }> {
  const parts = await compose(loadConfig({ DATABASE_URL: databaseUrl }), pino({ level: 'silent' }))
  const printed: string[] = []
  const progress: string[] = []
  try {
    const exitCode = await importCatmaid(options, parts, {
      out: (text) => printed.push(text),
      progress: (text) => progress.push(text),
    })
    return { exitCode, printed: printed.join('\n'), progress }
  } finally {
    await parts.close()
  }
}

const TABLES = [
  'users',
  'groups',
  'projects',
  'memberships',
  'grants',
  'profiles',
  'api_tokens',
  'inactivity_periods',
  'inactivity_period_contacts',
  'import_baseline',
  'audit_events',
  'policy_head',
  'policy_change_sets',
]

/** Every row of every table that an import may touch, to compare the whole database before and after. */
export async function contentOf({ query }: TestDatabase): Promise<Record<string, string[]>> {
  const content: Record<string, string[]> = {}
  for (const table of TABLES) {
    const rows = await query<{ row: string }>(`SELECT r::text AS row FROM ${table} r ORDER BY 1`)
    content[table] = rows.map(({ row }) => row)
  }
  return content
}
