import type { Parts } from '../compose.ts'
import { readForeignDatabase } from '../database/foreign-database.ts'
import { mapCatmaidSite } from '../import/catmaid-mapping.ts'
import { readCatmaidSite } from '../import/catmaid-source-store.ts'
import { type ImportReport, reportOf, reportText } from '../import/import-report.ts'
import type { Progress } from '../import/import-service.ts'
import type { Terminal } from './command-parts.ts'

/** `from` is the URL of a CATMAID database; `json` asks for the report as a program reads it. */
export type ImportCatmaidOptions = { from: string; dryRun?: boolean; json?: boolean }

/**
 * `gatehouse import catmaid`: brings a CATMAID database over into the configured one, or says what that would do.
 *
 * @returns the exit code: 0 done, 1 refused because of collisions, 2 `from` is no address of a PostgreSQL database
 * @throws CatmaidSourceError, ForeignDatabaseError with a message for the operator
 */
export async function importCatmaid(
  options: ImportCatmaidOptions,
  parts: Pick<Parts, 'imports'>,
  { out, progress }: Terminal,
): Promise<0 | 1 | 2> {
  if (!isPostgresUrl(options.from)) {
    progress('--from must be a URL like postgres://user@host:5432/catmaid')
    return 2
  }
  const report = await imported(options, parts, progress)
  out(options.json === true ? JSON.stringify(report, null, 2) : reportText(report).join('\n'))
  return report.refused ? 1 : 0
}

async function imported(
  options: ImportCatmaidOptions,
  { imports }: Pick<Parts, 'imports'>,
  progress: (text: string) => void,
): Promise<ImportReport> {
  const site = await readForeignDatabase(options.from, (query) =>
    readCatmaidSite(query, (table) => progress(`reading ${table}`)),
  )
  const mapped = mapCatmaidSite(site)
  const dryRun = options.dryRun === true
  progress('comparing with what is here')
  const outcome = dryRun
    ? await imports.preview(mapped)
    : await imports.run(mapped, { caller: 'command:import', requestId: null, inPerson: null }, progressLine(progress))
  return reportOf(outcome, mapped.notBrought, { dryRun })
}

const progressLine =
  (progress: (text: string) => void): Progress =>
  (step, done, of) =>
    progress(`${step} ${done.toLocaleString('en')} of ${of.toLocaleString('en')}`)

/** Not left to URL, which knows no address without a host, as a Unix socket has it. */
function isPostgresUrl(text: string): boolean {
  return /^postgres(ql)?:\/\/\S+$/.test(text)
}
