import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'

const besidePackage = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url))

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

/** `must` ends the sentence "<VARIABLE> must …" of a fault; values are never repeated there, they may be secret. */
const VARIABLES = Type.Object({
  DATABASE_URL: Type.Optional(
    Type.String({
      description: 'PostgreSQL 15 or later to use; without it an embedded PostgreSQL keeps its data in `DATA_DIR`',
      must: 'be a URL like postgres://user@host:5432/name',
      refine: isPostgresUrl,
    }),
  ),
  DATA_DIR: Type.String({
    description: 'folder for whatever the service keeps itself, the embedded database above all',
    default: './data',
    must: 'be the path of a folder',
  }),
  HOST: Type.String({ description: 'address to listen on', default: '127.0.0.1', must: 'be an address or host name' }),
  PORT: Type.Integer({
    description: 'port to listen on; 0 takes any free one',
    default: 8080,
    minimum: 0,
    maximum: 65_535,
    must: 'be a whole number from 0 to 65535',
  }),
  PUBLIC_URL: Type.Optional(
    Type.String({
      description: 'address by which callers reach the service, for the API documentation',
      must: 'be an http or https URL without query or fragment',
      refine: isPublicUrl,
    }),
  ),
  LOG_LEVEL: Type.Enum(LOG_LEVELS, {
    description: `least level that is logged: ${LOG_LEVELS.join(', ')}`,
    default: 'info',
    must: `be one of ${LOG_LEVELS.join(', ')}`,
  }),
  MODEL_FILE: Type.String({
    description: 'Casbin model that decides; the default is the one beside the package',
    default: 'model.conf',
    must: 'be the path of a file',
  }),
  POLICY_DIR: Type.String({
    description: 'folder of the rules; the default is the one beside the package',
    default: 'policies',
    must: 'be the path of a folder',
  }),
  MAX_STALENESS: Type.String({
    description: 'how long checks go on from the last policy read while the database is away (ISO 8601 duration)',
    default: 'PT5M',
    must: 'be an ISO 8601 duration above zero, in weeks, days, hours, minutes or seconds, like PT5M',
    refine: (value: string) => (durationMs(value) ?? 0) > 0,
  }),
})

type Variables = Static<typeof VARIABLES>

/** What the service runs by; paths are absolute. Made by {@link loadConfig} only. */
export type Config = Readonly<{
  /** Undefined: the embedded PostgreSQL in `dataDir`. */
  databaseUrl: string | undefined
  dataDir: string
  host: string
  port: number
  publicUrl: string | undefined
  logLevel: (typeof LOG_LEVELS)[number]
  modelFile: string
  policyDir: string
  maxStalenessMs: number
}>

/** One line of the README's configuration table. `default` is undefined where a variable may stay unset. */
export type ConfigVariable = { name: string; default: string | undefined; description: string }

/** The environment does not describe a configuration; the message names every fault, and `faults` each by itself. */
export class ConfigError extends Error {
  readonly faults: readonly string[]

  constructor(faults: string[]) {
    super(`the configuration is wrong: ${faults.join('; ')}`)
    this.name = 'ConfigError'
    this.faults = faults
  }
}

/**
 * Reads the configuration from environment variables; an empty one counts as unset, one we do not know is ignored.
 * Throws one {@link ConfigError} that names every fault.
 */
export function loadConfig(env: Record<string, string | undefined>): Config {
  const given: Record<string, unknown> = {}
  for (const [name, schema] of Object.entries(VARIABLES.properties)) {
    const value = env[name]
    if (value !== undefined && value !== '') given[name] = Type.IsInteger(schema) ? wholeNumber(value) : value
  }
  const variables = Value.Default(VARIABLES, given)
  const faults = faultsOf(variables as Record<string, unknown>)
  if (faults.length > 0) throw new ConfigError(faults)
  return configOf(variables as Variables, given)
}

/** Every variable that {@link loadConfig} reads, in the order to show them. */
export function configVariables(): ConfigVariable[] {
  return Object.entries(VARIABLES.properties).map(([name, schema]) => {
    const { default: fallback, description } = schema as unknown as { default?: unknown; description: string }
    return { name, default: fallback === undefined ? undefined : String(fallback), description }
  })
}

/**
 * Milliseconds of an ISO 8601 duration in weeks, days, hours, minutes and seconds; undefined when it is none. Years
 * and months have no fixed length and are refused.
 */
export function durationMs(text: string): number | undefined {
  const match = /^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d{1,3})?)S)?)?$/.exec(text)
  if (!match || text === 'P') return undefined
  const [weeks = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = match.slice(1).map((part) => Number(part ?? 0))
  const ms = Math.round((((weeks * 7 + days) * 24 + hours) * 60 + minutes) * 60_000 + seconds * 1000)
  return Number.isSafeInteger(ms) ? ms : undefined
}

function configOf(variables: Variables, given: Record<string, unknown>): Config {
  return Object.freeze({
    databaseUrl: variables.DATABASE_URL,
    dataDir: resolve(variables.DATA_DIR),
    host: variables.HOST,
    port: variables.PORT,
    publicUrl: variables.PUBLIC_URL,
    logLevel: variables.LOG_LEVEL,
    modelFile: 'MODEL_FILE' in given ? resolve(variables.MODEL_FILE) : besidePackage(variables.MODEL_FILE),
    policyDir: 'POLICY_DIR' in given ? resolve(variables.POLICY_DIR) : besidePackage(variables.POLICY_DIR),
    maxStalenessMs: durationMs(variables.MAX_STALENESS) ?? 0,
  })
}

function faultsOf(variables: Record<string, unknown>): string[] {
  return Object.entries(VARIABLES.properties)
    .filter(([name, schema]) => name in variables && !fits(schema, variables[name]))
    .map(([name, schema]) => `${name} must ${(schema as unknown as { must: string }).must}`)
}

function fits(schema: unknown, value: unknown): boolean {
  const { refine } = schema as { refine?: (value: string) => boolean }
  return Value.Check(schema as Parameters<typeof Value.Check>[0], value) && (refine?.(value as string) ?? true)
}

function wholeNumber(text: string): number | string {
  return /^\d{1,15}$/.test(text) ? Number(text) : text
}

/** A socket folder may stand for the host (postgres://user@/name?host=/run), as in libpq. */
function isPostgresUrl(text: string): boolean {
  return /^postgres(ql)?:\/\//.test(text) && URL.canParse(text.replace('@/', '@localhost/'))
}

function isPublicUrl(text: string): boolean {
  return /^https?:\/\/[^?#]+$/.test(text) && URL.canParse(text)
}
