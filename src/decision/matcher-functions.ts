import type { ReasonCode } from './reasons.ts'

/** What a matcher function may know beside its arguments: facts about one user, group or project, never a grant. */
export interface PolicyFacts {
  user(sub: string): UserFacts | undefined
  projectExists(dom: string): boolean
  /** Is the user a member, everywhere or in this project, of the group named exactly like the owner's login? */
  isMemberOfNamesake(user: UserFacts, owner: UserFacts, dom: string): boolean
}

/** What the matcher functions read of a user. */
export type UserFacts = {
  readonly username: string
  readonly isActive: boolean
  readonly isSuperuser: boolean
  readonly isAnonymous: boolean
  /** The general permission can_browse in the user's own settings (D7). */
  readonly mayBrowseGenerally: boolean
}

/** Answers whether the second matcher, `m2`, allows the user to write by token in the project at the instant (D8). */
export type TokenRule = (sub: string, dom: string, now: number) => boolean

/** A function that a matcher may call, by its name there. `obj` fields hold `user:<id>`, or '' for nobody known. */
export type MatcherFunction = (...args: never[]) => boolean

/** What a call of a function means to the reason of a denial, and how many arguments it takes. */
type Signature = { arity: number; reason: ReasonCode | null }

/** Every custom function of the matcher: all that `model.conf` may call beside `g` and `g2`. */
export const MATCHER_FUNCTIONS = {
  inForce: { arity: 3, reason: null },
  active: { arity: 1, reason: 'inactive' },
  projectExists: { arity: 1, reason: 'unknown_project' },
  anonymousAdmitted: { arity: 2, reason: 'anonymous_not_admitted' },
  tokenAllowed: { arity: 3, reason: 'token_not_granted' },
  superuser: { arity: 1, reason: null },
  created: { arity: 2, reason: 'not_creator_group' },
  inGroupNamedLike: { arity: 3, reason: 'not_creator_group' },
  imported: { arity: 2, reason: 'not_creator_group' },
} as const satisfies Record<string, Signature>

/** The name of a function of {@link MATCHER_FUNCTIONS}. */
export type MatcherFunctionName = keyof typeof MATCHER_FUNCTIONS

/** Is this the name of a custom function of the matcher? */
export function isMatcherFunction(name: string): name is MatcherFunctionName {
  return Object.hasOwn(MATCHER_FUNCTIONS, name)
}

/**
 * The custom functions over some facts: the very same for Casbin's own enforcer and for the compiled matcher. Each is
 * total and answers a boolean, since Casbin takes any non-empty string for an allow.
 */
export function matcherFunctions(
  facts: PolicyFacts,
  tokenRule: TokenRule,
): Record<MatcherFunctionName, MatcherFunction> {
  return {
    // D3: from <= now < until; '' is an open end.
    inForce: (from: string, until: string, now: number) =>
      (from === '' || Number(from) <= now) && (until === '' || now < Number(until)),
    // D2
    active: (sub: string) => facts.user(sub)?.isActive === true,
    // D1
    projectExists: (dom: string) => facts.projectExists(dom),
    // D7: true for everybody but the anonymous user, who has no token and needs the general permission.
    anonymousAdmitted: (sub: string, via: string) => {
      const user = facts.user(sub)
      return user !== undefined && (!user.isAnonymous || (via === 'session' && user.mayBrowseGenerally))
    },
    // D8
    tokenAllowed: (sub: string, dom: string, now: number) => tokenRule(sub, dom, now),
    superuser: (sub: string) => facts.user(sub)?.isSuperuser === true,
    // D9
    created: (sub: string, creator: string) => creator !== '' && sub === creator,
    inGroupNamedLike: (sub: string, owner: string, dom: string) => isInGroupNamedLike(facts, sub, owner, dom),
    imported: (sub: string, importer: string) => importer !== '' && sub === importer,
  }
}

/** D9: is the user a member of the group named exactly like the owner's login? One step, names compared exactly. */
function isInGroupNamedLike(facts: PolicyFacts, sub: string, owner: string, dom: string): boolean {
  if (owner === '') return false
  const user = facts.user(sub)
  const ownerFacts = facts.user(owner)
  if (user === undefined || ownerFacts === undefined) return false
  return facts.isMemberOfNamesake(user, ownerFacts, dom)
}
