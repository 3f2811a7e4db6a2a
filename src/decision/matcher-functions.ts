import { ABSENT } from './id-index.ts'
import type { ReasonCode } from './reasons.ts'

/** What the matcher functions may know of users, by ordinal; of {@link ABSENT}, which is nobody, every answer is no. */
export interface UserFacts {
  isActive(user: number): boolean
  isSuperuser(user: number): boolean
  isAnonymous(user: number): boolean
  /** Has the user the general permission can_browse in their own settings (D7)? */
  mayBrowseGenerally(user: number): boolean
}

/** What a matcher function may know beside its arguments: facts about one user, group or project, never a grant. */
export interface PolicyFacts {
  readonly users: UserFacts
  /** The ordinal of the user of a name in Casbin, `user:<id>`, or {@link ABSENT}. */
  userOfSub(sub: string): number
  projectExists(projectId: number): boolean
  /** Is the user a member, everywhere or in this project, of the group named exactly like the owner's login? */
  isMemberOfNamesake(user: number, owner: number, projectId: number): boolean
}

/** Answers whether the second matcher, `m2`, allows the user to write by token in the project at the instant (D8). */
export type TokenRule = (user: number, projectId: number, now: number) => boolean

/** A function that a matcher may call, by its name there. */
export type MatcherFunction = (...args: never[]) => boolean

/**
 * As what an argument reaches a function: a `user` by ordinal and a `project` by id, which the matcher has as names in
 * Casbin; everything else as the matcher has it.
 */
export type ArgumentKind = 'user' | 'project' | 'plain'

/** What a call of a function means to the reason of a denial, and which arguments it takes. */
type Signature = { takes: readonly ArgumentKind[]; reason: ReasonCode | null }

/** Every custom function of the matcher: all that `model.conf` may call beside `g` and `g2`. */
export const MATCHER_FUNCTIONS = {
  inForce: { takes: ['plain', 'plain', 'plain'], reason: null },
  active: { takes: ['user'], reason: 'inactive' },
  projectExists: { takes: ['project'], reason: 'unknown_project' },
  anonymousAdmitted: { takes: ['user', 'plain'], reason: 'anonymous_not_admitted' },
  tokenAllowed: { takes: ['user', 'project', 'plain'], reason: 'token_not_granted' },
  superuser: { takes: ['user'], reason: null },
  created: { takes: ['user', 'user'], reason: 'not_creator_group' },
  inGroupNamedLike: { takes: ['user', 'user', 'project'], reason: 'not_creator_group' },
  imported: { takes: ['user', 'user'], reason: 'not_creator_group' },
} as const satisfies Record<string, Signature>

/** The name of a function of {@link MATCHER_FUNCTIONS}. */
export type MatcherFunctionName = keyof typeof MATCHER_FUNCTIONS

/** Is this the name of a custom function of the matcher? */
export function isMatcherFunction(name: string): name is MatcherFunctionName {
  return Object.hasOwn(MATCHER_FUNCTIONS, name)
}

/**
 * The custom functions over some facts, as the compiled matcher calls them. Each is total and answers a boolean, since
 * Casbin takes any non-empty string for an allow.
 */
export function matcherFunctions(
  facts: PolicyFacts,
  tokenRule: TokenRule,
): Record<MatcherFunctionName, MatcherFunction> {
  const { users } = facts
  return {
    // D3: from <= now < until; '' is an open end.
    inForce: (from: string, until: string, now: number) =>
      (from === '' || Number(from) <= now) && (until === '' || now < Number(until)),
    // D2
    active: (user: number) => user !== ABSENT && users.isActive(user),
    // D1
    projectExists: (projectId: number) => facts.projectExists(projectId),
    // D7: true for everybody but the anonymous user, who has no token and needs the general permission.
    anonymousAdmitted: (user: number, via: string) =>
      user !== ABSENT && (!users.isAnonymous(user) || (via === 'session' && users.mayBrowseGenerally(user))),
    // D8
    tokenAllowed: (user: number, projectId: number, now: number) => tokenRule(user, projectId, now),
    superuser: (user: number) => user !== ABSENT && users.isSuperuser(user),
    // D9
    created: (user: number, creator: number) => user !== ABSENT && user === creator,
    inGroupNamedLike: (user: number, owner: number, projectId: number) =>
      user !== ABSENT && owner !== ABSENT && facts.isMemberOfNamesake(user, owner, projectId),
    imported: (user: number, importer: number) => user !== ABSENT && user === importer,
  }
}

/** The same functions as Casbin's own enforcer calls them, by names in Casbin. */
export function casbinFunctions(facts: PolicyFacts, tokenRule: TokenRule): Map<MatcherFunctionName, MatcherFunction> {
  const functions = Object.entries(matcherFunctions(facts, tokenRule)) as [MatcherFunctionName, MatcherFunction][]
  return new Map(
    functions.map(([name, call]) => {
      const { takes } = MATCHER_FUNCTIONS[name]
      return [name, (...args: unknown[]) => call(...(takes.map((kind, at) => known(facts, kind, args[at])) as never[]))]
    }),
  )
}

function known(facts: PolicyFacts, kind: ArgumentKind, value: unknown): unknown {
  if (kind === 'user') return facts.userOfSub(String(value))
  return kind === 'project' ? projectIdIn(String(value)) : value
}

/** The id in a project's name in Casbin, which is the id as text; NaN where it is none. */
export function projectIdIn(dom: string): number {
  return String(Number(dom)) === dom ? Number(dom) : Number.NaN
}
