import { newModelFromString } from 'casbin'
import { conjunctsOf, contains, type Fields, type MatcherNode, parseMatcher } from './matcher-syntax.ts'
import { type ModelText, readModelText } from './model-text.ts'
import { type Narrowing, narrowingOf } from './narrowing.ts'
import { PolicyModelError } from './policy-model-error.ts'
import { type RuleLine, readRuleLines } from './rule-files.ts'

/** A rule written in `policies/`: the fields of `p` by name, and the file and line it stands on. */
export type FileRule = Record<RuleField, string> & { readonly place: string }
/** A link written in `policies/`: `g` (with a project or `*`) or `g2` (`dom` is ''). */
export type FileLink = { readonly from: string; readonly to: string; readonly dom: string }

/** The fields that every rule has; an operator may reorder them in `model.conf`, not drop or add one. */
export const RULE_FIELDS = ['sub', 'dom', 'act', 'eft', 'from', 'until'] as const
export type RuleField = (typeof RULE_FIELDS)[number]
/** The fields that every request has, in any order. */
export const REQUEST_FIELDS = ['sub', 'dom', 'act', 'obj', 'via', 'now'] as const

/** The effects of Casbin that do not depend on the order of rules or on rules that do not match. */
export type IndexableEffect = 'allow-and-no-deny' | 'allow'

/** One matcher: its text as Casbin holds it, its conditions, and how the index may narrow it (null: not soundly). */
export type Matcher = { readonly conjuncts: readonly MatcherNode[]; readonly narrowing: Narrowing | null }

/** A checked `model.conf` with the rules of `policies/`: everything that decides beside the database's rows. */
export type PolicyModel = {
  readonly text: string
  readonly ruleFields: readonly RuleField[]
  readonly requestFields: readonly string[]
  /** Null: an effect that only Casbin itself evaluates (priority, deny only). */
  readonly effect: IndexableEffect | null
  readonly matcher: Matcher
  readonly tokenMatcher: Matcher | null
  readonly rules: readonly FileRule[]
  readonly links: readonly FileLink[]
  readonly implications: readonly FileLink[]
}

const EFFECTS: Record<string, IndexableEffect | null> = {
  'some(where (p_eft == allow)) && !some(where (p_eft == deny))': 'allow-and-no-deny',
  'some(where (p_eft == allow))': 'allow',
  '!some(where (p_eft == deny))': null,
  'priority(p_eft) || deny': null,
}

/**
 * Reads and checks policy as written: the model text and every rule file.
 *
 * @throws PolicyModelError naming file and line of the first fault; nothing is guessed
 */
export function loadPolicyModel(source: {
  modelFile: string
  modelText: string
  ruleFiles: { file: string; text: string }[]
}): PolicyModel {
  const { modelFile, modelText } = source
  const text = readModelText(modelFile, modelText)
  const requestFields = fieldsOf(text, 'request_definition', 'r', REQUEST_FIELDS, modelFile)
  const ruleFields = fieldsOf(text, 'policy_definition', 'p', RULE_FIELDS, modelFile) as RuleField[]
  checkRoleDefinition(text, modelFile)
  const model = casbinModelOf(modelFile, modelText)
  const fields: Fields = { r: requestFields, p: ruleFields }
  const lines = source.ruleFiles.flatMap(({ file, text: rules }) => readRuleLines(file, rules))
  const matcher = matcherOf(text, 'm', fields, modelFile)
  const tokenMatcher = definitionOf(text, 'matchers', 'm2') ? matcherOf(text, 'm2', fields, modelFile) : null
  if (tokenMatcher === null && callsTokenRule(matcher)) {
    throw new PolicyModelError(`${modelFile}: m calls tokenAllowed, which asks m2, and there is no m2`)
  }
  if (tokenMatcher !== null && callsTokenRule(tokenMatcher)) {
    throw new PolicyModelError(`${modelFile}: m2 calls tokenAllowed, which asks m2: that has no end`)
  }
  return {
    text: modelText,
    ruleFields,
    requestFields,
    effect: effectOf(model, modelFile),
    matcher,
    tokenMatcher,
    rules: lines.filter(({ ptype }) => ptype === 'p').map((line) => ruleOf(line, ruleFields)),
    links: lines.filter(({ ptype }) => ptype === 'g').map((line) => linkOf(line, 3)),
    implications: lines.filter(({ ptype }) => ptype !== 'p' && ptype !== 'g').map((line) => linkOf(line, 2)),
  }
}

type CasbinModel = ReturnType<typeof newModelFromString>

function casbinModelOf(modelFile: string, modelText: string): CasbinModel {
  try {
    return newModelFromString(modelText)
  } catch (cause) {
    throw new PolicyModelError(`${modelFile}: Casbin refuses it: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    })
  }
}

function definitionOf(text: ModelText, section: string, key: string) {
  return text.get(section)?.get(key)
}

function fieldsOf(text: ModelText, section: string, key: string, wanted: readonly string[], file: string): string[] {
  const definition = definitionOf(text, section, key)
  const fields = definition?.value.split(',').map((field) => field.trim()) ?? []
  if (fields.length !== wanted.length || !wanted.every((field) => fields.includes(field))) {
    const place = definition === undefined ? file : `${file}:${definition.line}`
    throw new PolicyModelError(`${place}: ${key} must have exactly the fields ${wanted.join(', ')}, in any order`)
  }
  return fields
}

function checkRoleDefinition(text: ModelText, file: string): void {
  for (const [key, wanted] of [
    ['g', '_,_,_'],
    ['g2', '_,_'],
  ] as const) {
    const definition = definitionOf(text, 'role_definition', key)
    if (definition?.value.replaceAll(' ', '') !== wanted) {
      throw new PolicyModelError(`${file}:${definition?.line ?? 1}: [role_definition] must say ${key} = ${wanted}`)
    }
  }
}

function matcherOf(text: ModelText, key: 'm' | 'm2', fields: Fields, file: string): Matcher {
  const definition = definitionOf(text, 'matchers', key)
  if (definition === undefined) throw new PolicyModelError(`${file}: [matchers] has no ${key}`)
  const tree = parseMatcher(definition.value, fields, `${file}:${definition.line}, ${key}`)
  if (!contains(tree, (node) => node.type === 'field' && node.of === 'p')) {
    throw new PolicyModelError(`${file}:${definition.line}: ${key} names no field of p, so no rule could deny anything`)
  }
  const conjuncts = conjunctsOf(tree)
  return { conjuncts, narrowing: narrowingOf(conjuncts) }
}

function callsTokenRule(matcher: Matcher): boolean {
  return matcher.conjuncts.some((conjunct) =>
    contains(conjunct, (node) => node.type === 'call' && node.name === 'tokenAllowed'),
  )
}

function effectOf(model: CasbinModel, file: string): IndexableEffect | null {
  const effect = model.model.get('e')?.get('e')?.value ?? ''
  const known = EFFECTS[effect]
  if (known === undefined)
    throw new PolicyModelError(`${file}: [policy_effect] \`${effect}\` is not one of Casbin's that are known here`)
  return known
}

function ruleOf(line: RuleLine, ruleFields: readonly RuleField[]): FileRule {
  if (line.cells.length !== ruleFields.length) {
    throw new PolicyModelError(`${line.place}: p needs ${ruleFields.length} cells (${ruleFields.join(', ')})`)
  }
  const cells = Object.fromEntries(ruleFields.map((field, index) => [field, line.cells[index]]))
  const rule = { ...(cells as Record<RuleField, string>), place: line.place }
  if (rule.eft !== 'allow' && rule.eft !== 'deny') {
    throw new PolicyModelError(`${line.place}: the effect is \`${rule.eft}\`; it must be allow or deny`)
  }
  if (!/^\d*$/.test(rule.from) || !/^\d*$/.test(rule.until)) {
    throw new PolicyModelError(`${line.place}: from and until are epoch milliseconds, or empty for an open end`)
  }
  if (rule.sub === '' || rule.act === '' || !/^(\*|[1-9]\d*)$/.test(rule.dom)) {
    throw new PolicyModelError(`${line.place}: a rule needs sub and act, and dom must be a project's id or *`)
  }
  return rule
}

function linkOf(line: RuleLine, width: 2 | 3): FileLink {
  const wanted = width === 3 ? 'g' : 'g2'
  if (line.ptype !== wanted)
    throw new PolicyModelError(`${line.place}: a line starts with p, g or g2, not \`${line.ptype}\``)
  const [from = '', to = '', dom = ''] = line.cells
  if (line.cells.length !== width || line.cells.includes('')) {
    throw new PolicyModelError(`${line.place}: ${wanted} needs ${width} cells, none of them empty`)
  }
  return { from, to, dom }
}
