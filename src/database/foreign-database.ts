import pg from 'pg'

/** Asks a database that is not ours; values are bound, never spliced. */
export type ForeignQuery = <Row>(sql: string, values?: unknown[]) => Promise<Row[]>

/**
 * Opens the PostgreSQL database at `url`, runs `work` in one read-only transaction that sees a single state of it, and
 * closes. Times are given in UTC, intervals as ISO 8601. Nothing of `url` but host and database reaches an error.
 *
 * @throws ForeignDatabaseError when the database cannot be reached or refuses a question
 */
export async function readForeignDatabase<T>(url: string, work: (query: ForeignQuery) => Promise<T>): Promise<T> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'gatehouse import',
    connectionTimeoutMillis: 10_000,
  })
  client.on('error', () => {}) // a lost connection also fails the question under way, which reports it
  await asked(client.connect(), `cannot connect to ${client.host}:${client.port}/${client.database ?? ''}`)
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    await client.query("SET LOCAL TimeZone = 'UTC'; SET LOCAL IntervalStyle = 'iso_8601'")
    const query = async <Row>(sql: string, values: unknown[] = []) =>
      (await asked(client.query(sql, values), 'the database refused a question')).rows as Row[]
    const result = await work(query)
    await client.query('COMMIT')
    return result
  } finally {
    await client.end().catch(() => {})
  }
}

async function asked<T>(answer: Promise<T>, what: string): Promise<T> {
  try {
    return await answer
  } catch (cause) {
    throw new ForeignDatabaseError(`${what}: ${cause instanceof Error ? messageOf(cause) : 'unknown cause'}`, { cause })
  }
}

/** A refused connection to a name with several addresses is an AggregateError with an empty message. */
function messageOf(error: Error): string {
  if (error.message !== '') return error.message
  return error instanceof AggregateError ? error.errors.map(String).join('; ') : error.name
}

/** The other database could not be reached, or refused a question; the message may be shown to the operator. */
export class ForeignDatabaseError extends Error {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.name = 'ForeignDatabaseError'
  }
}
