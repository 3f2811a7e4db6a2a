import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyBaseLogger, FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { DomainError, PROBLEMS, type ProblemCode } from '../errors.ts'
import { STATIC_HEADERS } from './headers.ts'
import { MAX_FAULTS, type Problem } from './problem-schemas.ts'
import { newRequestId } from './request-id.ts'

const MEDIA_TYPE = 'application/problem+json'
const RETRY_AFTER_SECONDS = 1
const REFUSAL_LOG_INTERVAL_MS = 1000

/** What Fastify calls its own faults; every other one of its 4xx is an `invalid-request`. */
const FASTIFY_FAULTS: Record<string, { code: ProblemCode; detail: string }> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: { code: 'unsupported-media-type', detail: 'send the body as application/json' },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: { code: 'invalid-request', detail: 'the body is not as long as was announced' },
  FST_ERR_BAD_URL: { code: 'invalid-request', detail: 'the address is not a well-formed URL' },
  FST_ERR_MAX_PARAM_LENGTH: { code: 'invalid-request', detail: 'a part of the address is too long' },
}

/** What Node's parser says of a request that never became one. */
const PARSER_FAULTS: Record<string, { code: ProblemCode; detail: string }> = {
  HPE_HEADER_OVERFLOW: { code: 'header-too-large', detail: 'request line and headers may take 16 KiB together' },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: { code: 'body-too-large', detail: 'the chunk extensions are too large' },
  ERR_HTTP_REQUEST_TIMEOUT: { code: 'request-timeout', detail: 'the request did not arrive in time' },
}

/** Tells what a fault is to a caller; logs one of ours, and sets the header that says when to try again. */
export type FaultReader = (error: unknown, request: FastifyRequest, reply: FastifyReply) => DomainError

/**
 * The one place that says what a fault is to a caller. One that is neither ours nor the request's is logged, once, with
 * the id that the caller is shown.
 *
 * @param problemOf makes a DomainError of what another part throws, where it knows one for it
 */
export function faultReader(log: FastifyBaseLogger, problemOf: (error: unknown) => unknown): FaultReader {
  return (error, request, reply) => {
    const fault = bodyTooLarge(error, request) ?? domainErrorOf(problemOf(error))
    const { status } = PROBLEMS[fault.code]
    if (status >= 500) logFault(log, fault, request)
    const retryAfter = fault.retryAfterSeconds ?? (status === 503 ? RETRY_AFTER_SECONDS : undefined)
    if (retryAfter !== undefined) reply.header('retry-after', String(retryAfter))
    return fault
  }
}

/** Answers with the problem that a fault is; its status follows from its code. */
export function problemGate(faultOf: FaultReader) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const fault = faultOf(error, request, reply)
    return reply
      .code(PROBLEMS[fault.code].status)
      .headers(STATIC_HEADERS)
      .header('x-request-id', request.id)
      .header('content-type', MEDIA_TYPE)
      .send(JSON.stringify(bodyOf(fault, request.id)))
  }
}

/** Answers on the socket of a request that Node's parser gave up on, and closes it. */
export function sendParserProblem(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const { code, detail } = PARSER_FAULTS[error.code ?? ''] ?? {
    code: 'invalid-request',
    detail: 'this is not a well-formed HTTP/1.1 request',
  }
  const { status } = PROBLEMS[code]
  const requestId = newRequestId()
  const body = JSON.stringify(bodyOf(new DomainError(code, detail), requestId))
  const headers = {
    ...STATIC_HEADERS,
    'x-request-id': requestId,
    'content-type': MEDIA_TYPE,
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  }
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head.join('')}\r\n${body}`)
}

/** The body of the answer; a fault of the service tells nothing but the request's id. */
function bodyOf({ code, message, faults, extension }: DomainError, requestId: string): Problem {
  const { status, title } = PROBLEMS[code]
  return {
    ...extension,
    type: `urn:gatehouse:problem:${code}`,
    title,
    status,
    ...(status < 500 && { detail: message }),
    code,
    instance: `urn:gatehouse:request:${encodeURI(requestId)}`,
    ...(status < 500 && faults.length > 0 && { errors: faults.slice(0, MAX_FAULTS) }),
  }
}

/** Names the bound, which differs between addresses. */
function bodyTooLarge(error: unknown, { routeOptions }: FastifyRequest): DomainError | undefined {
  if (!(error instanceof Error && 'code' in error && error.code === 'FST_ERR_CTP_BODY_TOO_LARGE')) return undefined
  const bound = routeOptions.bodyLimit?.toLocaleString('en')
  return new DomainError('body-too-large', `a body here may have at most ${bound} bytes`, { cause: error })
}

/** Ours → Fastify's own 4xx → `internal`. Faults found by validation come as ours already, see `validator.ts`. */
function domainErrorOf(error: unknown): DomainError {
  if (error instanceof DomainError) return error
  const { code = '', statusCode = 500 } = error instanceof Error ? (error as Partial<FastifyError>) : {}
  const known = FASTIFY_FAULTS[code]
  if (known) return new DomainError(known.code, known.detail, { cause: error })
  if (statusCode === 404) return new DomainError('not-found', 'there is nothing at this address', { cause: error })
  if (statusCode >= 400 && statusCode < 500) {
    return new DomainError('invalid-request', 'the request could not be read', { cause: error })
  }
  return new DomainError('internal', 'not shown', { cause: error })
}

const refusalLoggedAt = new Map<ProblemCode, number>()

/** Refusals (503) come in floods, just when there is no time for logging: one line a second for each kind. */
function logFault(log: FastifyBaseLogger, fault: DomainError, { id, method, url }: FastifyRequest): void {
  const { code, message, cause, faults } = fault
  const where = { code, requestId: id, method, path: url.split('?', 1)[0] }
  if (code === 'internal') {
    log.error({ ...where, err: cause ?? fault, ...(faults.length > 0 && { faults }) }, 'request failed')
    return
  }
  const now = Date.now()
  if (now - (refusalLoggedAt.get(code) ?? 0) < REFUSAL_LOG_INTERVAL_MS) return
  refusalLoggedAt.set(code, now)
  log.warn({ ...where, ...(cause !== undefined && { err: cause }) }, `request refused: ${message}`)
}
