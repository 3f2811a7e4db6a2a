import { type Static, Type } from 'typebox'
import { PROBLEMS, type ProblemCode } from '../errors.ts'

/** A hostile body can hold as many faults as bytes; the first hundred are enough to mend it by. */
export const MAX_FAULTS = 100

/** The body of every answer that is not a success (RFC 9457). */
export const Problem = Type.Object(
  {
    type: Type.String({ description: 'urn:gatehouse:problem:<code>', examples: ['urn:gatehouse:problem:not-found'] }),
    title: Type.String({ description: 'What this kind of problem is; the same for every problem of its code' }),
    status: Type.Integer({ description: 'The HTTP status of this answer' }),
    detail: Type.Optional(Type.String({ description: 'What is wrong with this request; never there for a 5xx fault' })),
    code: Type.Unsafe<ProblemCode>({
      type: 'string',
      enum: Object.keys(PROBLEMS),
      description: 'Stable: branch on it',
    }),
    instance: Type.String({ description: 'urn:gatehouse:request:<request id>, the id to look for in the log' }),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          pointer: Type.String({ description: 'JSON pointer (RFC 6901) into the body, or `?name` for a parameter' }),
          detail: Type.String(),
        }),
        { description: `Every fault that was found in the request, at most ${MAX_FAULTS}` },
      ),
    ),
  },
  { $id: 'Problem', description: 'A problem (RFC 9457)' },
)
export type Problem = Static<typeof Problem>
