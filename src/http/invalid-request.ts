import { DomainError, type FieldFault } from '../errors.ts'

/**
 * The problem of a request that does not fit its schema; the detail tells the first fault. Not `complete`: nobody looked
 * for more faults than these.
 */
export function invalidRequest(faults: FieldFault[], complete = true): DomainError {
  const [first] = faults
  const detail = first ? `${first.pointer || 'the body'} ${first.detail}` : 'the request does not fit its schema'
  const more = faults.length > 1 ? `, and ${complete ? '' : 'at least '}${faults.length - 1} more` : ''
  return new DomainError('invalid-request', detail + more, { faults })
}

/** One reference token of a JSON pointer (RFC 6901); a name that a caller made up is not repeated at any length. */
export const pointerToken = (name: string) => name.slice(0, 100).replaceAll('~', '~0').replaceAll('/', '~1')
