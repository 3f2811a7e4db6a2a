import type pg from 'pg'

const ROWS_A_FETCH = 10_000

/**
 * Hands over the rows of a query in batches, as arrays in the order of its columns; must run in a transaction. While
 * `receive` works on one batch, the server prepares the next, so memory holds two at most.
 */
export async function readInBatches(
  client: pg.Client,
  sql: string,
  receive: (rows: unknown[][]) => void,
): Promise<void> {
  await client.query(`DECLARE batches NO SCROLL CURSOR FOR ${sql}`)
  const fetch = () => client.query<unknown[]>({ text: `FETCH FORWARD ${ROWS_A_FETCH} FROM batches`, rowMode: 'array' })
  let { rows } = await fetch()
  while (rows.length > 0) {
    const next = fetch()
    // If receiving throws, the transaction is given up, and with it what is under way.
    next.catch(() => undefined)
    receive(rows)
    rows = (await next).rows
  }
  await client.query('CLOSE batches')
}
