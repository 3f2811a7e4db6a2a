import type {
  ApiTokenState,
  EndedSessionState,
  PolicyChange,
  ServiceKeyState,
  SigningKeyState,
} from './policy-state.ts'

type CredentialChange = Extract<PolicyChange, { kind: 'serviceKey' | 'apiToken' | 'signingKey' | 'endedSession' }>

/** Rows of one kind, found by a name of their own that outsiders know them by. */
class Ring<State extends { id: number }> {
  readonly byName = new Map<string, State>()
  readonly #names = new Map<number, string>()
  readonly #nameOf: (state: State) => string

  constructor(nameOf: (state: State) => string) {
    this.#nameOf = nameOf
  }

  set(id: number, state: State | null): void {
    const known = this.#names.get(id)
    if (known !== undefined) this.byName.delete(known)
    this.#names.delete(id)
    if (state === null) return
    this.#names.set(id, this.#nameOf(state))
    this.byName.set(this.#nameOf(state), state)
  }
}

/** What the snapshot knows of the credentials of callers; secrets are not among it, only what recognises them. */
export class Credentials {
  /** Raised by every change, of a credential or of a user, since an account's end is the end of its credentials. */
  generation = 0
  readonly #serviceKeys = new Ring<ServiceKeyState>(({ keyHash }) => keyHash)
  readonly #apiTokens = new Ring<ApiTokenState>(({ tokenHash }) => tokenHash)
  readonly #signingKeys = new Ring<SigningKeyState>(({ kid }) => kid)
  readonly #endedSessions = new Map<number, EndedSessionState>()

  /** By the SHA-256 of the key, in lower-case hex. */
  get serviceKeys(): ReadonlyMap<string, ServiceKeyState> {
    return this.#serviceKeys.byName
  }
  /** By the SHA-256 of the token, in lower-case hex; expired ones too. */
  get apiTokens(): ReadonlyMap<string, ApiTokenState> {
    return this.#apiTokens.byName
  }
  /** By `kid`; retired ones and ones not in use yet too. */
  get signingKeys(): ReadonlyMap<string, SigningKeyState> {
    return this.#signingKeys.byName
  }
  /** Was this session ended before its time, as far back as access tokens live? */
  isEnded(sessionId: number): boolean {
    return this.#endedSessions.has(sessionId)
  }

  /** Takes over one change. */
  apply(change: CredentialChange): void {
    this.generation += 1
    if (change.kind === 'serviceKey') this.#serviceKeys.set(change.id, change.state)
    else if (change.kind === 'apiToken') this.#apiTokens.set(change.id, change.state)
    else if (change.kind === 'signingKey') this.#signingKeys.set(change.id, change.state)
    else if (change.state === null) this.#endedSessions.delete(change.id)
    else this.#endedSessions.set(change.id, change.state)
  }
}

/** Is this change about a credential? */
export function isCredentialChange(change: PolicyChange): change is CredentialChange {
  return ['serviceKey', 'apiToken', 'signingKey', 'endedSession'].includes(change.kind)
}
