import { setImmediate as breathe } from 'node:timers/promises'
import type { FieldFault } from '../errors.ts'
import { invalidRequest } from './invalid-request.ts'
import { MAX_FAULTS } from './problem-schemas.ts'
import type { SchemaCheck } from './schema-check.ts'

/** A list that may be longer is checked piece by piece. */
const SHORT_LIST = 10_000
/** Items between two pauses: a few milliseconds' worth. */
const PIECE = 2000

type ObjectSchema = { properties?: Record<string, { maxItems?: number; items?: object }> }
type LongList = { name: string; around: object; item: object }

/** The field of a body that may be a long list, with the schemas of its items and of all that is around them. */
export function longListIn(schema: unknown): LongList | undefined {
  const { properties = {} } = schema as ObjectSchema
  for (const [name, { items, ...list }] of Object.entries(properties)) {
    if (items === undefined || (list.maxItems ?? 0) <= SHORT_LIST) continue
    return { name, item: items, around: { ...(schema as object), properties: { ...properties, [name]: list } } }
  }
  return undefined
}

/**
 * Checks a body that is a long list, and lets others be answered in between. A refused one is told as many faults as a
 * problem shows: to look for all of them took six seconds and 500 MB for 100,000 items that were wrong alike.
 *
 * Resolves when the body is valid. @throws DomainError `invalid-request`
 */
export const piecewiseCheck =
  (name: string, around: SchemaCheck, item: SchemaCheck) =>
  async (body: unknown): Promise<true> => {
    if (!around.accepts(body)) throw invalidRequest(around.faultsIn(body))
    const items = (body as Record<string, unknown[]>)[name] ?? []
    const faults: FieldFault[] = []
    for (let start = 0; start < items.length && faults.length <= MAX_FAULTS; start += PIECE) {
      faults.push(...faultsOfPiece(items.slice(start, start + PIECE), item, (at) => `/${name}/${start + at}`))
      await breathe()
    }
    if (faults.length > 0) throw invalidRequest(faults, faults.length <= MAX_FAULTS)
    return true
  }

/** At least one more than a problem shows, where there are so many. */
function faultsOfPiece(piece: readonly unknown[], item: SchemaCheck, pointerTo: (at: number) => string): FieldFault[] {
  const faults: FieldFault[] = []
  for (const [at, value] of piece.entries()) {
    if (item.accepts(value)) continue
    for (const { pointer, detail } of item.faultsIn(value)) faults.push({ pointer: pointerTo(at) + pointer, detail })
    if (faults.length > MAX_FAULTS) break
  }
  return faults
}
