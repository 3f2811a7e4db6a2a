import { Ajv, type AnySchema, type ErrorObject, type ValidateFunction } from 'ajv'
import ajvFormats from 'ajv-formats'
import type { FastifyInstance, FastifySchemaCompiler } from 'fastify'
import { Type } from 'typebox'
import type { FieldFault } from '../errors.ts'
import { isKeepable } from '../text.ts'
import { invalidRequest, pointerToken } from './invalid-request.ts'

/** Types are strict and nothing is dropped: a field that the schema does not know is a fault. */
const OPTIONS = { strict: true, allowUnionTypes: true, coerceTypes: false, removeAdditional: false, useDefaults: true }

/**
 * Checks bodies as they are, and parameters after reading them as the numbers and booleans that their schema names.
 * Valid requests pay for one compiled check; only a refused one is checked again for every fault it has.
 */
export function validatorCompiler(): FastifySchemaCompiler<unknown> {
  const [quick, thorough] = [ajv(false), ajv(true)]
  return ({ schema, httpPart }) => {
    const accepts = quick.compile(schema as AnySchema)
    let explain: ValidateFunction | undefined
    const faultsIn = (data: unknown) => {
      explain ??= thorough.compile(schema as AnySchema)
      explain(data)
      return faultsOf(explain.errors ?? [])
    }
    return httpPart === 'body'
      ? bodyCheck(accepts, faultsIn)
      : parameterCheck(schema as ParameterSchema, accepts, faultsIn)
  }
}

/** Compiles a schema to a test of bodies, for whoever needs no fault told. */
export const bodyTest = (schema: AnySchema): ((body: unknown) => boolean) => ajv(false).compile(schema)

type FaultsIn = (data: unknown) => FieldFault[]
type Checked = { value: unknown } | { error: Error }

const bodyCheck =
  (accepts: ValidateFunction, faultsIn: FaultsIn) =>
  (body: unknown): Checked =>
    accepts(body) ? { value: body } : { error: invalidRequest(faultsIn(body)) }

/** Text that no name can hold is refused here, where a filter would carry it into the database. */
const parameterCheck =
  (schema: ParameterSchema, accepts: ValidateFunction, faultsIn: FaultsIn) =>
  (parameters: Record<string, unknown>): Checked => {
    readParameters(schema, parameters)
    const unkept = Object.entries(parameters).filter(([, value]) => typeof value === 'string' && !isKeepable(value))
    if (accepts(parameters) && unkept.length === 0) return { value: parameters }
    return {
      error: invalidRequest([
        ...faultsIn(parameters).map(({ pointer, detail }) => ({ pointer: pointer.replace('/', '?'), detail })),
        ...unkept.map(([name]) => ({ pointer: `?${name}`, detail: 'must not hold NUL' })),
      ]),
    }
  }

type ParameterSchema = { properties?: Record<string, { type?: string }> }

function ajv(allErrors: boolean): Ajv {
  const checker = new Ajv({ ...OPTIONS, allErrors })
  ajvFormats.default(checker)
  return checker
}

/** What a parameter's text says, or the text itself where it says no such thing: then its type is the fault. */
const READ: Record<string, (text: string) => unknown> = {
  integer: (text) => (/^(0|-?[1-9]\d{0,14})$/.test(text) ? Number(text) : text),
  boolean: (text) => (text === 'true' ? true : text === 'false' ? false : text),
}

function readParameters(schema: ParameterSchema, parameters: Record<string, unknown>): void {
  for (const [name, { type = '' }] of Object.entries(schema.properties ?? {})) {
    const value = parameters[name]
    if (typeof value === 'string') parameters[name] = READ[type]?.(value) ?? value
  }
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

const NO_PARAMETERS = Type.Object({}, { additionalProperties: false })

/** Refuses every parameter of a route that declares none: a misspelt one must not be ignored. */
export function refuseUnknownParameters(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    route.schema = { querystring: NO_PARAMETERS, ...route.schema }
  })
}
