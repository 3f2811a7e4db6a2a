import type { MatcherFunction } from './matcher-functions.ts'
import type { MatcherNode } from './matcher-syntax.ts'
import { REASON_CODES } from './reasons.ts'

/**
 * What a compiled condition reads: the fields of the request and of the rule in hand, in Casbin's form: `user:<id>`,
 * project id as text, permission name, epoch milliseconds as text ('' for an open end). One object is filled anew for
 * each rule, so that deciding allocates nothing.
 */
export class MatcherContext {
  r_sub = ''
  r_dom = ''
  r_act = ''
  r_obj: ObjectContext = NO_OBJECT
  r_via = ''
  r_now = 0
  p_sub = ''
  p_dom = ''
  p_act = ''
  p_eft = ''
  p_from = ''
  p_until = ''
}

/** An object as a matcher sees it: `user:<id>` of creator and importer, '' for nobody known. */
export type ObjectContext = { readonly given: boolean; readonly creator: string; readonly importer: string }
/** What stands in `r.obj` where the request names no object. */
export const NO_OBJECT: ObjectContext = Object.freeze({ given: false, creator: '', importer: '' })

/** A compiled condition: true or false of the context's request and rule. */
export type Condition = (context: MatcherContext) => boolean

/** The links `g` and the implications `g2` that calls in a condition ask. */
export type LinkFunctions = {
  g: (from: string, to: string, dom: string) => boolean
  g2: (from: string, to: string) => boolean
}

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

  constructor(functions: Record<string, MatcherFunction>, links: LinkFunctions) {
    const known: Record<string, unknown> = { ...functions, ...links }
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

  #source(node: MatcherNode): string {
    switch (node.type) {
      case 'literal':
        return JSON.stringify(node.value)
      case 'field':
        return fieldSource(`${node.of}_${node.name}`)
      case 'object-field':
        return `c.r_obj.${node.name}`
      case 'call':
        if (!this.#names.includes(node.name)) throw new Error(`a matcher cannot call \`${node.name}\``)
        return `${node.name}(${node.args.map((arg) => this.#source(arg)).join(', ')})`
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
}

function fieldSource(name: string): string {
  if (name === 'r_obj' || !Object.hasOwn(new MatcherContext(), name)) {
    throw new Error(`a matcher cannot read \`${name}\` as a whole`)
  }
  return `c.${name}`
}
