import { DomainError } from '../errors.ts'
import { refuseBadNames } from '../names.ts'
import type { PageRequest } from '../page.ts'
import type { Committed, PolicyWrite, WriteContext } from '../policy/policy-write.ts'
import { newServiceKey, serviceKeyHash, serviceKeyStart } from './service-key.ts'
import type { NewServiceKey, SERVICE_KEY_SORTS, ServiceKey, ServiceKeyFilter } from './service-key-schemas.ts'

/** How a list of service keys is asked for. */
export type ServiceKeyPage = PageRequest<keyof typeof SERVICE_KEY_SORTS>

/** Reads what is known of service keys: everything but the keys. */
export interface ServiceKeyReader {
  find(id: number): Promise<ServiceKey | null>
  /** Up to `limit + 1` keys, see {@link PageRequest}. */
  list(filter: ServiceKeyFilter, page: ServiceKeyPage): Promise<ServiceKey[]>
}

/** What a write about service keys needs, in its transaction. */
export interface ServiceKeyStore extends ServiceKeyReader {
  nameTaken(name: string): Promise<boolean>
  /** Keeps a new key by its SHA-256 (lower-case hex). */
  add(key: NewServiceKey & { keyHash: string; keyStart: string; createdBy: string }): Promise<ServiceKey>
  /** Removes a key and gives what it was, or null when there is none. */
  remove(id: number): Promise<ServiceKey | null>
}

/** The credentials of the programs that call this service. */
export class ServiceKeyService {
  readonly #write: PolicyWrite<{ serviceKeys: ServiceKeyStore }>
  readonly #keys: ServiceKeyReader

  constructor(write: PolicyWrite<{ serviceKeys: ServiceKeyStore }>, keys: ServiceKeyReader) {
    this.#write = write
    this.#keys = keys
  }

  /** @throws DomainError `not-found` */
  async get(id: number): Promise<ServiceKey> {
    return known(id, await this.#keys.find(id))
  }

  /** Up to `limit + 1` keys, see {@link PageRequest}. */
  list(filter: ServiceKeyFilter, page: ServiceKeyPage): Promise<ServiceKey[]> {
    return this.#keys.list(filter, page)
  }

  /**
   * Makes a key. Only its SHA-256 is kept: who loses it makes another.
   *
   * @throws DomainError `invalid-request`, `name-taken`
   */
  create(context: WriteContext, { name, scopes }: NewServiceKey): Promise<Committed<ServiceKey & { key: string }>> {
    refuseBadNames([{ pointer: '/name', value: name, limit: name.length, empty: false }])
    const key = newServiceKey()
    return this.#write(context, async ({ serviceKeys }, audit) => {
      if (await serviceKeys.nameTaken(name)) {
        const fault = { pointer: '/name', detail: 'another service key has this name' }
        throw new DomainError('name-taken', fault.detail, { faults: [fault] })
      }
      const made = await serviceKeys.add({
        name,
        scopes,
        keyHash: serviceKeyHash(key),
        keyStart: serviceKeyStart(key),
        createdBy: context.caller,
      })
      audit({ action: 'service-key.create', target: `service-key:${made.id}`, after: made })
      return { ...made, key }
    })
  }

  /**
   * Ends a key at once.
   *
   * @throws DomainError `not-found`
   */
  delete(context: WriteContext, id: number): Promise<Committed<void>> {
    return this.#write(context, async ({ serviceKeys }, audit) => {
      const before = known(id, await serviceKeys.remove(id))
      audit({ action: 'service-key.delete', target: `service-key:${id}`, before })
    })
  }
}

function known(id: number, key: ServiceKey | null): ServiceKey {
  if (key === null) throw new DomainError('not-found', `there is no service key ${id}`)
  return key
}
