import type { MatchedRule } from './candidates.ts'
import { type CheckRequest, decideWitnessed, userOf } from './decide.ts'
import { ownershipText, ruleText, type Story, storyText } from './explanation-text.ts'
import type { MatcherNode } from './matcher-syntax.ts'
import { nearMisses } from './near-misses.ts'
import { UserRecord } from './policy-records.ts'
import type { Effect } from './policy-state.ts'
import type { ReasonCode } from './reasons.ts'
import type { Snapshot } from './snapshot.ts'

/** A grant, or a rule in `policies/`, that an explanation names. */
export type NamedGrant = {
  /** The grant's id; null for a rule in `policies/`. */
  id: number | null
  /** File and line of a rule in `policies/`; null for a grant. */
  rule: string | null
  principal: { type: 'user' | 'group' | 'role'; id: number | null; name: string }
  permission: string
  effect: Effect
}

/** A decision with its reason in a person's words, the grants that made it, and what an allow would need. */
export type Explanation = {
  allowed: boolean
  revision: number
  reason: { code: ReasonCode; text: string; grants: NamedGrant[]; missing: string[] }
}

/**
 * Explains the decision that {@link decide} makes of the same snapshot, request and instant; it is the very same
 * evaluation, listened to.
 */
export function explain(snapshot: Snapshot, request: CheckRequest, instant: number): Explanation {
  const matched: MatchedRule[] = []
  const matchedToken: MatchedRule[] = []
  const refusedObjects: number[] = []
  const paths: { index: number; alternative: MatcherNode }[] = []
  const decision = decideWitnessed(snapshot, request, instant, {
    onMatch: (rule) => matched.push(rule),
    onTokenMatch: (rule) => matchedToken.push(rule),
    onRefusedObject: (index) => refusedObjects.push(index),
    onObjectPath: (index, alternative) => paths.push({ index, alternative }),
  })
  const effect = decision.reason === 'denied' ? 'deny' : 'allow'
  const rules = matched.filter((rule) => effectOf(rule) === effect)
  const named = decision.allowed ? [...rules, ...matchedToken] : rules
  const story: Story = {
    snapshot,
    request,
    code: decision.reason,
    userName: userOf(snapshot, request.user)?.username ?? String(request.user),
    rules: rules.map((rule) => ruleText(rule, request.permission)),
    tokenRules: matchedToken.map((rule) => ruleText(rule, 'can_annotate_with_token')),
    ownership: paths.map(({ index, alternative }) => ownershipText(snapshot, request, index, alternative)),
    refusedObjects,
    misses: nearMisses(snapshot, request, decision.reason, instant),
  }
  const { text, missing } = storyText(story)
  const { allowed, reason: code } = decision
  return { allowed, revision: snapshot.revision, reason: { code, text, grants: named.map(namedGrant), missing } }
}

function effectOf(rule: MatchedRule): string {
  return rule.source === 'grant' ? rule.effect : rule.rule.eft
}

/** A matched rule as an answer names it. */
export function namedGrant(matched: MatchedRule): NamedGrant {
  if (matched.source === 'grant') {
    const { id, principal, permission, effect } = matched
    const type = principal instanceof UserRecord ? 'user' : 'group'
    const name = principal instanceof UserRecord ? principal.username : principal.name
    return { id, rule: null, principal: { type, id: principal.id, name }, permission, effect }
  }
  const { sub, act, eft, place } = matched.rule
  const [type = 'role', name = sub] = sub.split(':', 2)
  const id = type === 'role' ? null : Number(name)
  return {
    id: null,
    rule: place,
    principal: { type: type as 'user' | 'group' | 'role', id, name },
    permission: act,
    effect: eft as Effect,
  }
}
