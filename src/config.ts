import { readFileSync } from 'node:fs'
import { type TSchema, Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Area, Given, VariableSchema } from './config/area.ts'
import { type InactivityConfig, inactivityArea } from './config/inactivity.ts'
import { type MailConfig, mailArea } from './config/mail.ts'
import { type RegistrationConfig, registrationArea } from './config/registration.ts'
import { type ServiceConfig, serviceArea } from './config/service.ts'
import { type SessionsConfig, sessionsArea } from './config/sessions.ts'

const MAX_TEXT_BYTES = 64 * 1024

/** Every area, in the order in which its variables are shown. */
// biome-ignore lint/suspicious/noExplicitAny: each area fits its own variables, which is all that matters here
const AREAS: readonly Area<any, unknown>[] = [serviceArea, sessionsArea, mailArea, registrationArea, inactivityArea]

/** What the service runs by. Made by {@link loadConfig} only. */
export type Config = Readonly<
  ServiceConfig & {
    sessions: Readonly<SessionsConfig>
    mail: Readonly<MailConfig>
    registration: Readonly<RegistrationConfig>
    inactivity: Readonly<InactivityConfig>
  }
>

/**
 * One variable as the documents show it. `default` is undefined where it may stay unset; `placeholders` are those of a
 * text whose default is shown by itself.
 */
export type ConfigVariable = {
  name: string
  default: string | undefined
  description: string
  placeholders?: readonly string[]
}

/** The environment does not describe a configuration; the message names every fault, and `faults` each by itself. */
export class ConfigError extends Error {
  readonly faults: readonly string[]

  constructor(faults: string[]) {
    super(`the configuration is wrong: ${faults.join('; ')}`)
    this.name = 'ConfigError'
    this.faults = faults
  }
}

type Environment = Record<string, string | undefined>

/**
 * Reads the configuration from environment variables; an empty one counts as unset, one we do not know is ignored.
 * Throws one {@link ConfigError} that names every fault, of single variables and of those that do not fit together.
 */
export function loadConfig(env: Environment): Config {
  const reading = new Reading(env)
  const faults = [...reading.faults, ...AREAS.flatMap((area) => area.faults?.(reading) ?? [])]
  if (faults.length > 0) throw new ConfigError(faults)
  return Object.freeze({
    ...serviceArea.part(reading.valuesOf(serviceArea), reading),
    sessions: Object.freeze(sessionsArea.part(reading.valuesOf(sessionsArea), reading)),
    mail: Object.freeze(mailArea.part(reading.valuesOf(mailArea), reading)),
    registration: Object.freeze(registrationArea.part(reading.valuesOf(registrationArea), reading)),
    inactivity: Object.freeze(inactivityArea.part(reading.valuesOf(inactivityArea), reading)),
  })
}

/** Every variable that {@link loadConfig} reads, in the order to show them. */
export function configVariables(): ConfigVariable[] {
  return variables().flatMap(([name, { default: fallback, description, orFile, placeholders }]) => {
    const variable = {
      name,
      default: fallback === undefined ? undefined : String(fallback),
      description,
      ...(placeholders && { placeholders }),
    }
    const file = { name: `${name}_FILE`, default: undefined, description: `file that holds \`${name}\`, instead of it` }
    return orFile === true ? [variable, file] : [variable]
  })
}

function variables(): [name: string, schema: VariableSchema][] {
  return AREAS.flatMap((area) => Object.entries(area.variables.properties as Record<string, VariableSchema>))
}

/** The environment by our schemas: what it gives, and what is wrong with each variable by itself. */
class Reading implements Given {
  readonly faults: string[] = []
  readonly #given = new Map<string, unknown>()

  constructor(env: Environment) {
    for (const [name, schema] of variables()) {
      const { text, fault } = textOf(env, name, schema)
      if (fault !== undefined) this.faults.push(fault)
      if (text === undefined && fault === undefined) continue
      const value = text === undefined ? undefined : typed(schema, text)
      this.#given.set(name, value)
      if (fault === undefined && !fits(schema, value)) this.faults.push(`${name} must ${schema.must}`)
    }
  }

  has(name: string): boolean {
    return this.#given.has(name)
  }

  isOn(name: string): boolean {
    return (this.#given.get(name) ?? Object.fromEntries(variables())[name]?.default) === true
  }

  /** The values of one area, with its defaults; only when nothing is at fault. */
  valuesOf<Variables extends TSchema>({ variables: schema }: { variables: Variables }) {
    const names = Object.keys((schema as unknown as { properties: object }).properties)
    const given = names.filter((name) => this.has(name)).map((name) => [name, this.#given.get(name)])
    return Value.Parse(schema, Value.Default(schema, Object.fromEntries(given)))
  }
}

/** What the environment says of a variable, from the file that it names where it may. */
function textOf(env: Environment, name: string, { orFile }: VariableSchema): { text?: string; fault?: string } {
  const [text, file] = [env[name] || undefined, (orFile === true && env[`${name}_FILE`]) || undefined]
  if (file === undefined) return text === undefined ? {} : { text }
  if (text !== undefined) return { fault: `${name} and ${name}_FILE must not both be set` }
  try {
    const bytes = readFileSync(file)
    if (bytes.length > MAX_TEXT_BYTES) return { fault: `${name}_FILE must name a file of at most 64 KiB` }
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) }
  } catch {
    return { fault: `${name}_FILE must name a file that can be read as UTF-8 text` }
  }
}

function typed(schema: VariableSchema, text: string): unknown {
  if (Type.IsInteger(schema)) return /^\d{1,15}$/.test(text) ? Number(text) : text
  if (Type.IsBoolean(schema)) return text === 'true' || (text === 'false' ? false : text)
  return text
}

function fits(schema: VariableSchema, value: unknown): boolean {
  return Value.Check(schema, value) && (schema.refine?.(value as string) ?? true)
}
