import { alternativesOf, contains, type MatcherNode } from './matcher-syntax.ts'

/**
 * What the index does in place of some conditions of a matcher: it hands over only rules for which they hold.
 *
 * A condition is taken over only in one of the forms below; any other stays and is evaluated of every candidate.
 */
export type Narrowing = {
  /** `p.dom == r.dom`, and whether `p.dom == "*"` counts beside it. */
  readonly everyProjectRules: boolean
  /** `g(r.sub, p.sub, r.dom)` stands there, `g(r.sub, p.sub, "*")` stands there; one of them, or both. */
  readonly linksInProject: boolean
  readonly linksEverywhere: boolean
  /** `g2(p.act, r.act)`: implied permissions; `p.act == r.act`: the same; `p.act == "…"`: that one; null: any. */
  readonly permission: 'implied' | 'same' | { literal: string } | null
  /** What is left to evaluate of each candidate, since it names `p`. */
  readonly ruleConjuncts: readonly MatcherNode[]
  /** What is left and asks about the request alone. */
  readonly requestConjuncts: readonly MatcherNode[]
}

/**
 * Finds how the index may narrow a matcher, or null where it may not: then every rule has to be asked.
 *
 * Sound because each condition taken over is an operand of the matcher's top `&&`: a rule for which it is false cannot
 * match, and a rule that does not match has no influence under the two effects that are indexed.
 */
export function narrowingOf(conjuncts: readonly MatcherNode[]): Narrowing | null {
  const domain = first(conjuncts, domainForm)
  const links = first(conjuncts, linkForm)
  const permission = first(conjuncts, permissionForm)
  if (domain === null || links === null) return null
  const taken = [domain.conjunct, links.conjunct, permission?.conjunct]
  const rest = conjuncts.filter((conjunct) => !taken.includes(conjunct))
  return {
    everyProjectRules: domain.form.everyProjectRules,
    linksInProject: links.form.inProject,
    linksEverywhere: links.form.everywhere,
    permission: permission?.form ?? null,
    ruleConjuncts: rest.filter(namesRule),
    requestConjuncts: rest.filter((conjunct) => !namesRule(conjunct)),
  }
}

/** Does the condition name a field of the rule in hand? */
export function namesRule(node: MatcherNode): boolean {
  return contains(node, (part) => part.type === 'field' && part.of === 'p')
}

function first<Form>(conjuncts: readonly MatcherNode[], formOf: (node: MatcherNode) => Form | null) {
  for (const conjunct of conjuncts) {
    const form = formOf(conjunct)
    if (form !== null) return { conjunct, form }
  }
  return null
}

function domainForm(conjunct: MatcherNode): { everyProjectRules: boolean } | null {
  const forms = alternativesOf(conjunct).map((node) => {
    if (isEqual(node, isField('p', 'dom'), isField('r', 'dom'))) return 'request'
    return isEqual(node, isField('p', 'dom'), isLiteral('*')) ? 'every' : 'other'
  })
  if (forms.includes('other') || !forms.includes('request')) return null
  return { everyProjectRules: forms.includes('every') }
}

function linkForm(conjunct: MatcherNode): { inProject: boolean; everywhere: boolean } | null {
  const forms = alternativesOf(conjunct).map((node) => {
    if (node.type !== 'call' || node.name !== 'g') return 'other'
    const [sub, of, dom] = node.args
    if (!(sub && of && dom && isField('r', 'sub')(sub) && isField('p', 'sub')(of))) return 'other'
    if (isField('r', 'dom')(dom)) return 'project'
    return isLiteral('*')(dom) ? 'everywhere' : 'other'
  })
  if (forms.includes('other')) return null
  return { inProject: forms.includes('project'), everywhere: forms.includes('everywhere') }
}

function permissionForm(node: MatcherNode): Narrowing['permission'] {
  if (node.type === 'call' && node.name === 'g2') {
    const [of, wanted] = node.args
    return of && wanted && isField('p', 'act')(of) && isField('r', 'act')(wanted) ? 'implied' : null
  }
  if (isEqual(node, isField('p', 'act'), isField('r', 'act'))) return 'same'
  const literal = node.type === 'binary' ? [node.left, node.right].find((side) => side.type === 'literal') : undefined
  if (literal?.type !== 'literal' || typeof literal.value !== 'string') return null
  return isEqual(node, isField('p', 'act'), isLiteral(literal.value)) ? { literal: literal.value } : null
}

type Test = (node: MatcherNode) => boolean

const isField =
  (of: 'r' | 'p', name: string): Test =>
  (node) =>
    node.type === 'field' && node.of === of && node.name === name

const isLiteral =
  (value: string): Test =>
  (node) =>
    node.type === 'literal' && node.value === value

function isEqual(node: MatcherNode, one: Test, other: Test): boolean {
  if (node.type !== 'binary' || node.operator !== '==') return false
  return (one(node.left) && other(node.right)) || (one(node.right) && other(node.left))
}
