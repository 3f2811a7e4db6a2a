import { Agent, request } from 'node:http'

/** An answer; `body` is its JSON, or its text where it is none. */
// biome-ignore lint/suspicious/noExplicitAny: what a test expects of a body, its assertions say
export type Answer = { status: number; body: any }

/** Asks one service with one key. */
export type Client = {
  ask(method: string, path: string, body?: unknown): Promise<Answer>
  /** Gives its connections up. */
  end(): void
}

/**
 * Connections are kept and used again, or, with `fresh`, made for each request. A request fails that is not answered
 * within `patienceMs`.
 */
export function client(url: string, key: string, { fresh = false, patienceMs = 60_000 } = {}): Client {
  const agent = new Agent({ keepAlive: !fresh })
  const ask: Client['ask'] = (method, path, body) =>
    new Promise((resolve, reject) => {
      const text = body === undefined ? '' : JSON.stringify(body)
      const headers = {
        authorization: `Bearer ${key}`,
        ...(body !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
      }
      const sent = request(url + path, { method, agent, headers }, (answer) => {
        let heard = ''
        answer.setEncoding('utf8')
        answer.on('data', (part) => (heard += part))
        answer.on('error', reject)
        answer.on('end', () => {
          const isJson = /json/.test(answer.headers['content-type'] ?? '')
          resolve({ status: answer.statusCode ?? 0, body: isJson ? JSON.parse(heard) : heard })
        })
      })
      sent.on('error', reject)
      sent.setTimeout(patienceMs, () => sent.destroy(new Error(`no answer to ${method} ${path}`)))
      sent.end(text)
    })
  return { ask, end: () => agent.destroy() }
}
