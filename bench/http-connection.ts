import { connect, type Socket } from 'node:net'

const HEAD_END = Buffer.from('\r\n\r\n')

/** One answer: its status and its body as text. */
export type Answer = { status: number; body: string }

/**
 * One connection, one request at a time: the cheapest client that still reads every answer, because what it costs it
 * takes from the servers on the same cores. Answers without a Content-Length are a fault.
 */
export class HttpConnection {
  private readonly socket: Socket
  private received: Buffer = Buffer.alloc(0)
  private waiting: { resolve: (answer: Answer) => void; reject: (cause: Error) => void } | undefined

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk) => this.onData(chunk))
    socket.on('error', (cause) => this.fail(cause))
    socket.on('close', () => this.fail(new Error('the server closed the connection')))
  }

  /** Connects to a port on loopback. */
  static open(port: number): Promise<HttpConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true }, () => resolve(new HttpConnection(socket)))
      socket.once('error', reject)
    })
  }

  /** Sends one request; rejects when the connection breaks or the answer cannot be read. */
  exchange(request: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject }
      this.socket.write(request)
    })
  }

  /** Breaks the connection. */
  close(): void {
    this.socket.destroy()
  }

  private onData(chunk: Buffer): void {
    this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk])
    const headEnd = this.received.indexOf(HEAD_END)
    if (headEnd < 0) return
    const head = this.received.toString('latin1', 0, headEnd)
    const length = /content-length: *(\d+)/i.exec(head)?.[1]
    if (length === undefined) {
      this.fail(new Error(`an answer without Content-Length: ${head}`))
      return
    }
    const bodyStart = headEnd + HEAD_END.length
    const end = bodyStart + Number(length)
    if (this.received.length < end) return
    const answer = { status: Number(head.slice(9, 12)), body: this.received.toString('utf8', bodyStart, end) }
    this.received = this.received.subarray(end)
    const { waiting } = this
    this.waiting = undefined
    waiting?.resolve(answer)
  }

  private fail(cause: Error): void {
    this.waiting?.reject(cause)
    this.waiting = undefined
  }
}
