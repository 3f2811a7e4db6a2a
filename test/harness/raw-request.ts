import { connect } from 'node:net'

/** What came back on a connection: the status, the headers by lower-case name, and the body as text. */
export type RawAnswer = { status: number; headers: Record<string, string>; body: string }

/** Sends bytes as they are and gives the first answer, for requests that no client would send. */
export function rawRequest(url: string, text: string): Promise<RawAnswer> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(text))
    let received = ''
    socket.setEncoding('utf8')
    socket.on('data', (chunk) => {
      received += chunk
      const answer = answerIn(received)
      if (answer === undefined) return
      socket.destroy()
      resolve(answer)
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`the connection was closed after ${JSON.stringify(received)}`)))
  })
}

function answerIn(received: string): RawAnswer | undefined {
  const end = received.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const [start = '', ...lines] = received.slice(0, end).split('\r\n')
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  )
  const body = received.slice(end + 4)
  if (Buffer.byteLength(body) < Number(headers['content-length'] ?? 0)) return undefined
  return { status: Number(start.split(' ')[1]), headers, body }
}
