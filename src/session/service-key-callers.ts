import type { ServiceKeyState } from '../decision/policy-state.ts'
import type { Caller, CallerLookup, Callers } from '../http/authenticate.ts'
import { isServiceKey, serviceKeyHash } from './service-key.ts'

/** The service keys of one snapshot; the generation rises with every change of one. */
type KeyRing = { readonly serviceKeys: ReadonlyMap<string, ServiceKeyState>; readonly serviceKeyGeneration: number }

/** Finds callers by their service keys, in memory: a key that was ended opens nothing any more. */
export class ServiceKeyCallers implements Callers {
  readonly #keyRing: () => KeyRing
  #keys: KeyRing['serviceKeys'] | undefined
  #generation = 0
  #lookup: CallerLookup = () => undefined

  /** @param keyRing the keys as of now; throws DomainError `snapshot-unavailable` when nobody can tell */
  constructor(keyRing: () => KeyRing) {
    this.#keyRing = keyRing
  }

  current(): CallerLookup {
    const { serviceKeys, serviceKeyGeneration } = this.#keyRing()
    if (serviceKeys !== this.#keys || serviceKeyGeneration !== this.#generation) {
      this.#keys = serviceKeys
      this.#generation = serviceKeyGeneration
      this.#lookup = (token) => callerOf(token, serviceKeys)
    }
    return this.#lookup
  }
}

function callerOf(token: string, keys: KeyRing['serviceKeys']): Caller | undefined {
  const key = isServiceKey(token) ? keys.get(serviceKeyHash(token)) : undefined
  return key && { name: `service-key:${key.name}`, scopes: new Set(key.scopes) }
}
