import { ALLOW, Candidates, DENY, type Matched, type MatchedRule, rowLinksOf } from './candidates.ts'
import { casbinQuestions, FullEnforcer } from './full-enforcer.ts'
import { ABSENT } from './id-index.ts'
import { LinkGraph } from './link-graph.ts'
import {
  type Condition,
  type FirstReason,
  type LinkFunctions,
  MatcherCompiler,
  MatcherContext,
  NO_REASON,
  type ObjectContext,
} from './matcher-compiler.ts'
import {
  isMatcherFunction,
  MATCHER_FUNCTIONS,
  type MatcherFunction,
  type MatcherFunctionName,
  matcherFunctions,
  type NamedTokenRule,
  namedFunctions,
  type TokenRule,
} from './matcher-functions.ts'
import { alternativesOf, contains, type MatcherNode } from './matcher-syntax.ts'
import type { Narrowing } from './narrowing.ts'
import type { ProjectRecord, UserRecord } from './policy-records.ts'
import { permissionPlace } from './policy-state.ts'
import { DECISIONS, type Decision, REASON_CODES, type ReasonCode } from './reasons.ts'
import type { ResolvedRequest } from './resolved-request.ts'
import type { Snapshot } from './snapshot.ts'

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
  const permission = permissionPlace('can_annotate_with_token')
  context.r_act = 'can_annotate_with_token'
  context.r_via = 'token'
  return (user, projectId, now) => {
    if (user === ABSENT) return false
    context.user = user
    context.projectId = projectId
    context.r_now = now
    const asked = { user, project: snapshot.projectOrdinal(projectId), permission }
    const matched = rules.candidates.match(asked, context, witness()?.onTokenMatch ?? null)
    return rules.isGranted(matched) && rules.requestHolds(context)
  }
}

/** One of the alternatives by which an object may be edited. */
type ObjectPath = { node: MatcherNode; holds: Condition }

/** One matcher over the index: its candidates, and its conditions on the request alone. */
class IndexedRules {
  readonly candidates: Candidates
  /** The first reason to deny among the conditions that do not look at the object, and among those that do. */
  readonly wholeReason: FirstReason
  readonly objectReason: FirstReason
  /** Of each condition that looks at the object, its alternatives. */
  readonly objectPaths: readonly (readonly ObjectPath[])[]
  /** Does a condition on the rule in hand look at the object, so that rules must be asked for each object? */
  readonly rulesLookAtObject: boolean
  readonly #snapshot: Snapshot

  constructor(snapshot: Snapshot, narrowing: Narrowing, functions: Record<MatcherFunctionName, MatcherFunction>) {
    this.#snapshot = snapshot
    const compiler = new MatcherCompiler({
      functions,
      named: namedFunctions(snapshot, namedTokenRule(snapshot)),
      links: linkFunctionsOf(snapshot),
      subOf: (user) => snapshot.subOf(user),
    })
    const { ruleConjuncts, requestConjuncts } = narrowing
    this.candidates = new Candidates(snapshot, narrowing, {
      holds: compiler.conditionOf(ruleConjuncts),
      readsOnlyTimes: !ruleConjuncts.some(looksBeyondTimes),
    })
    const reasoned = requestConjuncts.map((node) => ({ node, reason: REASON_CODES.indexOf(reasonOf(node)) }))
    this.wholeReason = compiler.firstReasonOf(reasoned.filter(({ node }) => !looksAtObject(node)))
    this.objectReason = compiler.firstReasonOf(reasoned.filter(({ node }) => looksAtObject(node)))
    this.objectPaths = requestConjuncts
      .filter(looksAtObject)
      .map((node) => alternativesOf(node).map((way) => ({ node: way, holds: compiler.conditionOf([way]) })))
    this.rulesLookAtObject = ruleConjuncts.some(looksAtObject)
  }

  /** Do all conditions on the request alone hold? */
  requestHolds(context: MatcherContext): boolean {
    return this.objectReason(context, this.wholeReason(context, NO_REASON)) === NO_REASON
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
  /** Who listens to the decision at hand. */
  #witness: Witness | null = null

  constructor(snapshot: Snapshot, narrowing: Narrowing) {
    this.#snapshot = snapshot
    const functions = matcherFunctions(
      snapshot,
      tokenRuleOf(snapshot, () => this.#witness),
    )
    this.#rules = new IndexedRules(snapshot, narrowing, functions)
  }

  decide(request: ResolvedRequest, witness: Witness | null): Decision {
    const context = this.#context
    this.#witness = witness
    context.user = request.user
    context.projectId = request.projectId
    context.r_act = request.act
    context.r_via = request.via
    context.r_now = request.now
    let first = this.#reasonWith(request, 0, NO_REASON)
    for (let at = 1; at < request.objects.length; at += 1) first = this.#reasonWith(request, at, first)
    if (first === NO_REASON) return DECISIONS.allowed
    return DECISIONS[REASON_CODES[first] as ReasonCode]
  }

  /** The first reason to deny the request with the object at this place, unless `first` comes before it. */
  #reasonWith(request: ResolvedRequest, at: number, first: number): number {
    const context = this.#context
    context.r_obj = request.objects[at] as ObjectContext
    let reason = first
    if (at === 0) reason = this.#rules.wholeReason(context, this.#ruleReason(request, this.#witness))
    else if (this.#rules.rulesLookAtObject) reason = Math.min(first, this.#ruleReason(request, null))
    if (this.#witness !== null) this.#tellObject(at, this.#witness)
    return this.#reasonOfObject(reason)
  }

  /** The same, of the conditions that look at the object: one whose creator is not known has a reason of its own. */
  #reasonOfObject(first: number): number {
    const limit = first === NOT_CREATOR_GROUP ? NO_REASON : first
    const reason = this.#rules.objectReason(this.#context, limit)
    const isUnknown = reason === NOT_CREATOR_GROUP && this.#context.r_obj.creator === ABSENT
    return Math.min(first, isUnknown ? UNKNOWN_CREATOR : reason)
  }

  /** No allow without a rule that matches: both effects that are indexed ask for one. */
  projectsWithin(user: UserRecord): Iterable<ProjectRecord> | null {
    const ordinals = this.#rules.candidates.projectsWithin(user)
    return ordinals && Array.from(ordinals, (ordinal) => this.#snapshot.projectAt(ordinal))
  }

  #tellObject(index: number, witness: Witness): void {
    if (!this.#context.r_obj.given) return
    const mayEdit = this.#rules.objectReason(this.#context, NO_REASON) === NO_REASON
    if (!mayEdit) witness.onRefusedObject(index)
    for (const paths of mayEdit ? this.#rules.objectPaths : []) {
      const path = paths.find(({ holds }) => holds(this.#context))
      if (path !== undefined) witness.onObjectPath(index, path.node)
    }
  }

  /** The reason that the rules give to deny, as a place in REASON_CODES. */
  #ruleReason(request: ResolvedRequest, witness: Witness | null): number {
    if (request.permission === ABSENT) return UNKNOWN_PERMISSION
    const onMatch = witness === null ? null : witness.onMatch
    const matched = this.#rules.candidates.match(request, this.#context, onMatch)
    if (this.#rules.isDenied(matched)) return DENIED
    return (matched & ALLOW) === 0 ? NO_GRANT : NO_REASON
  }
}

const [UNKNOWN_PERMISSION, DENIED, NO_GRANT, UNKNOWN_CREATOR, NOT_CREATOR_GROUP] = (
  ['unknown_permission', 'denied', 'no_grant', 'unknown_creator', 'not_creator_group'] as const
).map((code) => REASON_CODES.indexOf(code)) as [number, number, number, number, number]

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
  readonly #snapshot: Snapshot
  readonly #enforcer: () => FullEnforcer

  constructor(snapshot: Snapshot) {
    this.#snapshot = snapshot
    this.#enforcer = enforcerOf(snapshot)
  }

  decide(request: ResolvedRequest, witness: Witness | null): Decision {
    const isKnown = request.permission !== ABSENT
    if (isKnown && this.#allows(request, witness)) return DECISIONS.allowed
    if (!this.#snapshot.users.isActive(request.user)) return DECISIONS.inactive
    if (request.project === ABSENT) return DECISIONS.unknown_project
    return isKnown ? DECISIONS.no_grant : DECISIONS.unknown_permission
  }

  projectsWithin(): null {
    return null
  }

  #allows(request: ResolvedRequest, witness: Witness | null): boolean {
    const enforcer = this.#enforcer()
    let allowed = true
    for (const [at, question] of casbinQuestions(this.#snapshot, request).entries()) {
      if (enforcer.allows(question)) continue
      allowed = false
      if (question.obj.given) witness?.onRefusedObject(at)
    }
    return allowed
  }
}

function fullTokenRule(snapshot: Snapshot): TokenRule {
  const rule = namedTokenRule(snapshot)
  return (user, projectId, now) => rule(snapshot.subOf(user), String(projectId), now)
}

/** Of anybody and anything that a matcher names, Casbin itself is asked. */
function namedTokenRule(snapshot: Snapshot): NamedTokenRule {
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
