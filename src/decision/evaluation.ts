import { ALLOW, Candidates, DENY, type Matched, type MatchedRule, rowLinksOf } from './candidates.ts'
import { FullEnforcer } from './full-enforcer.ts'
import { LinkGraph } from './link-graph.ts'
import {
  type Condition,
  compileCondition,
  type LinkFunctions,
  MatcherContext,
  type ObjectContext,
} from './matcher-compiler.ts'
import {
  isMatcherFunction,
  MATCHER_FUNCTIONS,
  type MatcherFunction,
  matcherFunctions,
  type TokenRule,
} from './matcher-functions.ts'
import { alternativesOf, contains, type MatcherNode } from './matcher-syntax.ts'
import type { Narrowing } from './narrowing.ts'
import type { ProjectRecord, UserRecord } from './policy-records.ts'
import { isPermission } from './policy-state.ts'
import { DECISIONS, type Decision, REASON_CODES, type ReasonCode } from './reasons.ts'
import type { Snapshot } from './snapshot.ts'

/** A request whose user, project and objects have been looked up. At least one object; {@link NO_OBJECT} for none. */
export type ResolvedRequest = {
  user: UserRecord
  project: ProjectRecord | undefined
  dom: string
  permission: string
  objects: readonly ObjectContext[]
  via: string
  now: number
}

/**
 * Told what an evaluation met: each rule that matched, each object that may not be edited, and by which alternative of
 * the matcher an object may be edited.
 */
export type Witness = {
  onMatch(rule: MatchedRule): void
  /** A rule that let the user write by token (D8). */
  onTokenMatch(rule: MatchedRule): void
  onRefusedObject(index: number): void
  onObjectPath(index: number, alternative: MatcherNode): void
}

/** Evaluates a snapshot's model over the snapshot's rules. */
export interface Evaluation {
  decide(request: ResolvedRequest, witness: Witness | null): Decision
  /** The projects outside of which everything is denied to the user; null where nothing can be said. */
  projectsWithin(user: UserRecord): Iterable<ProjectRecord> | null
}

/** The evaluation that fits the model: over the index where the index may narrow, otherwise by Casbin in full. */
export function evaluationOf(snapshot: Snapshot): Evaluation {
  const { effect, matcher } = snapshot.model
  if (effect === null || matcher.narrowing === null) return new FullEvaluation(snapshot)
  return new IndexedEvaluation(snapshot, matcher.narrowing)
}

function tokenRuleOf(snapshot: Snapshot, witness: () => Witness | null): TokenRule {
  const { tokenMatcher, effect } = snapshot.model
  if (tokenMatcher === null) return () => false
  if (tokenMatcher.narrowing === null || effect === null) return fullTokenRule(snapshot)
  const functions = matcherFunctions(snapshot, () => false)
  const rules = new IndexedRules(snapshot, tokenMatcher.narrowing, functions)
  const context = new MatcherContext()
  return (sub, dom, now) => {
    const user = snapshot.user(sub)
    if (user === undefined) return false
    context.r_sub = sub
    context.r_dom = dom
    context.r_act = 'can_annotate_with_token'
    context.r_via = 'token'
    context.r_now = now
    const onMatch = witness()?.onTokenMatch ?? null
    const matched = rules.candidates.match(user, snapshot.projects.get(Number(dom)), context, onMatch)
    return rules.isGranted(matched) && rules.requestConditions.every(({ holds }) => holds(context))
  }
}

/** A condition on the request alone, what its failing means, whether it looks at the object, and its alternatives. */
type RequestCondition = {
  holds: Condition
  /** The reason's place in REASON_CODES. */
  reason: number
  ofObject: boolean
  alternatives: readonly { node: MatcherNode; holds: Condition }[]
}

/** One matcher over the index: its candidates, and its conditions on the request alone. */
class IndexedRules {
  readonly candidates: Candidates
  readonly requestConditions: readonly RequestCondition[]
  /** Does a condition on the rule in hand look at the object, so that rules must be asked for each object? */
  readonly rulesLookAtObject: boolean
  readonly #snapshot: Snapshot

  constructor(snapshot: Snapshot, narrowing: Narrowing, functions: Record<string, MatcherFunction>) {
    this.#snapshot = snapshot
    const links = linkFunctionsOf(snapshot)
    const compile = (node: MatcherNode) => compileCondition(node, functions, links)
    this.candidates = new Candidates(snapshot, narrowing, {
      holds: all(narrowing.ruleConjuncts.map(compile)),
      readsOnlyTimes: !narrowing.ruleConjuncts.some(looksBeyondTimes),
    })
    this.requestConditions = narrowing.requestConjuncts.map((node) => ({
      holds: compile(node),
      reason: REASON_CODES.indexOf(reasonOf(node)),
      ofObject: looksAtObject(node),
      alternatives: alternativesOf(node).map((alternative) => ({ node: alternative, holds: compile(alternative) })),
    }))
    this.rulesLookAtObject = narrowing.ruleConjuncts.some(looksAtObject)
  }

  isGranted(matched: Matched): boolean {
    return (matched & ALLOW) !== 0 && !this.isDenied(matched)
  }

  /** D4, where the model's effect says so. */
  isDenied(matched: Matched): boolean {
    return (matched & DENY) !== 0 && this.#snapshot.model.effect === 'allow-and-no-deny'
  }
}

class IndexedEvaluation implements Evaluation {
  readonly #snapshot: Snapshot
  readonly #rules: IndexedRules
  readonly #context = new MatcherContext()
  readonly #wholeConditions: readonly RequestCondition[]
  readonly #objectConditions: readonly RequestCondition[]
  /** Who listens to the decision at hand. */
  #witness: Witness | null = null

  constructor(snapshot: Snapshot, narrowing: Narrowing) {
    this.#snapshot = snapshot
    const functions = matcherFunctions(
      snapshot,
      tokenRuleOf(snapshot, () => this.#witness),
    )
    this.#rules = new IndexedRules(snapshot, narrowing, functions)
    this.#wholeConditions = this.#rules.requestConditions.filter(({ ofObject }) => !ofObject)
    this.#objectConditions = this.#rules.requestConditions.filter(({ ofObject }) => ofObject)
  }

  decide(request: ResolvedRequest, witness: Witness | null): Decision {
    const context = this.#context
    this.#snapshot.asked(request.user, request.project)
    this.#witness = witness
    context.r_sub = request.user.sub
    context.r_dom = request.dom
    context.r_act = request.permission
    context.r_via = request.via
    context.r_now = request.now
    let first = NO_REASON
    for (let at = 0; at < request.objects.length; at += 1) {
      context.r_obj = request.objects[at] as ObjectContext
      if (at === 0 || this.#rules.rulesLookAtObject)
        first = Math.min(first, this.#ruleReason(request, at === 0 ? witness : null))
      if (at === 0) first = Math.min(first, firstReason(this.#wholeConditions, context))
      const ofObject = firstReason(this.#objectConditions, context)
      first = Math.min(first, ofObject)
      if (witness !== null) this.#tellObject(at, ofObject === NO_REASON, witness)
    }
    if (first === NO_REASON) return DECISIONS.allowed
    return DECISIONS[REASON_CODES[first] as ReasonCode]
  }

  /** No allow without a rule that matches: both effects that are indexed ask for one. */
  projectsWithin(user: UserRecord): Iterable<ProjectRecord> | null {
    const ordinals = this.#rules.candidates.projectsWithin(user)
    return ordinals && Array.from(ordinals, (ordinal) => this.#snapshot.projectOf(ordinal))
  }

  #tellObject(index: number, mayEdit: boolean, witness: Witness): void {
    if (!this.#context.r_obj.given) return
    if (!mayEdit) witness.onRefusedObject(index)
    for (const { alternatives } of mayEdit ? this.#objectConditions : []) {
      const path = alternatives.find(({ holds }) => holds(this.#context))
      if (path !== undefined) witness.onObjectPath(index, path.node)
    }
  }

  /** The reason that the rules give to deny, as a place in REASON_CODES. */
  #ruleReason(request: ResolvedRequest, witness: Witness | null): number {
    if (!isPermission(request.permission)) return UNKNOWN_PERMISSION
    const onMatch = witness === null ? null : witness.onMatch
    const matched = this.#rules.candidates.match(request.user, request.project, this.#context, onMatch)
    if (this.#rules.isDenied(matched)) return DENIED
    return (matched & ALLOW) === 0 ? NO_GRANT : NO_REASON
  }
}

const NO_REASON: number = REASON_CODES.length
const [UNKNOWN_PERMISSION, DENIED, NO_GRANT, UNKNOWN_CREATOR, NOT_CREATOR_GROUP] = (
  ['unknown_permission', 'denied', 'no_grant', 'unknown_creator', 'not_creator_group'] as const
).map((code) => REASON_CODES.indexOf(code)) as [number, number, number, number, number]

/** The first reason in D1's order among conditions that do not hold, as a place in REASON_CODES. */
function firstReason(conditions: readonly RequestCondition[], context: MatcherContext): number {
  let first = NO_REASON
  for (let at = 0; at < conditions.length; at += 1) {
    const { holds, reason } = conditions[at] as RequestCondition
    if (holds(context)) continue
    const isUnknown = reason === NOT_CREATOR_GROUP && context.r_obj.creator === ''
    first = Math.min(first, isUnknown ? UNKNOWN_CREATOR : reason)
  }
  return first
}

/** What it means when a condition fails: told by the functions it calls; an operator's own condition is `no_grant`. */
function reasonOf(node: MatcherNode): ReasonCode {
  let reason: ReasonCode | null = null
  contains(node, (part) => {
    if (part.type === 'call' && isMatcherFunction(part.name)) reason ??= MATCHER_FUNCTIONS[part.name].reason
    return false
  })
  return reason ?? 'no_grant'
}

function looksAtObject(node: MatcherNode): boolean {
  return contains(node, (part) => part.type === 'object-field')
}

/** Does the condition read more of the rule in hand than the times? */
function looksBeyondTimes(node: MatcherNode): boolean {
  return contains(node, (part) => part.type === 'field' && part.of === 'p' && !['from', 'until'].includes(part.name))
}

function all(conditions: readonly Condition[]): Condition {
  const [only] = conditions
  if (conditions.length === 1 && only !== undefined) return only
  return (context) => conditions.every((holds) => holds(context))
}

/** `g` and `g2` as a condition asks them where the index did not take the condition over. */
function linkFunctionsOf(snapshot: Snapshot): LinkFunctions {
  const links = new LinkGraph(snapshot.model.links, rowLinksOf(snapshot))
  const implications = new LinkGraph(snapshot.model.implications)
  return {
    g: (from, to, dom) => links.reachedFrom([from], dom).has(to),
    g2: (from, to) => implications.reachedFrom([from], '').has(to),
  }
}

/**
 * A model that cannot be narrowed soundly: Casbin itself is asked, over every rule. It tells no reason, so a denial by
 * whatever rule is `no_grant`.
 */
class FullEvaluation implements Evaluation {
  readonly #enforcer: () => FullEnforcer

  constructor(snapshot: Snapshot) {
    this.#enforcer = enforcerOf(snapshot)
  }

  decide(request: ResolvedRequest, witness: Witness | null): Decision {
    const { user, project, permission } = request
    if (isPermission(permission) && this.#allows(request, witness)) return DECISIONS.allowed
    if (!user.isActive) return DECISIONS.inactive
    if (project === undefined) return DECISIONS.unknown_project
    return isPermission(permission) ? DECISIONS.no_grant : DECISIONS.unknown_permission
  }

  projectsWithin(): null {
    return null
  }

  #allows({ user, dom, permission, objects, via, now }: ResolvedRequest, witness: Witness | null): boolean {
    const enforcer = this.#enforcer()
    let allowed = true
    for (const [at, obj] of objects.entries()) {
      if (enforcer.allows({ sub: user.sub, dom, act: permission, obj, via, now })) continue
      allowed = false
      if (obj.given) witness?.onRefusedObject(at)
    }
    return allowed
  }
}

function fullTokenRule(snapshot: Snapshot): TokenRule {
  const enforcer = enforcerOf(snapshot)
  return (sub, dom, now) => enforcer().allowsToken(sub, dom, now)
}

/** Casbin's enforcer over the snapshot as it is now, made anew when the snapshot has changed. */
function enforcerOf(snapshot: Snapshot): () => FullEnforcer {
  let made: { enforcer: FullEnforcer; generation: number } | undefined
  return () => {
    if (made?.generation !== snapshot.generation) {
      made = { enforcer: FullEnforcer.over(snapshot), generation: snapshot.generation }
    }
    return made.enforcer
  }
}
