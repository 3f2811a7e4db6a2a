import { CsvError, type Info, parse } from 'csv-parse/sync'
import { quoted } from '../text.ts'
import { GrantFileError, MAX_LINE_LENGTH, type ReadLine } from './grant-file-line.ts'

const NEEDED = ['project', 'principalType', 'principal', 'permission']
const COLUMNS = [...NEEDED, 'effect', 'validFrom', 'validUntil']

/**
 * Hands over the lines of a CSV file (RFC 4180) under its header, as values in the form of JSON lines; empty lines are
 * skipped. An empty cell of a column that may be missing counts as missing.
 *
 * @throws GrantFileError for a header that is not one, and where the text stops being CSV
 */
export function readCsvLines(text: string, receive: (line: ReadLine) => void): void {
  let columns: string[] | undefined
  readRecords(text, (line, cells) => {
    if (columns === undefined) columns = headerOf(line, cells)
    else if (cells.length === columns.length) receive({ line, value: grantIn(columns, cells) })
    else receive({ line, fault: `has ${cells.length} cells, the header has ${columns.length}` })
  })
}

/**
 * Hands over records with the line on which each begins.
 *
 * WHY lines are counted here: the parser counts a line break of two characters inside quotes twice.
 */
function readRecords(text: string, receive: (line: number, cells: string[]) => void): void {
  let next = 1
  const take = (cells: string[], { empty_lines }: Info) => {
    receive(next + empty_lines, cells)
    next += 1
    for (const cell of cells) if (cell.includes('\n')) next += cell.split('\n').length - 1
    return null
  }
  try {
    parse(text, { ...FORM, on_record: take })
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    const line = next + Number(error.empty_lines)
    const fault = SYNTAX_FAULTS[error.code] ?? 'it cannot be read'
    throw new GrantFileError(`line ${line} is not CSV: ${fault}`, { cause: error })
  }
}

const FORM = {
  skip_empty_lines: true,
  relax_column_count: true,
  record_delimiter: ['\r\n', '\n'],
  max_record_size: MAX_LINE_LENGTH,
}

const SYNTAX_FAULTS: Record<string, string> = {
  CSV_QUOTE_NOT_CLOSED: 'a quote is opened and never closed',
  CSV_INVALID_CLOSING_QUOTE: 'a quoted cell goes on after its closing quote; a quote inside is written twice',
  INVALID_OPENING_QUOTE: 'a quote stands inside a cell that does not begin with one',
  CSV_MAX_RECORD_SIZE: `it is longer than ${MAX_LINE_LENGTH.toLocaleString('en')} characters; is a quote never closed?`,
}

function headerOf(line: number, cells: string[]): string[] {
  const wrong = (what: string) =>
    new GrantFileError(`line ${line}, the header, ${what}; it may name ${COLUMNS.join(',')} in any order`)
  for (const [at, name] of cells.entries()) {
    if (!COLUMNS.includes(name)) throw wrong(`names ${quoted(name)}, which is no column`)
    if (cells.indexOf(name) !== at) throw wrong(`names ${name} twice`)
  }
  const missing = NEEDED.filter((name) => !cells.includes(name))
  if (missing.length > 0) throw wrong(`does not name ${missing.join(', ')}`)
  return cells
}

function grantIn(columns: readonly string[], cells: readonly string[]): object {
  const grant: Record<string, unknown> = {}
  const principal: Record<string, string> = {}
  for (const [at, column] of columns.entries()) {
    const cell = cells[at] ?? ''
    if (column === 'project') grant.project = numberIn(cell)
    else if (column === 'principalType') principal.type = cell
    else if (column === 'principal') principal.name = cell
    else if (cell !== '' || NEEDED.includes(column)) grant[column] = cell
  }
  grant.principal = principal
  return grant
}

/** The number, or the text itself where it is none: then its type is the fault. */
const numberIn = (cell: string): number | string => (/^(0|-?[1-9]\d{0,9})$/.test(cell) ? Number(cell) : cell)
