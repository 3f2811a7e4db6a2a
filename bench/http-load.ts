/** One request ready to be sent, and what the answer must say. */
export type Exchange = { text: string; expected: Expectation }
/** 'any': only the status is looked at; a list: the answers of a batch in their order. */
export type Expectation = boolean | boolean[] | 'any'
/** How to find the decision in an answer's body. */
export type AnswerShape = 'gatehouse' | 'gatehouse-batch' | 'cerbos'

/**
 * What the load process is told: once what to send to whom; then to send each request once, or for some time, as often
 * as wanted.
 */
export type LoadOrder =
  | { kind: 'prepare'; name: string; port: number; pid: number; shape: AnswerShape; exchanges: Exchange[] }
  | { kind: 'run'; name: string; connections: number; seconds: number | 'each once' }

/** One round, measured from the moment when every connection has had an answer. */
export type Round = {
  requests: number
  seconds: number
  serverCpuSeconds: number
  loadCpuSeconds: number
  /** Milliseconds. */
  latency: { p50: number; p99: number }
  wrong: number
  /** The first wrong answers, for a person to look at. */
  faults: string[]
}

/** The text of a POST with a JSON body on a connection that stays open. */
export const postText = (path: string, body: unknown, headers: Record<string, string> = {}): string =>
  requestText('POST', path, body, headers)

/** The text of a request on a connection that stays open; the body goes as JSON. */
export function requestText(method: string, path: string, body: unknown, headers: Record<string, string>): string {
  const text = body === undefined ? '' : JSON.stringify(body)
  const lines = [
    `${method} ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    ...(body === undefined ? [] : ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(text)}`]),
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ]
  return `${lines.join('\r\n')}\r\n\r\n${text}`
}
