import { type Static, Type } from 'typebox'
import { REASON_CODES } from './reasons.ts'

/** At most so many objects in one check, and so many in all checks of a batch together. */
export const MAX_OBJECTS = 1000
export const MAX_OBJECTS_IN_BATCH = 100_000
/** At most so many checks in one batch. */
export const MAX_CHECKS = 10_000

// WHY one type list instead of anyOf: the compiled check of 1,000 checks took 95 µs so, 118 µs with alternatives.
const UserRef = Type.Unsafe<string | number | null>({
  type: ['string', 'integer', 'null'],
  description: 'Login name, exactly; or id, a number; or null for the anonymous user',
})

const ObjectRef = Type.Object(
  {
    creator: UserRef,
    importer: Type.Optional(
      Type.Unsafe<string | number>({
        type: ['string', 'integer'],
        description: 'Login name or id of whoever imported the object; left out where nobody did',
      }),
    ),
  },
  { additionalProperties: false, description: 'A piece of data, known by its creator and importer (D9)' },
)

const QUESTION = {
  user: UserRef,
  project: Type.Integer({ description: 'Id of the project' }),
  permission: Type.String({ description: 'One of the seven permissions; any other name is denied' }),
  object: Type.Optional(ObjectRef),
  objects: Type.Optional(
    Type.Array(ObjectRef, {
      minItems: 1,
      maxItems: MAX_OBJECTS,
      description: 'Several objects, all of which must be editable; in place of `object`',
    }),
  ),
  via: Type.Optional(
    Type.Unsafe<'session' | 'token'>({
      type: 'string',
      enum: ['session', 'token'],
      description:
        'How the user came to the caller (D8); left out: by session, and in person as the credential that is sent',
    }),
  ),
}

const atLeastRevision = Type.Optional(
  Type.Integer({ minimum: 0, description: 'Answer from this revision or a later one, or 503' }),
)

/** The body of `POST /check`. */
export const CheckBody = Type.Object({ ...QUESTION, atLeastRevision }, { additionalProperties: false })
export type CheckBody = Static<typeof CheckBody>

/** The query of `POST /check`. */
export const CheckQuery = Type.Object(
  { explain: Type.Optional(Type.Boolean({ default: false, description: 'Tell the reason, and what made it' })) },
  { additionalProperties: false },
)

const Question = Type.Partial(Type.Object(QUESTION), { additionalProperties: false })

/** The body of `POST /checks`: what stands beside `checks` is the default of each. */
export const ChecksBody = Type.Object(
  { ...Question.properties, atLeastRevision, checks: Type.Array(Question, { maxItems: MAX_CHECKS }) },
  { additionalProperties: false },
)
export type ChecksBody = Static<typeof ChecksBody>

const revision = Type.Integer({ description: 'The policy revision that was decided from' })

export const NamedGrant = Type.Object({
  id: Type.Union([Type.Integer(), Type.Null()], { description: 'Id of the grant; null for a rule in policies/' }),
  rule: Type.Union([Type.String(), Type.Null()], { description: 'File and line of a rule in policies/' }),
  principal: Type.Object({
    type: Type.Unsafe<'user' | 'group' | 'role'>({ type: 'string', enum: ['user', 'group', 'role'] }),
    id: Type.Union([Type.Integer(), Type.Null()]),
    name: Type.String(),
  }),
  permission: Type.String(),
  effect: Type.Unsafe<'allow' | 'deny'>({ type: 'string', enum: ['allow', 'deny'] }),
})

/** The answer of `POST /check`. */
export const CheckAnswer = Type.Object(
  {
    allowed: Type.Boolean(),
    revision,
    reason: Type.Optional(
      Type.Object(
        {
          code: Type.Unsafe<(typeof REASON_CODES)[number]>({ type: 'string', enum: [...REASON_CODES] }),
          text: Type.String({ description: 'The reason in words' }),
          grants: Type.Array(NamedGrant, { description: 'The grants and rules that made the decision' }),
          missing: Type.Array(Type.String(), { description: 'What an allow would need' }),
        },
        { description: 'Only when asked to explain' },
      ),
    ),
  },
  { description: 'The decision; a denial is 200 too' },
)

/** The answer of `POST /checks`. */
export const ChecksAnswer = Type.Object(
  { revision, results: Type.Array(Type.Object({ allowed: Type.Boolean() })) },
  { description: 'The decisions, in the order of the checks, all from one revision' },
)
