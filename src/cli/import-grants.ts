import { readFile, stat } from 'node:fs/promises'
import { extname } from 'node:path'
import type { Config } from '../config.ts'
import type { BulkOptions } from '../policy/grant-bulk-service.ts'
import { fieldNamed, type GrantFileForm, type LineFault, readGrantFile } from '../policy/grant-file.ts'
import { GrantFileError } from '../policy/grant-file-line.ts'
import { RefusedRows } from '../policy/refused-rows.ts'
import { type Terminal, withParts } from './command-parts.ts'

/** `json` asks for the report as a program reads it. */
export type ImportGrantsOptions = { dryRun?: boolean; json?: boolean }

/** What an import of grants did, or would do. */
export type GrantImportReport = {
  dryRun: boolean
  /** Whether lines at fault stopped it; then nothing was made. */
  refused: boolean
  /** Grants that were made, or would be. */
  created: number
  /** Lines whose grant was there already, to the letter. */
  alreadyHere: number
  /** The policy revision at which the grants are in force; null when nothing was made. */
  revision: number | null
  /** The first hundred. */
  faults: LineFault[]
  moreFaults: number
}

const CONTEXT = { caller: 'command:import-grants', requestId: null, inPerson: null }
const MAX_FILE_BYTES = 256 * 1024 * 1024
const SHOWN_FAULTS = 100
/** Files of more grants are told about while they are brought in. */
const LONG = 10_000
const FORMS: Record<string, GrantFileForm> = { '.csv': 'csv', '.jsonl': 'jsonl' }

/**
 * `gatehouse import grants`: makes the grants of a file, all or none, or says what that would do. Grants that are there
 * already, to the letter, are passed over: a second run changes nothing.
 *
 * @returns the exit code: 0 done, 1 refused because of lines at fault, 2 the file's name does not say what is in it
 * @throws GrantFileError, DomainError, DatabaseError with a message for the operator
 */
export async function importGrants(
  path: string,
  options: ImportGrantsOptions,
  config: Config,
  { out, progress }: Terminal,
): Promise<0 | 1 | 2> {
  const form = FORMS[extname(path).toLowerCase()]
  if (form === undefined) {
    progress('gatehouse: the name of the file must end in .csv or .jsonl, which says how it is to be read')
    return 2
  }
  const report = await imported(path, form, options, config, progress)
  if (options.json === true) out(JSON.stringify(report, null, 2))
  else if (report.refused) progress(refusalText(report))
  else out(reportText(report))
  return report.refused ? 1 : 0
}

async function imported(
  path: string,
  form: GrantFileForm,
  { dryRun = false }: ImportGrantsOptions,
  config: Config,
  progress: (text: string) => void,
): Promise<GrantImportReport> {
  const { grants, lines, faults } = readGrantFile(await contentOf(path), form)
  if (faults.length > 0) return refusal(dryRun, faults)
  const isLong = grants.length > LONG
  if (isLong) progress(`read ${grants.length.toLocaleString('en')} grants`)
  const bulk: BulkOptions = {
    source: 'file',
    present: 'skip',
    dryRun,
    ...(isLong && { progress: progressLine(progress) }),
  }
  try {
    const { value, revision } = await withParts(config, ({ grantBulks }) => grantBulks.create(CONTEXT, grants, bulk))
    const isWritten = !dryRun && value.created > 0
    return {
      dryRun,
      refused: false,
      created: value.created,
      alreadyHere: value.present,
      revision: isWritten ? revision : null,
      faults: [],
      moreFaults: 0,
    }
  } catch (error) {
    if (!(error instanceof RefusedRows)) throw error
    return refusal(dryRun, lineFaults(error, lines, form))
  }
}

async function contentOf(path: string): Promise<Buffer> {
  if ((await stat(path)).size > MAX_FILE_BYTES) {
    throw new GrantFileError(`a file may have at most ${MAX_FILE_BYTES.toLocaleString('en')} bytes`)
  }
  return readFile(path)
}

const progressLine = (progress: (text: string) => void) => (done: number, of: number) =>
  progress(`creating: ${done.toLocaleString('en')} of ${of.toLocaleString('en')}`)

const lineFaults = ({ rows }: RefusedRows, lines: readonly number[], form: GrantFileForm): LineFault[] =>
  rows.map(({ row, pointer, detail, sameAs }) => ({
    line: lines[row] ?? 0,
    field: fieldNamed(pointer, form),
    detail: sameAs === undefined ? detail : `${detail} line ${lines[sameAs]}`,
  }))

const refusal = (dryRun: boolean, faults: LineFault[]): GrantImportReport => ({
  dryRun,
  refused: true,
  created: 0,
  alreadyHere: 0,
  revision: null,
  faults: faults.slice(0, SHOWN_FAULTS),
  moreFaults: Math.max(0, faults.length - SHOWN_FAULTS),
})

function refusalText({ dryRun, faults, moreFaults }: GrantImportReport): string {
  return [
    ...faults.map(({ line, field, detail }) => `line ${line}${field === '' ? ' ' : `, ${field}: `}${detail}`),
    ...(moreFaults > 0 ? [`… and ${moreFaults.toLocaleString('en')} more`] : []),
    `gatehouse: nothing ${dryRun ? 'would be' : 'was'} made`,
  ].join('\n')
}

function reportText({ dryRun, created, alreadyHere, revision }: GrantImportReport): string {
  const known =
    alreadyHere === 0 ? '' : `; ${alreadyHere.toLocaleString('en')} ${alreadyHere === 1 ? 'was' : 'were'} there already`
  const force = revision === null ? '' : `, in force at revision ${revision}`
  const grants = `${created.toLocaleString('en')} ${created === 1 ? 'grant' : 'grants'}`
  return `${dryRun ? 'would make' : 'made'} ${grants}${known}${force}`
}
