import { Type } from 'typebox'

/** The answer of a write that leaves nothing to show. */
export const Revision = Type.Object({
  revision: Type.Integer({ description: 'The revision at which the write is in force; send it as `atLeastRevision`' }),
})
