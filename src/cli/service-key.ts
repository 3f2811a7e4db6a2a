import type { Config } from '../config.ts'
import type { NewServiceKey } from '../session/service-key-schemas.ts'
import { type Terminal, withParts } from './command-parts.ts'

/** What a service key can be made to open. */
export type ServiceKeyScopes = NewServiceKey['scopes']

/**
 * `gatehouse service-key create`: makes a key and prints it, once; the result is the bare key, so that a script can
 * keep it without it being shown.
 *
 * @throws DomainError when the name is refused or taken
 */
export async function createServiceKey(
  name: string,
  options: { scopes: ServiceKeyScopes; json?: boolean },
  config: Config,
  { out, progress }: Terminal,
): Promise<0> {
  const { scopes, json } = options
  const { value, revision } = await withParts(config, ({ serviceKeys }) =>
    serviceKeys.create({ caller: 'command:service-key', requestId: null, inPerson: null }, { name, scopes }),
  )
  if (json === true) {
    out(JSON.stringify({ ...value, revision }, null, 2))
    return 0
  }
  progress(`made service key ${JSON.stringify(name)} for ${scopes.join(', ')}; it is shown now and never again:`)
  out(value.key)
  return 0
}
