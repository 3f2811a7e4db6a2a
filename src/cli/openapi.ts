import { pino } from 'pino'
import { stringify } from 'yaml'
import { type AppParts, buildApp } from '../app.ts'

/**
 * `gatehouse openapi`: the description of the HTTP interface as YAML, the same each time. Routes are registered and
 * none is called, so it needs no database and no configuration.
 */
export async function openapiYaml(): Promise<string> {
  const app = await buildApp(unusedParts())
  try {
    return stringify(app.swagger(), { aliasDuplicateObjects: false, lineWidth: 0 })
  } finally {
    await app.close()
  }
}

/** Parts that nobody asks anything: they are only handed on while routes are registered. */
function unusedParts(): AppParts {
  const parts = {
    config: { publicUrl: undefined, registration: { allowed: false }, sessions: { trustedProxies: [] } },
    log: pino({ level: 'silent' }),
  }
  return new Proxy(parts as unknown as AppParts, {
    get: (target, name) => (name in target ? target[name as keyof AppParts] : {}),
  })
}
