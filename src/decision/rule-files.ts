import { parse } from 'csv-parse/sync'
import { PolicyModelError } from './policy-model-error.ts'

/** A line of a file in `policies/`: its Casbin section (`p`, `g`, `g2`), its cells, and where it stands. */
export type RuleLine = { ptype: string; cells: string[]; place: string }

/**
 * Reads the lines of one rule file. Cells are taken by a CSV parser and stay cells: a comma inside quotes never makes a
 * new one. Lines that start with `#` and empty lines are skipped.
 *
 * @throws PolicyModelError where the text is not CSV or a cell lies outside ASCII letters, digits and `_ : * -`
 */
export function readRuleLines(file: string, text: string): RuleLine[] {
  return parseCsv(file, text).map(({ record, info }) => {
    const [ptype = '', ...cells] = record
    const place = `${file}:${info.lines}`
    for (const cell of cells) {
      if (!/^[\w:*-]*$/.test(cell)) {
        throw new PolicyModelError(`${place}: cell \`${cell}\` may hold letters, digits and _ : * - only`)
      }
    }
    return { ptype, cells, place }
  })
}

function parseCsv(file: string, text: string): { record: string[]; info: { lines: number } }[] {
  try {
    const options = { trim: true, skip_empty_lines: true, comment: '#', relax_column_count: true, info: true } as const
    return parse(text, options) as unknown as { record: string[]; info: { lines: number } }[]
  } catch (cause) {
    throw new PolicyModelError(`${file}: ${cause instanceof Error ? cause.message : 'not readable as CSV'}`, { cause })
  }
}
