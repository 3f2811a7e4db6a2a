/** Why a decision came out as it did: `allowed`, or the first of the reasons of D1 that applies. */
export const REASON_CODES = [
  'allowed',
  'unknown_user',
  'inactive',
  'unknown_project',
  'unknown_permission',
  'denied',
  'anonymous_not_admitted',
  'no_grant',
  'token_not_granted',
  'unknown_creator',
  'not_creator_group',
  'fault',
] as const

/** One of {@link REASON_CODES}. */
export type ReasonCode = (typeof REASON_CODES)[number]

/** The outcome of one check. */
export type Decision = { readonly allowed: boolean; readonly reason: ReasonCode }

/** The one frozen decision of each reason, so that deciding allocates nothing. */
export const DECISIONS: Readonly<Record<ReasonCode, Decision>> = Object.freeze(
  Object.fromEntries(
    REASON_CODES.map((reason) => [reason, Object.freeze({ allowed: reason === 'allowed', reason })]),
  ) as Record<ReasonCode, Decision>,
)
