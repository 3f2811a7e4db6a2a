import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Test } from 'tap'

/** What is done with what passes: handed on, late, dropped, or the connection refused. */
type Way = 'open' | 'swallow' | 'refuse'
type Pair = { client: Socket; server: Socket; listens: boolean; swallowed: boolean }

/** A way to a database that can be made bad: a TCP proxy in front of it. */
export type Proxy = {
  /** URL of the same database through the proxy. */
  url: string
  /** Breaks all connections off; new ones are let through. */
  cut(): void
  /** Breaks all connections off, and refuses new ones until {@link Proxy.open}. */
  refuse(): void
  /** From now on, whatever is sent either way disappears, and nobody is told; also what new connections send. */
  swallow(): void
  /** The same, of those connections only that listen for notices, and only those that are there now. */
  swallowListeners(): void
  /** Each piece of data takes so much longer, either way. */
  delay(ms: number): void
  /** Breaks the connection that answers next off in the middle of its answer; those that listen answer nothing. */
  cutNextAnswer(): void
  /** New connections are good again; what was lost on the others stays lost. */
  open(): void
}

/** Puts a proxy in front of the database at this URL; it ends with the test. */
export async function proxyTo(t: Test, databaseUrl: string): Promise<Proxy> {
  const target = targetOf(databaseUrl)
  const pairs = new Set<Pair>()
  const state = { way: 'open' as Way, delayMs: 0, cutting: false }
  const end = ({ client, server }: Pair) => {
    client.destroy()
    server.destroy()
  }
  const server = createServer((client) => {
    if (state.way === 'refuse') return void client.destroy()
    const pair: Pair = { client, server: connect(target), listens: false, swallowed: state.way === 'swallow' }
    pairs.add(pair)
    for (const socket of [client, pair.server]) {
      socket.on('error', () => undefined)
      socket.on('close', () => {
        // Of what happens at one end of a way that swallows everything, the other end hears nothing.
        if (pair.swallowed) return
        pairs.delete(pair)
        end(pair)
      })
    }
    client.on('data', (data) => {
      if (data.includes('LISTEN ')) pair.listens = true
      pass(pair, data, pair.server)
    })
    pair.server.on('data', (data) => {
      if (!state.cutting || pair.listens) return pass(pair, data, client)
      state.cutting = false
      client.write(data.subarray(0, Math.ceil(data.length / 2)), () => end(pair))
    })
  })
  const pass = (pair: Pair, data: Buffer, to: Socket) => {
    if (pair.swallowed) return
    const hand = () => void (pair.swallowed || to.destroyed || to.write(data))
    if (state.delayMs > 0) setTimeout(hand, state.delayMs)
    else hand()
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const pair of pairs) end(pair)
    server.close()
  })
  const cut = () => {
    for (const pair of pairs) end(pair)
  }
  const set = (way: Way) => {
    state.way = way
  }
  return {
    url: throughPort(databaseUrl, (server.address() as AddressInfo).port),
    cut,
    refuse() {
      set('refuse')
      cut()
    },
    swallow() {
      set('swallow')
      for (const pair of pairs) pair.swallowed = true
    },
    swallowListeners() {
      for (const pair of pairs) pair.swallowed ||= pair.listens
    },
    delay(ms) {
      state.delayMs = ms
    },
    cutNextAnswer() {
      state.cutting = true
    },
    open() {
      set('open')
      state.delayMs = 0
    },
  }
}

const parsed = (databaseUrl: string) => new URL(databaseUrl.replace('@/', '@localhost/'))

/** A server by its address, or by the folder of its Unix socket. */
function targetOf(databaseUrl: string): { path: string } | { host: string; port: number } {
  const { hostname, port, searchParams } = parsed(databaseUrl)
  const folder = searchParams.get('host')
  if (folder !== null) return { path: `${folder}/.s.PGSQL.${searchParams.get('port') ?? 5432}` }
  return { host: hostname, port: Number(port || 5432) }
}

function throughPort(databaseUrl: string, port: number): string {
  const { username, password, pathname } = parsed(databaseUrl)
  const secret = password === '' ? '' : `:${password}`
  return `postgres://${username}${secret}@127.0.0.1:${port}${pathname}`
}
