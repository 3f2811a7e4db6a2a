import pg from 'pg'
import type { EmbeddedConnection } from './embedded-postgres.ts'

/** Options of every connection we make, for a pool or a client of its own. */
export type ConnectionOptions = pg.ClientConfig

const INT8 = 20

/**
 * Options for a PostgreSQL URL or the embedded server. int8 arrives as a number, and fails where it would not be
 * exact; a connection that takes 10 s to make fails.
 */
export function connectionOptions(target: string | EmbeddedConnection): ConnectionOptions {
  return {
    ...(typeof target === 'string' ? { connectionString: target } : target),
    application_name: 'gatehouse',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    types: { getTypeParser: parserOf as typeof pg.types.getTypeParser },
  }
}

function parserOf(oid: number, format?: 'text' | 'binary'): unknown {
  if (oid === INT8 && format !== 'binary') return exactInteger
  return pg.types.getTypeParser(oid, format as 'text')
}

function exactInteger(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`the integer ${text} of the database is not exact as a number`)
  return value
}

/** A connection of its own, outside any pool, open; the caller ends it. `onLost` is called once if it breaks. */
export async function openClient(options: ConnectionOptions, onLost: (cause: unknown) => void): Promise<pg.Client> {
  const client = new pg.Client(options)
  let usable = true
  const lost = (cause: unknown) => {
    if (!usable) return
    usable = false
    onLost(cause)
  }
  client.on('error', lost)
  client.on('end', () => lost(new Error('the database closed the connection')))
  try {
    await client.connect()
  } catch (error) {
    usable = false
    throw error
  }
  const end = client.end.bind(client) as () => Promise<void>
  client.end = (async () => {
    usable = false
    await end()
  }) as typeof client.end
  return client
}
