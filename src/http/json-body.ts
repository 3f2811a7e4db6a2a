import { isUtf8 } from 'node:buffer'
import type { FastifyInstance } from 'fastify'
import { DomainError } from '../errors.ts'
import { isKeepable } from '../text.ts'
import { invalidRequest, pointerToken } from './invalid-request.ts'

/** More than any body that we know what to do with. */
const MAX_DEPTH = 16

/**
 * Takes JSON bodies and no others, read so that what is checked is what was sent: UTF-8 to the letter, no member name
 * twice in one object, no half surrogates (I-JSON, RFC 7493), and, outside of questions about policy, no NUL. Members
 * named `__proto__` are members like any other: no schema knows them.
 *
 * Batches of checks are spared the search for repeated names, which would cost as much as answering them: there the
 * last one holds.
 */
export function acceptJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    if (body.length === 0) {
      done(null, undefined)
      return
    }
    const { access, batch } = request.routeOptions.config
    const asking = typeof access === 'object' && 'scope' in access && access.scope === 'check'
    try {
      done(null, readJson(body as Buffer, { asking, batch: batch === true }))
    } catch (error) {
      done(error as Error, undefined)
    }
  })
}

/**
 * What a body says.
 *
 * @param asking it is a question about policy: then NUL may be in it, of which every name is simply unknown
 * @param batch it is a batch of questions, spared the search for repeated names
 * @throws DomainError `malformed-json`, `invalid-request`
 */
export function readJson(body: Buffer, { asking, batch }: { asking: boolean; batch: boolean }): unknown {
  if (!isUtf8(body)) throw new DomainError('malformed-json', 'the body is not UTF-8')
  return strictJson(body.toString(), { asking, batch, what: 'the body' })
}

/**
 * Reads JSON as {@link acceptJsonBodies} does, from wherever it comes; `what` is how faults call the text.
 *
 * @throws DomainError `malformed-json`, `invalid-request`
 */
export function strictJson(text: string, { asking = false, batch = false, what = 'the text' }): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw syntaxFault(cause, what)
  }
  if (!batch && hasRepeatedMember(value, text)) {
    throw new DomainError('malformed-json', 'a member name stands twice in one object')
  }
  if (text.includes('\\u')) refuseUnkeepable(value, asking, '', 0)
  return value
}

/** V8 quotes the text in some of its messages; only the place is worth telling. */
function syntaxFault(cause: unknown, what: string): DomainError {
  const place = /position (\d+)/.exec(cause instanceof Error ? cause.message : '')
  const detail = place ? `${what} stops being JSON at character ${place[1]}` : `${what} is not JSON`
  return new DomainError('malformed-json', detail, { cause })
}

/** Did a member name stand twice in one object? Every member has a colon, so where there are no more of them, none did. */
function hasRepeatedMember(value: unknown, text: string): boolean {
  const counted = countedMembers(value, 0)
  return counted !== colonsIn(text) && counted !== writtenMembers(text)
}

/** Member names in the parsed value: one for each that survived. */
function countedMembers(value: unknown, depth: number): number {
  if (typeof value !== 'object' || value === null) return 0
  refuseDepth(depth)
  let count = 0
  if (Array.isArray(value)) {
    for (const child of value) count += countedMembers(child, depth + 1)
    return count
  }
  // Parsed JSON inherits nothing that would be seen here.
  for (const name in value) count += 1 + countedMembers((value as Record<string, unknown>)[name], depth + 1)
  return count
}

function colonsIn(text: string): number {
  let count = 0
  for (let at = text.indexOf(':'); at !== -1; at = text.indexOf(':', at + 1)) count += 1
  return count
}

/** JSON.parse nests without end; what walks its result must not. */
function refuseDepth(depth: number): void {
  if (depth >= MAX_DEPTH) throw new DomainError('invalid-request', `this nests deeper than ${MAX_DEPTH} levels`)
}

/** Member names in valid JSON text: strings that a colon follows. */
function writtenMembers(text: string): number {
  let count = 0
  let opening = text.indexOf('"')
  while (opening !== -1) {
    const closing = closingQuote(text, opening)
    let next = closing + 1
    while (text.charCodeAt(next) <= 0x20) next++
    if (text[next] === ':') count++
    opening = text.indexOf('"', closing + 1)
  }
  return count
}

function closingQuote(text: string, opening: number): number {
  let quote = text.indexOf('"', opening + 1)
  while (isEscaped(text, quote)) quote = text.indexOf('"', quote + 1)
  return quote
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0
  while (text[at - 1 - backslashes] === '\\') backslashes++
  return backslashes % 2 === 1
}

/** Only escapes can bring such characters into JSON that is UTF-8, so only bodies with escapes are searched. */
function refuseUnkeepable(value: unknown, asking: boolean, pointer: string, depth: number): void {
  if (typeof value === 'string') {
    if (!isKeepable(asking ? value.replaceAll('\0', '') : value)) throw unkeepable(pointer)
    return
  }
  if (typeof value !== 'object' || value === null) return
  refuseDepth(depth)
  for (const [name, child] of Object.entries(value)) {
    if (!isKeepable(name)) throw unkeepable(pointer)
    refuseUnkeepable(child, asking, `${pointer}/${pointerToken(name)}`, depth + 1)
  }
}

function unkeepable(pointer: string): DomainError {
  return invalidRequest([{ pointer, detail: 'must not hold NUL or half a surrogate pair' }])
}
