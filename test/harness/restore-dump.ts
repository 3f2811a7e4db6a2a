import type { Client } from 'pg'

const ROWS_A_STATEMENT = 500
const ESCAPES: Record<string, string> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' }

/**
 * Restores a plain `pg_dump` into the empty database that `client` is connected to, without psql: statements are
 * executed one by one, the rows of `COPY … FROM stdin` are decoded and inserted.
 */
export async function restoreDump(client: Client, dump: string): Promise<void> {
  const lines = dump.split('\n')
  let statement = ''
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? ''
    if (statement === '' && (line.startsWith('--') || line.startsWith('\\') || line.trim() === '')) continue
    statement += `${line}\n`
    if (!line.endsWith(';')) continue
    if (statement.startsWith('COPY ')) {
      const end = lines.indexOf('\\.', at)
      await insertRows(client, statement, lines.slice(at + 1, end))
      at = end
    } else await client.query(statement)
    statement = ''
  }
}

async function insertRows(client: Client, copy: string, lines: string[]): Promise<void> {
  const [, table, columns] = /^COPY (\S+) \((.+)\) FROM stdin;/.exec(copy) ?? []
  if (table === undefined || columns === undefined) throw new Error(`cannot read ${copy}`)
  const width = columns.split(',').length
  for (let start = 0; start < lines.length; start += ROWS_A_STATEMENT) {
    const cells = lines.slice(start, start + ROWS_A_STATEMENT).flatMap((line) => line.split('\t').map(decoded))
    const rows = Array.from({ length: cells.length / width }, (_, row) => {
      return `(${Array.from({ length: width }, (_, column) => `$${row * width + column + 1}`).join(', ')})`
    })
    await client.query(`INSERT INTO ${table} (${columns}) VALUES ${rows.join(', ')}`, cells)
  }
}

/** One cell of COPY's text format. */
function decoded(cell: string): string | null {
  if (cell === '\\N') return null
  return cell.replace(/\\(.)/g, (_, letter: string) => ESCAPES[letter] ?? letter)
}
