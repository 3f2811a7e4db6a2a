import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { performance } from 'node:perf_hooks'
import { Readable } from 'node:stream'
import type { FastifyInstance, preParsingHookHandler } from 'fastify'

/** A body that is larger goes the long way; a check without a list of objects takes a few hundred bytes. */
const LARGEST_BODY = 4096

/** How one route answers a plain request. */
export type PlainRoute = {
  path: string
  /**
   * The JSON text of the answer, which is a 200, in ASCII. `undefined`, or whatever it throws, leaves the request to the
   * route of that path: nothing may have been done that counts twice.
   */
  answer(body: Buffer, authorization: string | undefined): string | undefined
  /** Told of each answer, and how many seconds it took. */
  answered(seconds: number): void
}

/** Bodies that were read already, of requests that go the long way after all. */
const bodies = new WeakMap<IncomingMessage, Buffer>()

/**
 * Answers plain requests of one route before the framework sees them: a POST with a small JSON body and nothing in its
 * head that asks for more. Every other request, and every one that `answer` does not want, is the framework's, body and
 * all; so errors, limits and headers are in one place, and what is answered here is what the route would have answered.
 *
 * WHY: a check the framework's way, through hooks, parsers and reply, took 1.3 times the processor time of one this way;
 * see docs/performance.md.
 *
 * @param isLate whether requests are refused just now, which is the framework's to say
 */
export function answerPlainRequests(app: FastifyInstance, route: PlainRoute, isLate: () => boolean): void {
  const [framework] = app.server.listeners('request') as [RequestListener]
  let closing = false
  app.addHook('preClose', (done) => {
    closing = true
    done()
  })
  app.server.removeListener('request', framework)
  app.server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (request.url !== route.path || closing || isLate() || !isPlain(request)) framework(request, response)
    else answerWithBody(request, response, route, framework)
  })
}

/** Gives a route the body of a request that was read before it came to it. */
export const bodyReadBefore: preParsingHookHandler = ({ raw }, _reply, payload, done) => {
  const body = bodies.get(raw)
  done(null, body === undefined ? payload : Readable.from([body]))
}

function isPlain({ method, headers }: IncomingMessage): boolean {
  const type = headers['content-type']
  return (
    method === 'POST' &&
    (type === 'application/json' || type === 'application/json; charset=utf-8') &&
    Number(headers['content-length']) <= LARGEST_BODY &&
    headers['x-request-id'] === undefined
  )
}

function answerWithBody(
  request: IncomingMessage,
  response: ServerResponse,
  route: PlainRoute,
  framework: RequestListener,
): void {
  const receivedAt = performance.now()
  let body: Buffer | undefined
  request.on('data', (chunk: Buffer) => {
    body = body === undefined ? chunk : Buffer.concat([body, chunk])
  })
  request.on('end', () => {
    const whole = body ?? Buffer.alloc(0)
    const text = answerOf(route, whole, request.headers.authorization)
    if (text === undefined) {
      bodies.set(request, whole)
      framework(request, response)
      return
    }
    response.writeHead(200, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': text.length,
    })
    // WHY not `response.end(text)`: it hands the socket an empty second piece, and two pieces go out by a costlier call:
    // 2 µs of 22, on Node 20. Newer ones may spare that by themselves.
    const { socket } = response
    socket?.cork()
    response.write(text, 'latin1')
    socket?.uncork()
    response.end()
    route.answered((performance.now() - receivedAt) / 1000)
  })
}

function answerOf(route: PlainRoute, body: Buffer, authorization: string | undefined): string | undefined {
  try {
    return route.answer(body, authorization)
  } catch {
    // The framework's route meets the same fault, and knows how to say it.
    return undefined
  }
}
