/**
 * Where a page begins: after the row that has this value under the sort key, and among rows of equal value this id.
 *
 * `value` must be exact as the database compares it: a timestamp goes in as the database's own text, since a JavaScript
 * date drops the microseconds and would skip or repeat rows.
 */
export type Place = { value: string | number; id: number }

/**
 * What a store needs to read one page: `limit` rows are shown, so it reads `limit + 1` to know whether more follow,
 * ordered by `sort` and then by id, both `descending` or both ascending, strictly after `after`.
 */
export type PageRequest<Sort extends string = string> = {
  limit: number
  sort: Sort
  descending: boolean
  after: Place | null
}
