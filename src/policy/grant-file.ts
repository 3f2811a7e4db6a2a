import { isUtf8 } from 'node:buffer'
import { schemaChecks } from '../http/schema-check.ts'
import { isKeepable } from '../text.ts'
import type { WantedGrant } from './grant-bulk-rows.ts'
import { readCsvLines } from './grant-csv.ts'
import { GrantFileError } from './grant-file-line.ts'
import { readJsonLines } from './grant-json-lines.ts'
import { GrantLine } from './grant-schemas.ts'

/** At most so many grants in one file. */
export const MAX_GRANTS_IN_FILE = 500_000

/** How the lines of a file are written. */
export type GrantFileForm = keyof typeof FORMS

/** What is wrong on a line; `field` is how such a file names it, '' for the line as a whole. */
export type LineFault = { line: number; field: string; detail: string }

/** Grants, each with the number of the line that it begins on; and what is wrong on other lines. */
export type GrantFile = { grants: WantedGrant[]; lines: number[]; faults: LineFault[] }

/** How each form names what a pointer points at. */
const FORMS = {
  csv: { read: readCsvLines, fieldOf: (pointer: string) => CSV_COLUMNS[pointer] ?? pointer.slice(1) },
  jsonl: { read: readJsonLines, fieldOf: (pointer: string) => pointer.slice(1).replaceAll('/', '.') },
}
const CSV_COLUMNS: Record<string, string> = { '/principal/type': 'principalType', '/principal/name': 'principal' }

/**
 * Reads grants from a file, in the words of the API. Names stay as they are, to the letter: nothing is trimmed.
 *
 * @throws GrantFileError when it cannot be read as grants at all
 */
export function readGrantFile(content: Buffer, form: GrantFileForm): GrantFile {
  const { read } = FORMS[form]
  const check = schemaChecks()(GrantLine)
  const file: GrantFile = { grants: [], lines: [], faults: [] }
  read(textOf(content), ({ line, value, fault }) => {
    if (file.lines.length === MAX_GRANTS_IN_FILE) throw tooMany()
    file.lines.push(line)
    if (fault !== undefined) file.faults.push({ line, field: '', detail: fault })
    else if (!check.accepts(value)) file.faults.push(...lineFaults(line, check.faultsIn(value), form))
    else {
      file.grants.push(wantedOf(value as GrantLine))
      file.faults.push(...lineFaults(line, principalFaults(value as GrantLine), form))
    }
  })
  if (file.lines.length === 0) throw new GrantFileError('the file holds no grants')
  return file
}

/** How a file of the form calls what a pointer into a grant points at. */
export const fieldNamed = (pointer: string, form: GrantFileForm): string => FORMS[form].fieldOf(pointer)

const tooMany = () => new GrantFileError(`a file may hold at most ${MAX_GRANTS_IN_FILE.toLocaleString('en')} grants`)

function textOf(content: Buffer): string {
  if (isUtf8(content)) return content.toString().replace(/^\uFEFF/, '')
  let line = 1
  let start = 0
  for (let end = content.indexOf(0x0a); end !== -1; end = content.indexOf(0x0a, start)) {
    if (!isUtf8(content.subarray(start, end))) break
    line += 1
    start = end + 1
  }
  throw new GrantFileError(`line ${line} is not UTF-8`)
}

type Faults = readonly { pointer: string; detail: string }[]

const lineFaults = (line: number, faults: Faults, form: GrantFileForm): LineFault[] =>
  faults.map(({ pointer, detail }) => ({ line, field: fieldNamed(pointer, form), detail }))

function principalFaults({ principal: { id, name } }: GrantLine): Faults {
  if ((id === undefined) === (name === undefined)) {
    return [{ pointer: '/principal', detail: 'must have an id or a name, and not both' }]
  }
  if (name === undefined || isKeepable(name)) return []
  return [{ pointer: '/principal/name', detail: 'must not hold NUL or half a surrogate pair' }]
}

function wantedOf({ project, principal, permission, effect, validFrom, validUntil }: GrantLine): WantedGrant {
  const { type, id = 0, name } = principal
  return {
    projectId: project,
    principal: name === undefined ? { type, id } : { type, name },
    permission,
    effect,
    validFrom,
    validUntil,
  }
}
