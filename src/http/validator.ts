import type { FastifyInstance, FastifySchemaCompiler } from 'fastify'
import { Type } from 'typebox'
import { isKeepable } from '../text.ts'
import { invalidRequest } from './invalid-request.ts'
import { longListIn, piecewiseCheck } from './long-list.ts'
import { type SchemaCheck, schemaChecks } from './schema-check.ts'

/**
 * Checks bodies as they are, and parameters after reading them as the numbers and booleans that their schema names.
 * Bodies that are long lists are checked piece by piece, see {@link piecewiseCheck}.
 */
export function validatorCompiler(): FastifySchemaCompiler<unknown> {
  const checkOf = schemaChecks()
  return ({ schema, httpPart }) => {
    const list = httpPart === 'body' ? longListIn(schema) : undefined
    if (list !== undefined) {
      return piecewiseCheck(list.name, checkOf(list.around), checkOf(list.item)) as ReturnType<
        FastifySchemaCompiler<unknown>
      >
    }
    const check = checkOf(schema)
    return httpPart === 'body' ? bodyCheck(check) : parameterCheck(schema as ParameterSchema, check)
  }
}

type Checked = { value: unknown } | { error: Error }

const bodyCheck =
  ({ accepts, faultsIn }: SchemaCheck) =>
  (body: unknown): Checked =>
    accepts(body) ? { value: body } : { error: invalidRequest(faultsIn(body)) }

/** Text that no name can hold is refused here, where a filter would carry it into the database. */
const parameterCheck =
  (schema: ParameterSchema, { accepts, faultsIn }: SchemaCheck) =>
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

const NO_PARAMETERS = Type.Object({}, { additionalProperties: false })

/** Refuses every parameter of a route that declares none: a misspelt one must not be ignored. */
export function refuseUnknownParameters(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    route.schema = { querystring: NO_PARAMETERS, ...route.schema }
  })
}
