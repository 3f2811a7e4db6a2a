import expressionEval from '@casbin/expression-eval'
import { isMatcherFunction, MATCHER_FUNCTIONS } from './matcher-functions.ts'
import { PolicyModelError } from './policy-model-error.ts'

/** A node of a matcher's syntax tree, as far as a matcher may use them. `r` and `p` fields are `field` nodes. */
export type MatcherNode =
  | { type: 'literal'; value: string | number | boolean }
  | { type: 'field'; of: 'r' | 'p'; name: string }
  | { type: 'object-field'; name: ObjectField }
  | { type: 'call'; name: string; args: MatcherNode[] }
  | { type: 'not'; operand: MatcherNode }
  | { type: 'logical' | 'binary'; operator: string; left: MatcherNode; right: MatcherNode }

/** What a matcher sees of an object: `r.obj.given` is false where the request names none. */
export const OBJECT_FIELDS = ['given', 'creator', 'importer'] as const
type ObjectField = (typeof OBJECT_FIELDS)[number]

const BINARY_OPERATORS = ['==', '!=', '<', '<=', '>', '>=']
const LINK_FUNCTIONS: Record<string, number> = { g: 3, g2: 2 }

/** The fields that a request and a rule have by definition. */
export type Fields = { r: readonly string[]; p: readonly string[] }

/**
 * Parses one matcher with the parser that Casbin uses, and refuses what Casbin would let pass in silence: fields and
 * functions that do not exist (`undefined == undefined` allows across projects), wrong numbers of arguments.
 *
 * @param place file and line, for the error
 * @throws PolicyModelError naming the place and what is unknown
 */
export function parseMatcher(value: string, fields: Fields, place: string): MatcherNode {
  let tree: JsepNode
  try {
    tree = expressionEval.parse(value) as unknown as JsepNode
  } catch (cause) {
    throw new PolicyModelError(
      `${place}: the matcher cannot be read: ${cause instanceof Error ? cause.message : cause}`,
      {
        cause,
      },
    )
  }
  return new Reader(fields, place).read(tree)
}

/** The conditions that must all hold: the operands of the `&&` at the top, from left to right. */
export function conjunctsOf(node: MatcherNode): MatcherNode[] {
  return operandsOf(node, '&&')
}

/** The alternatives of which one must hold: the operands of the `||` at the top, from left to right. */
export function alternativesOf(node: MatcherNode): MatcherNode[] {
  return operandsOf(node, '||')
}

function operandsOf(node: MatcherNode, operator: string): MatcherNode[] {
  if (node.type !== 'logical' || node.operator !== operator) return [node]
  return [...operandsOf(node.left, operator), ...operandsOf(node.right, operator)]
}

/** Is there a node within this one, itself included, of which the test is true? */
export function contains(node: MatcherNode, test: (node: MatcherNode) => boolean): boolean {
  if (test(node)) return true
  if (node.type === 'call') return node.args.some((arg) => contains(arg, test))
  if (node.type === 'not') return contains(node.operand, test)
  if (node.type === 'logical' || node.type === 'binary') return contains(node.left, test) || contains(node.right, test)
  return false
}

type JsepNode = {
  type: string
  value?: unknown
  raw?: string
  name?: string
  operator?: string
  computed?: boolean
  callee?: JsepNode
  arguments?: JsepNode[]
  object?: JsepNode
  property?: JsepNode
  argument?: JsepNode
  left?: JsepNode
  right?: JsepNode
  body?: JsepNode[]
}

class Reader {
  readonly #fields: Fields
  readonly #place: string

  constructor(fields: Fields, place: string) {
    this.#fields = fields
    this.#place = place
  }

  read(node: JsepNode | undefined): MatcherNode {
    switch (node?.type) {
      case 'Literal':
        return this.#literal(node)
      case 'MemberExpression':
        return this.#field(node)
      case 'CallExpression':
        return this.#call(node)
      case 'UnaryExpression':
        if (node.operator !== '!') return this.#refuse(`operator \`${node.operator}\` is not known here`)
        return { type: 'not', operand: this.read(node.argument) }
      case 'LogicalExpression':
        return {
          type: 'logical',
          operator: node.operator ?? '',
          left: this.read(node.left),
          right: this.read(node.right),
        }
      case 'BinaryExpression':
        return this.#binary(node)
      case 'Identifier':
        return this.#refuse(`\`${node.name}\` is no field: fields are written r.<name> or p.<name>`)
      default:
        return this.#refuse(`${node?.type ?? 'nothing'} is not understood here`)
    }
  }

  #literal(node: JsepNode): MatcherNode {
    const { value } = node
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
      return { type: 'literal', value }
    }
    return this.#refuse(`literal \`${node.raw}\` is not understood here`)
  }

  #binary(node: JsepNode): MatcherNode {
    if (!BINARY_OPERATORS.includes(node.operator ?? '')) {
      return this.#refuse(`operator \`${node.operator}\` is not known here`)
    }
    return { type: 'binary', operator: node.operator ?? '', left: this.read(node.left), right: this.read(node.right) }
  }

  #field(node: JsepNode): MatcherNode {
    const path = memberPath(node)
    const [of, name = '', part] = path
    if ((of !== 'r' && of !== 'p') || path.length > 3) return this.#refuse(`\`${path.join('.')}\` is no field`)
    if (!this.#fields[of].includes(name)) {
      return this.#refuse(`unknown field \`${of}.${name}\`; ${of} has ${this.#fields[of].join(', ')}`)
    }
    if (of === 'r' && name === 'obj') {
      const objectField = OBJECT_FIELDS.find((field) => field === part)
      if (objectField !== undefined) return { type: 'object-field', name: objectField }
      return this.#refuse(`unknown field \`${path.join('.')}\`; r.obj has ${OBJECT_FIELDS.join(', ')}`)
    }
    if (part !== undefined) return this.#refuse(`\`${path.join('.')}\`: only r.obj has parts`)
    return { type: 'field', of, name }
  }

  #call(node: JsepNode): MatcherNode {
    const name = node.callee?.type === 'Identifier' ? (node.callee.name ?? '') : memberPath(node.callee).join('.')
    const arity = isMatcherFunction(name) ? MATCHER_FUNCTIONS[name].takes.length : LINK_FUNCTIONS[name]
    if (arity === undefined || !(isMatcherFunction(name) || Object.hasOwn(LINK_FUNCTIONS, name))) {
      const known = [...Object.keys(LINK_FUNCTIONS), ...Object.keys(MATCHER_FUNCTIONS)].join(', ')
      return this.#refuse(`unknown function \`${name}\`; functions are ${known}`)
    }
    const args = node.arguments ?? []
    if (args.length !== arity) return this.#refuse(`\`${name}\` takes ${arity} arguments, not ${args.length}`)
    return { type: 'call', name, args: args.map((arg) => this.read(arg)) }
  }

  #refuse(what: string): never {
    throw new PolicyModelError(`${this.#place}: ${what}`)
  }
}

function memberPath(node: JsepNode | undefined): string[] {
  if (node?.type === 'Identifier') return [node.name ?? '']
  if (node?.type === 'MemberExpression' && node.computed !== true) {
    return [...memberPath(node.object), node.property?.name ?? '']
  }
  return ['?']
}
