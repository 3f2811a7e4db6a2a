import { ABSENT } from './id-index.ts'
import type { ReasonCode } from './reasons.ts'

/** What the matcher functions may know of users, by ordinal. */
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
/** The same by names in Casbin. */
export type NamedTokenRule = (sub: string, dom: string, now: number) => boolean

/** A function that a matcher may call, by its name there. */
export type MatcherFunction = (...args: never[]) => boolean

/**
 * What an argument is. A `user` and a `project` are known by ordinal and by id, a `name` is a user of whom no more is
 * asked than whether it is the same one; a matcher has all of them as names in Casbin. The rest is `plain`.
 */
export type ArgumentKind = 'user' | 'project' | 'name' | 'plain'

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
  created: { takes: ['name', 'name'], reason: 'not_creator_group' },
  inGroupNamedLike: { takes: ['user', 'user', 'project'], reason: 'not_creator_group' },
  imported: { takes: ['name', 'name'], reason: 'not_creator_group' },
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
    created: isSame(ABSENT),
    inGroupNamedLike: (user: number, owner: number, projectId: number) =>
      user !== ABSENT && owner !== ABSENT && facts.isMemberOfNamesake(user, owner, projectId),
    imported: isSame(ABSENT),
  }
}

/** The same functions by names in Casbin, as Casbin's own enforcer calls them; they take whatever a matcher passes. */
export function namedFunctions(
  facts: PolicyFacts,
  tokenRule: NamedTokenRule,
): Record<MatcherFunctionName, MatcherFunction> {
  const functions = matcherFunctions(facts, () => false)
  const byName = (name: MatcherFunctionName) => {
    const { takes } = MATCHER_FUNCTIONS[name]
    const call = functions[name]
    return (...args: unknown[]) => call(...(takes.map((kind, at) => known(facts, kind, args[at])) as never[]))
  }
  const named = Object.keys(functions).map((name) => [name, byName(name as MatcherFunctionName)])
  return {
    ...(Object.fromEntries(named) as Record<MatcherFunctionName, MatcherFunction>),
    tokenAllowed: (sub: string, dom: string, now: number) => tokenRule(sub, dom, now),
    created: isSame(''),
    imported: isSame(''),
  }
}

/** D9: are these one user, and is it anybody? */
function isSame<Name>(nobody: Name): (one: Name, other: Name) => boolean {
  return (one, other) => other !== nobody && one === other
}

function known(facts: PolicyFacts, kind: ArgumentKind, value: unknown): unknown {
  if (kind === 'user') return typeof value === 'string' ? facts.userOfSub(value) : ABSENT
  if (kind === 'project') return typeof value === 'string' ? projectIdIn(value) : Number.NaN
  return value
}

/** The id in a project's name in Casbin, which is the id as text; NaN where it is none. */
function projectIdIn(dom: string): number {
  return String(Number(dom)) === dom ? Number(dom) : Number.NaN
}
