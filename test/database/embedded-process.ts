import pg from 'pg'
import { startEmbeddedPostgres } from '../../src/database/embedded-postgres.ts'

/**
 * A process that uses the embedded server in the folder of its first argument: it prints one line once it can, stops
 * when its standard input ends, and prints another line. With `write` it first makes a table, adds a committed row a
 * line printed, and holds a transaction open meanwhile.
 */
const [dataDir = '', task] = process.argv.slice(2)
const say = (words: object) => process.stdout.write(`${JSON.stringify(words)}\n`)

const server = await startEmbeddedPostgres({ dataDir, durable: task === 'write' })
const clients: pg.Client[] = []
if (task === 'write') {
  const [writer, holder] = [new pg.Client(server.connection), new pg.Client(server.connection)]
  clients.push(writer, holder)
  for (const client of clients) await client.connect()
  await writer.query('CREATE TABLE kept (n integer)')
  await holder.query('BEGIN; INSERT INTO kept SELECT -i FROM generate_series(1, 10000) i')
  say({ joined: server.joined, ...server.connection })
  for (let n = 1; ; n += 1) {
    await writer.query('INSERT INTO kept VALUES ($1)', [n])
    say({ acknowledged: n })
  }
}
say({ joined: server.joined, ...server.connection })
process.stdin.on('end', async () => {
  await server.stop()
  say({ stopped: true })
})
process.stdin.resume()
