import type { ApiTokenState, ServiceKeyState, SigningKeyState } from '../decision/policy-state.ts'
import type { Caller, CallerLookup, Callers } from '../http/authenticate.ts'
import { isServiceKey, serviceKeyHash } from './service-key.ts'

/** An account as far as credentials ask about it. */
export type Account = { readonly isActive: boolean; readonly isSuperuser: boolean; readonly isAnonymous: boolean }

/** What one snapshot knows of credentials and of the accounts behind them. */
export type CallerPolicy = {
  readonly users: { get(id: number): Account | undefined }
  readonly credentials: {
    /** Rises with every change of a credential or of a user. */
    readonly generation: number
    readonly serviceKeys: ReadonlyMap<string, ServiceKeyState>
    readonly apiTokens: ReadonlyMap<string, ApiTokenState>
    readonly signingKeys: ReadonlyMap<string, SigningKeyState>
    isEnded(sessionId: number): boolean
  }
}

/** Finds the caller of one kind of credential; undefined when it is of another kind, or opens nothing. */
export type CredentialReader = (credential: string, policy: CallerPolicy) => Caller | undefined

/** Finds callers by their credentials, in memory: what was ended opens nothing any more. */
export class CredentialCallers implements Callers {
  readonly #policy: () => CallerPolicy
  readonly #readers: readonly CredentialReader[]
  #known: CallerPolicy | undefined
  #generation = 0
  #lookup: CallerLookup = () => undefined

  /** @param policy the snapshot of now; throws DomainError `snapshot-unavailable` when nobody can tell */
  constructor(policy: () => CallerPolicy, readers: readonly CredentialReader[]) {
    this.#policy = policy
    this.#readers = readers
  }

  current(): CallerLookup {
    const policy = this.#policy()
    if (policy !== this.#known || policy.credentials.generation !== this.#generation) {
      this.#known = policy
      this.#generation = policy.credentials.generation
      this.#lookup = (credential) => this.#find(credential, policy)
    }
    return this.#lookup
  }

  #find(credential: string, policy: CallerPolicy): Caller | undefined {
    for (const read of this.#readers) {
      const caller = read(credential, policy)
      if (caller !== undefined) return caller
    }
    return undefined
  }
}

/** Programs by their service keys. */
export const serviceKeyCaller: CredentialReader = (credential, { credentials }) => {
  const key = isServiceKey(credential) ? credentials.serviceKeys.get(serviceKeyHash(credential)) : undefined
  return (
    key && {
      name: `service-key:${key.name}`,
      scopes: new Set(key.scopes as ('check' | 'admin' | 'metrics')[]),
      expiresAt: Number.POSITIVE_INFINITY,
      user: null,
    }
  )
}

/**
 * The one test of every path by which a user can act in person: is there an account, and is it in use? The anonymous
 * user has no credential, whatever a table says.
 */
export function liveAccount(policy: CallerPolicy, userId: number): Account | undefined {
  const account = policy.users.get(userId)
  return account?.isActive && !account.isAnonymous ? account : undefined
}
