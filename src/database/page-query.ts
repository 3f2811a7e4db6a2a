import type { ObjectLiteral, SelectQueryBuilder } from 'typeorm'
import type { PageRequest } from '../page.ts'

/**
 * Reads one page, and one row more to tell whether another page follows, through the keyset of the sort key and the id:
 * rows that come or go between two pages are neither repeated nor skipped over.
 *
 * SAFETY: `page.sort` becomes part of the SQL and must be one of an allow-listed set of property names.
 */
export function readPage<Row extends ObjectLiteral>(
  query: SelectQueryBuilder<Row>,
  { limit, sort, descending, after }: PageRequest,
): Promise<Row[]> {
  const [key, id] = [`${query.alias}.${sort}`, `${query.alias}.id`]
  const direction = descending ? 'DESC' : 'ASC'
  if (after !== null) {
    query.andWhere(`(${key}, ${id}) ${descending ? '<' : '>'} (:afterValue, :afterId)`, {
      afterValue: after.value,
      afterId: after.id,
    })
  }
  query.orderBy(key, direction)
  if (sort !== 'id') query.addOrderBy(id, direction)
  return query.limit(limit + 1).getMany()
}
