import { DomainError, type FieldFault } from '../errors.ts'

/** Why a row of a bulk is refused; the code of the whole refusal is the first of these that any row has. */
const CODES = ['invalid-request', 'not-permitted', 'grant-exists'] as const

/**
 * What is wrong with one row: its place in the bulk, and a pointer into it, '' for the row as a whole. `sameAs` is the
 * place of the row that the detail is about.
 */
export type RowFault = FieldFault & { row: number; code: (typeof CODES)[number]; sameAs?: number }

/**
 * The refusal of a bulk, with every row that is at fault. As a problem it points into a body whose list of rows is
 * named `grants`; whoever has rows of another kind reads `rows`.
 */
export class RefusedRows extends DomainError {
  /** By their place in the bulk. */
  readonly rows: readonly RowFault[]

  constructor(faults: readonly RowFault[], total: number) {
    const rows = [...faults].sort((one, other) => one.row - other.row)
    const count = new Set(rows.map(({ row }) => row)).size
    const code = CODES.find((name) => rows.some((fault) => fault.code === name)) ?? 'invalid-request'
    super(code, `${count.toLocaleString('en')} of ${total.toLocaleString('en')} grants are at fault; none was made`, {
      faults: rows.map(({ row, pointer, detail, sameAs }) => ({
        pointer: `/grants/${row}${pointer}`,
        detail: sameAs === undefined ? detail : `${detail} /grants/${sameAs}`,
      })),
    })
    this.name = 'RefusedRows'
    this.rows = rows
  }
}
