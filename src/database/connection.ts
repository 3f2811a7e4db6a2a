import pg from 'pg'
import type { EmbeddedConnection } from './embedded-postgres.ts'

/** Options of every connection we make, for a pool or a client of its own. */
export type ConnectionOptions = pg.ClientConfig

/** A connection outside any pool. */
export type OwnClient = pg.Client

const INT8 = 20
/** How long a connection that ends waits for the server to say goodbye. */
const GOODBYE_MS = 1000

/**
 * Options for a PostgreSQL URL or the embedded server. int8 arrives as a number, and fails where it would not be
 * exact; a connection that takes 10 s to make fails. A transaction in which nothing is asked for two minutes is ended by
 * the server, so that a process that hangs or is paused gives back its locks; sending a mail takes one minute at most.
 */
export function connectionOptions(target: string | EmbeddedConnection): ConnectionOptions {
  return {
    ...(typeof target === 'string' ? { connectionString: target } : target),
    application_name: 'gatehouse',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    idle_in_transaction_session_timeout: 120_000,
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

/**
 * A connection of its own, outside any pool, open; the caller ends it, which takes a second at most, whatever the server
 * does. `onLost` is called once if it breaks.
 */
export async function openClient(options: ConnectionOptions, onLost: (cause: unknown) => void): Promise<OwnClient> {
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
    const cutOff = setTimeout(() => client.connection.stream.destroy(), GOODBYE_MS)
    await end().finally(() => clearTimeout(cutOff))
  }) as typeof client.end
  return client
}

/**
 * Gives what `ask` gets from the client. When nothing is heard for `patienceMs`, the connection is broken off and the
 * question fails: nothing else would tell a server that hangs, or a network that swallows everything, from a slow one.
 * `ask` calls `heard` when a part of a long answer has come.
 */
export async function answerOf<T>(
  client: OwnClient,
  patienceMs: number,
  ask: (heard: () => void) => Promise<T>,
): Promise<T> {
  const silence = new Error(`Connection terminated: the database has not answered for ${patienceMs} ms`)
  const timer = setTimeout(() => client.connection.stream.destroy(silence), patienceMs)
  try {
    return await ask(() => timer.refresh())
  } finally {
    clearTimeout(timer)
  }
}
