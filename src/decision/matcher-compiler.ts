import type { MatcherFunction } from './matcher-functions.ts'
import type { MatcherNode } from './matcher-syntax.ts'

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

type Value = string | number | boolean
type Evaluate = (context: MatcherContext) => Value

/** The links `g` and the implications `g2` that calls in a condition ask. */
export type LinkFunctions = {
  g: (from: string, to: string, dom: string) => boolean
  g2: (from: string, to: string) => boolean
}

/** Turns a condition's syntax tree into one closure; every name in it was checked when the model was loaded. */
export function compileCondition(
  node: MatcherNode,
  functions: Record<string, MatcherFunction>,
  links: LinkFunctions,
): Condition {
  const known: Record<string, MatcherFunction> = { ...functions, ...links }
  const evaluate = compile(node, known)
  // As in Casbin: false, 0 and '' do not match, everything else does.
  return (context) => Boolean(evaluate(context))
}

function compile(node: MatcherNode, functions: Record<string, MatcherFunction>): Evaluate {
  switch (node.type) {
    case 'literal':
      return constant(node.value)
    case 'field':
      return readField(`${node.of}_${node.name}` as keyof MatcherContext)
    case 'object-field':
      return readObjectField(node.name)
    case 'call':
      return call(node, functions)
    case 'not': {
      const operand = compile(node.operand, functions)
      return (context) => !operand(context)
    }
    case 'logical':
      return logical(node.operator, compile(node.left, functions), compile(node.right, functions))
    case 'binary':
      return compare(node.operator, compile(node.left, functions), compile(node.right, functions))
    default:
      return node satisfies never
  }
}

function constant(value: Value): Evaluate {
  return () => value
}

/** One closure a field, so that each reads a property of its own and stays monomorphic. */
function readField(name: keyof MatcherContext): Evaluate {
  const readers: Partial<Record<keyof MatcherContext, Evaluate>> = {
    r_sub: (context) => context.r_sub,
    r_dom: (context) => context.r_dom,
    r_act: (context) => context.r_act,
    r_via: (context) => context.r_via,
    r_now: (context) => context.r_now,
    p_sub: (context) => context.p_sub,
    p_dom: (context) => context.p_dom,
    p_act: (context) => context.p_act,
    p_eft: (context) => context.p_eft,
    p_from: (context) => context.p_from,
    p_until: (context) => context.p_until,
  }
  const reader = readers[name]
  if (reader === undefined) throw new Error(`a matcher cannot read \`${name}\` as a whole`)
  return reader
}

function readObjectField(name: 'given' | 'creator' | 'importer'): Evaluate {
  if (name === 'given') return (context) => context.r_obj.given
  return name === 'creator' ? (context) => context.r_obj.creator : (context) => context.r_obj.importer
}

function call(node: MatcherNode & { type: 'call' }, functions: Record<string, MatcherFunction>): Evaluate {
  const target = functions[node.name] as ((...args: Value[]) => boolean) | undefined
  const [first, second, third] = node.args.map((arg) => compile(arg, functions))
  if (target === undefined || first === undefined) throw new Error(`a matcher cannot call \`${node.name}\``)
  if (second === undefined) return (context) => target(first(context))
  if (third === undefined) return (context) => target(first(context), second(context))
  return (context) => target(first(context), second(context), third(context))
}

function logical(operator: string, left: Evaluate, right: Evaluate): Evaluate {
  return operator === '&&' ? (context) => left(context) && right(context) : (context) => left(context) || right(context)
}

/** Casbin compares loosely; `==` is the same here, since what is compared is text, number or truth value. */
function compare(operator: string, left: Evaluate, right: Evaluate): Evaluate {
  switch (operator) {
    case '==':
      // biome-ignore lint/suspicious/noDoubleEquals: Casbin's own comparison, kept to the letter
      return (context) => left(context) == right(context)
    case '!=':
      // biome-ignore lint/suspicious/noDoubleEquals: Casbin's own comparison, kept to the letter
      return (context) => left(context) != right(context)
    case '<':
      return (context) => left(context) < right(context)
    case '<=':
      return (context) => left(context) <= right(context)
    case '>':
      return (context) => left(context) > right(context)
    default:
      return (context) => left(context) >= right(context)
  }
}
