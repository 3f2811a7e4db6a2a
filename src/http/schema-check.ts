import { Ajv, type AnySchema, type ErrorObject, type ValidateFunction } from 'ajv'
import ajvFormats from 'ajv-formats'
import type { FieldFault } from '../errors.ts'
import { pointerToken } from './invalid-request.ts'

/** Types are strict and nothing is dropped: a field that the schema does not know is a fault. */
const OPTIONS = { strict: true, allowUnionTypes: true, coerceTypes: false, removeAdditional: false, useDefaults: true }

/** Each may be at fault in several ways: of what has more, only the first fault is told. */
const MAX_EXPLAINED_PARTS = 100_000
const MAX_SCHEMA_DEPTH = 16

/** `faultsIn` is asked only about what `accepts` refuses. */
export type SchemaCheck = { accepts: (data: unknown) => boolean; faultsIn: (data: unknown) => FieldFault[] }

/**
 * Makes checks of schemas by the rules of request bodies; for what comes in another way than by HTTP, too. What is valid
 * pays for one compiled check; only what is refused is checked again for every fault it has.
 */
export function schemaChecks(): (schema: unknown) => SchemaCheck {
  const [quick, thorough] = [ajv(false), ajv(true)]
  return (schema) => {
    const accepts = quick.compile(schema as AnySchema)
    let explain: ValidateFunction | undefined
    return {
      accepts: (data) => accepts(data) === true,
      faultsIn(data) {
        if (countedParts(data, 0) > MAX_EXPLAINED_PARTS) return accepts(data) ? [] : faultsOf(accepts.errors ?? [])
        explain ??= thorough.compile(schema as AnySchema)
        explain(data)
        return faultsOf(explain.errors ?? [])
      },
    }
  }
}

/** Values in a value, itself too, not deeper than any schema looks; ends soon after {@link MAX_EXPLAINED_PARTS}. */
function countedParts(value: unknown, before: number, depth = 0): number {
  let count = before + 1
  if (typeof value !== 'object' || value === null || depth === MAX_SCHEMA_DEPTH) return count
  for (const name in value) {
    if (count > MAX_EXPLAINED_PARTS) break
    count = countedParts((value as Record<string, unknown>)[name], count, depth + 1)
  }
  return count
}

function ajv(allErrors: boolean): Ajv {
  const checker = new Ajv({ ...OPTIONS, allErrors })
  ajvFormats.default(checker)
  return checker
}

function faultsOf(errors: ErrorObject[]): FieldFault[] {
  const faults = new Map<string, Set<string>>()
  for (const error of withoutBranches(errors)) {
    const pointer = pointerOf(error)
    faults.set(pointer, (faults.get(pointer) ?? new Set()).add(detailOf(error)))
  }
  return [...faults].map(([pointer, details]) => ({ pointer, detail: [...details].join(', or ') }))
}

/** Of alternatives, what each wants is told; that none of them fits is then no news. */
const withoutBranches = (errors: ErrorObject[]) =>
  errors.filter(({ keyword }) => errors.length === 1 || (keyword !== 'anyOf' && keyword !== 'if'))

function pointerOf({ keyword, instancePath, params }: ErrorObject): string {
  const name: unknown = keyword === 'required' ? params.missingProperty : params.additionalProperty
  return typeof name === 'string' ? `${instancePath}/${pointerToken(name)}` : instancePath
}

const DETAILS: Record<string, (params: Record<string, unknown>) => string> = {
  required: () => 'is missing',
  additionalProperties: () => 'is not known here',
  unevaluatedProperties: () => 'is not known here',
  enum: ({ allowedValues }) => `must be one of ${(allowedValues as unknown[]).join(', ')}`,
  const: ({ allowedValue }) => `must be ${JSON.stringify(allowedValue)}`,
}

const detailOf = ({ keyword, params, message }: ErrorObject) =>
  DETAILS[keyword]?.(params) ?? message ?? 'does not fit its schema'
