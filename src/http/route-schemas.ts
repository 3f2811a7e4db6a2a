import { Type } from 'typebox'

/** The query string of a route that has no parameters: a misspelt one, or one meant for another route, is refused. */
export const NoQuery = Type.Object({}, { additionalProperties: false })

/** The answer of a write that leaves nothing to show. */
export const Revision = Type.Object({
  revision: Type.Integer({ description: 'The revision at which the write is in force; send it as `atLeastRevision`' }),
})
