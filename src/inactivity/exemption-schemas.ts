import { type Static, Type } from 'typebox'

const MAX_REASON_LENGTH = 1000
const INT32 = { minimum: -2_147_483_648, maximum: 2_147_483_647 } as const

/** The body that exempts a user. */
export const NewExemption = Type.Object(
  {
    reason: Type.String({ minLength: 1, maxLength: MAX_REASON_LENGTH }),
    until: Type.Optional(
      Type.Union([Type.String({ format: 'date-time', maxLength: 64 }), Type.Null()], {
        description: 'The exemption ends at this instant; null or left out: it has no end',
      }),
    ),
  },
  { additionalProperties: false },
)
export type NewExemption = Static<typeof NewExemption>

/** An exemption as the API shows it. */
export const Exemption = Type.Object({
  userId: Type.Integer(),
  reason: Type.String(),
  until: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
  createdAt: Type.String({ format: 'date-time' }),
  createdBy: Type.String({ description: 'The caller that made it' }),
})
export type Exemption = Static<typeof Exemption>

/** An exemption after a write. */
export const WrittenExemption = Type.Object({ ...Exemption.properties, revision: Type.Integer() })

/** The path of the exempt user. */
export const ExemptUserPath = Type.Object({ id: Type.Integer(INT32) })
