import { ABSENT } from './id-index.ts'
import {
  type ArgumentKind,
  isMatcherFunction,
  MATCHER_FUNCTIONS,
  type MatcherFunction,
  type MatcherFunctionName,
} from './matcher-functions.ts'
import type { MatcherNode } from './matcher-syntax.ts'
import { REASON_CODES } from './reasons.ts'

/**
 * What a compiled condition reads of the request and of the rule in hand. One object is filled anew for each rule.
 *
 * WHY ordinals and ids where a matcher has names: a name is a text in memory of its own, and the functions that a
 * matcher hands it to want to know whose it is. So whom and what a request is about is looked up once, before.
 */
export class MatcherContext {
  /** `r.sub`: the user's ordinal. */
  user: number = ABSENT
  /** `r.dom`: the project's id. */
  projectId = 0
  r_act = ''
  r_obj: ObjectContext = NO_OBJECT
  r_via = ''
  r_now = 0
  /** Names in Casbin: `user:<id>` and the like, a project's id as text. */
  p_sub = ''
  p_dom = ''
  p_act = ''
  p_eft = ''
  /** Epoch milliseconds as text, '' for an open end. */
  p_from = ''
  p_until = ''
}

/** An object as a matcher sees it: ordinals of creator and importer, {@link ABSENT} for nobody known. */
export type ObjectContext = { readonly given: boolean; readonly creator: number; readonly importer: number }
/** What stands in `r.obj` where the request names no object. */
export const NO_OBJECT: ObjectContext = Object.freeze({ given: false, creator: ABSENT, importer: ABSENT })

/** A compiled condition: true or false of the context's request and rule. */
export type Condition = (context: MatcherContext) => boolean

/** The links `g` and the implications `g2` that calls in a condition ask; names in Casbin. */
export type LinkFunctions = {
  g: (from: string, to: string, dom: string) => boolean
  g2: (from: string, to: string) => boolean
}

type Functions = Record<MatcherFunctionName, MatcherFunction>

/**
 * What conditions may call: the matcher's functions by ordinals and by names in Casbin, links, and `subOf`, which gives
 * the name of an ordinal, '' of {@link ABSENT}.
 */
export type Callable = { functions: Functions; named: Functions; links: LinkFunctions; subOf: (user: number) => string }

/** A condition on the request, and what its failing means, as a place in REASON_CODES. */
export type ReasonedNode = { node: MatcherNode; reason: number }

/** The place in REASON_CODES of the first reason among conditions that fail, or `limit` where none comes before it. */
export type FirstReason = (context: MatcherContext, limit: number) => number

/** No reason to deny: the limit of a {@link FirstReason} where nothing has failed yet. */
export const NO_REASON: number = REASON_CODES.length

/**
 * Compiles the conditions of one snapshot's matcher from their syntax trees to JavaScript; every name in them was
 * checked when the model was loaded, and nothing of a request becomes part of the source.
 *
 * WHY source and not closures over closures: V8 compiles a generated function as one, with the functions it calls drawn
 * in; a tree of closures shares its code among all conditions and so is called through at every node.
 */
export class MatcherCompiler {
  readonly #names: readonly string[]
  readonly #functions: readonly unknown[]

  constructor({ functions, named, links, subOf }: Callable) {
    const known: Record<string, unknown> = { ...functions, ...links, named, subOf }
    this.#names = Object.keys(known)
    this.#functions = Object.values(known)
  }

  /** All of the conditions as one. As in Casbin: false, 0 and '' do not match, everything else does. */
  conditionOf(nodes: readonly MatcherNode[]): Condition {
    const all = nodes.map((node) => this.#source(node)).join(' && ')
    return this.#made(`(c) => Boolean(${all || true})`) as Condition
  }

  /** The conditions asked in the order of their reasons, until one fails. */
  firstReasonOf(conditions: readonly ReasonedNode[]): FirstReason {
    const steps = [...conditions]
      .sort((a, b) => a.reason - b.reason)
      .map(({ node, reason }) => `if (limit <= ${reason}) return limit; if (!(${this.#source(node)})) return ${reason}`)
    return this.#made(`(c, limit) => { ${[...steps, 'return limit'].join('; ')} }`) as FirstReason
  }

  #made(source: string): unknown {
    return new Function(...this.#names, `'use strict'; return ${source}`)(...this.#functions)
  }

  /** The value of a node as Casbin has it: names as texts. */
  #source(node: MatcherNode): string {
    switch (node.type) {
      case 'literal':
        return JSON.stringify(node.value)
      case 'field':
        return fieldSource(node)
      case 'object-field':
        return node.name === 'given' ? 'c.r_obj.given' : `subOf(c.r_obj.${node.name})`
      case 'call':
        return this.#callSource(node)
      case 'not':
        return `!(${this.#source(node.operand)})`
      case 'logical':
      case 'binary':
        // Casbin compares loosely: `==` stays `==`.
        return `(${this.#source(node.left)} ${node.operator} ${this.#source(node.right)})`
      default:
        return node satisfies never
    }
  }

  /**
   * A function is called by ordinals where the context knows all that it is asked about; whatever else a matcher passes
   * is a name, and so it is called by names.
   */
  #callSource({ name, args }: CallNode): string {
    const texts = args.map((arg) => this.#source(arg))
    if (name === 'g' || name === 'g2') return `${name}(${texts.join(', ')})`
    if (!isMatcherFunction(name)) throw new Error(`a matcher cannot call \`${name}\``)
    const takes: readonly ArgumentKind[] = MATCHER_FUNCTIONS[name].takes
    const known = args.map((arg, at) => (takes[at] === 'plain' ? texts[at] : knownSource(arg, takes[at])))
    return known.includes(undefined) ? `named.${name}(${texts.join(', ')})` : `${name}(${known.join(', ')})`
  }
}

/** What the context has of a user or project that a matcher names; undefined where it is about anybody else. */
function knownSource(node: MatcherNode, kind: ArgumentKind | undefined): string | undefined {
  if (kind === 'project') return isRequestField(node, 'dom') ? 'c.projectId' : undefined
  if (isRequestField(node, 'sub')) return 'c.user'
  return node.type === 'object-field' && node.name !== 'given' ? `c.r_obj.${node.name}` : undefined
}

type CallNode = Extract<MatcherNode, { type: 'call' }>
type FieldNode = Extract<MatcherNode, { type: 'field' }>

function isRequestField(node: MatcherNode, name: string): boolean {
  return node.type === 'field' && node.of === 'r' && node.name === name
}

function fieldSource(node: FieldNode): string {
  if (isRequestField(node, 'sub')) return 'subOf(c.user)'
  if (isRequestField(node, 'dom')) return 'String(c.projectId)'
  const name = `${node.of}_${node.name}`
  if (name === 'r_obj' || !Object.hasOwn(new MatcherContext(), name)) {
    throw new Error(`a matcher cannot read \`${name}\` as a whole`)
  }
  return `c.${name}`
}
