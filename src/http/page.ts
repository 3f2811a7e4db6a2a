import { createHash } from 'node:crypto'
import { type TProperties, type TSchema, Type } from 'typebox'
import { DomainError } from '../errors.ts'
import type { PageRequest, Place } from '../page.ts'
import { isKeepable } from '../text.ts'

const DEFAULT_LIMIT = 50
const MAX_LIMIT = 200
/** Longer than any cursor we give out: names are bounded, and so is a cursor that holds one. */
const MAX_CURSOR_LENGTH = 4096
const DIGEST_LENGTH = 22

type ListRequest = { url: string; query: unknown }
type ListQuery = { limit?: number; sort?: string; cursor?: string }

/**
 * The keys that a list sorts by, the first by default, and what kind of column each is: a cursor whose value does not
 * fit is refused before a database sees it. `time` is a timestamp in the database's own text or RFC 3339.
 */
export type SortKeys = { readonly id: 'integer' | 'bigint'; readonly [key: string]: SortKind }
type SortKind = keyof typeof FITS

const isWhole = (value: unknown, largest: number) => Number.isInteger(value) && Math.abs(Number(value)) <= largest
const isText = (value: unknown) => typeof value === 'string' && isKeepable(value)
const TIME = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d(:?\d\d)?)$/
const FITS = {
  integer: (value: unknown) => isWhole(value, 2 ** 31 - 1),
  bigint: (value: unknown) => isWhole(value, Number.MAX_SAFE_INTEGER),
  text: isText,
  time: (value: unknown) => typeof value === 'string' && TIME.test(value) && Number.isFinite(Date.parse(value)),
} as const satisfies Record<string, (value: unknown) => boolean>

/**
 * The query string of a list: `limit`, `cursor`, `sort` (one of `sorts`, with `-` before it descending; the first is
 * the default) and the exact filters of that list. Anything else is refused.
 */
export function pageQuery<Sorts extends SortKeys, Filters extends TProperties>(sorts: Sorts, filters: Filters) {
  const keys = Object.keys(sorts)
  return Type.Object(
    {
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT })),
      cursor: Type.Optional(
        Type.String({ maxLength: MAX_CURSOR_LENGTH, description: '`nextCursor` of the page before this one' }),
      ),
      sort: Type.Optional(
        Type.Unsafe<SortName<Sorts> | `-${SortName<Sorts>}`>({
          type: 'string',
          enum: keys.flatMap((key) => [key, `-${key}`]),
          default: keys[0],
          description: 'The key to sort by; `-` before it sorts descending',
        }),
      ),
      ...filters,
    },
    { additionalProperties: false },
  )
}

/** The names of the keys of a list. */
export type SortName<Sorts extends SortKeys> = Extract<keyof Sorts, string>

/** The answer of a list: its rows, and the cursor of the next page or null on the last one. */
export function pageSchema<Row extends TSchema>(row: Row) {
  return Type.Object({
    items: Type.Array(row),
    nextCursor: Type.Union([Type.String(), Type.Null()], { description: 'null on the last page' }),
  })
}

/**
 * What the validated query of a list asks for.
 *
 * @throws DomainError `invalid-cursor` when the cursor is not one that this list gave out for this sort and these
 *   filters
 */
export function pageRequestOf<Sorts extends SortKeys>(
  request: ListRequest,
  sorts: Sorts,
): PageRequest<SortName<Sorts>> {
  const query = request.query as ListQuery
  const asked = query.sort ?? String(Object.keys(sorts)[0])
  const descending = asked.startsWith('-')
  const sort = (descending ? asked.slice(1) : asked) as SortName<Sorts>
  if (!Object.hasOwn(sorts, sort)) throw new DomainError('invalid-request', `this list does not sort by ${asked}`)
  const { cursor, limit = DEFAULT_LIMIT } = query
  return {
    limit,
    sort,
    descending,
    after: cursor === undefined ? null : placeIn(cursor, listDigest(request, asked), sorts, sort),
  }
}

/**
 * Makes the answer of a list from the up to `limit + 1` rows that the store read.
 *
 * @param placed the row's value under the sort key that the page was asked with, exact as {@link Place} says
 */
export function pageOf<Row extends { id: number }>(
  request: ListRequest,
  page: PageRequest,
  rows: readonly Row[],
  placed: (row: Row) => Place['value'],
): { items: Row[]; nextCursor: string | null } {
  const items = rows.slice(0, page.limit)
  const last = items.at(-1)
  if (rows.length <= page.limit || last === undefined) return { items, nextCursor: null }
  const asked = page.descending ? `-${page.sort}` : page.sort
  return { items, nextCursor: cursorOf({ value: placed(last), id: last.id }, listDigest(request, asked)) }
}

/** What a cursor is bound to: the list (its path), the sort and the filters, not the size of the page. */
function listDigest({ url, query }: ListRequest, sort: string): string {
  const { limit: _limit, cursor: _cursor, sort: _sort, ...filters } = query as ListQuery & Record<string, unknown>
  const ordered = Object.entries(filters).sort(([a], [b]) => (a < b ? -1 : 1))
  return digest(JSON.stringify([url.split('?', 1)[0], sort, ordered]))
}

function cursorOf(place: Place, list: string): string {
  const text = JSON.stringify([place.value, place.id])
  return digest(list + text) + Buffer.from(text).toString('base64url')
}

/**
 * The digest is no secret, it only makes sure that what comes back is what went out: a place gives nothing that a
 * caller of the list could not ask for anyway.
 */
function placeIn(cursor: string, list: string, sorts: SortKeys, sort: string): Place {
  const place = parsed(Buffer.from(cursor.slice(DIGEST_LENGTH), 'base64url').toString())
  if (Array.isArray(place) && place.length === 2) {
    const [value, id] = place
    const fits = FITS[sorts[sort] ?? 'text'](value) && FITS[sorts.id](id)
    if (fits && cursor === cursorOf({ value, id }, list)) return { value, id }
  }
  throw new DomainError('invalid-cursor', 'send `nextCursor` back as it came, with the same sort and filters')
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const digest = (text: string) => createHash('sha256').update(text).digest('base64url').slice(0, DIGEST_LENGTH)
