import type { SigningKeyState } from '../decision/policy-state.ts'
import type { Committed, PolicyWrite, WriteContext } from '../policy/policy-write.ts'
import type { PrivateKey } from './access-token.ts'
import { type NewSigningKey, newSigningKey } from './signing-key.ts'
import type { KeySet, SigningKey } from './signing-key-schemas.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** How long a key signs. */
const LIFETIME_MS = 90 * DAY_MS
/** How long before its use a key is published, so that whoever keeps the key set has it in time. */
const AHEAD_MS = DAY_MS
/** How long a key is published after its use: longer than access tokens live and clocks differ. */
const GRACE_MS = HOUR_MS
const LOOK_EVERY_MS = HOUR_MS

/** Reads signing keys. */
export interface SigningKeyReader {
  /** All keys, by the time from which they sign. */
  list(): Promise<SigningKey[]>
  /** The key that signs now, or null when there is none. */
  active(): Promise<PrivateKey | null>
}

/** What a write about signing keys needs, in its transaction. */
export interface SigningKeyStore extends SigningKeyReader {
  /** Keeps other replicas from rotating until the transaction ends, and gives the database's time. */
  lock(): Promise<Date>
  add(key: NewSigningKey, activeFrom: Date): Promise<void>
  setActiveFrom(kid: string, activeFrom: Date): Promise<void>
  /** Sets when the keys that were in use before `kid` stop being published. */
  retireAllBut(kid: string, publishedUntil: Date): Promise<void>
  /** Removes the keys whose publication has ended, and gives their kids. */
  removeRetired(now: Date): Promise<string[]>
}

type Stores = { signingKeys: SigningKeyStore }
type Log = Record<'error', (details: object, message: string) => void>

const BY_ITSELF: WriteContext = { caller: 'command:serve', requestId: null, inPerson: null }

/**
 * The keys that sign access tokens: one that signs for 90 days, the next, published a day before its use, and the one
 * before, published until what it signed has expired.
 */
export class SigningKeyService {
  readonly #write: PolicyWrite<Stores>
  readonly #keys: SigningKeyReader
  readonly #log: Log
  #timer: NodeJS.Timeout | undefined

  constructor(write: PolicyWrite<Stores>, keys: SigningKeyReader, log: Log) {
    this.#write = write
    this.#keys = keys
    this.#log = log
  }

  /** Makes the first key where there is none, and looks once an hour whether the next one is due. */
  async start(): Promise<void> {
    await this.maintain()
    this.#timer = setInterval(() => {
      this.maintain().catch((cause) => this.#log.error({ err: cause }, 'signing keys cannot be looked after'))
    }, LOOK_EVERY_MS)
    this.#timer.unref()
  }

  /** Stops looking. */
  stop(): void {
    clearInterval(this.#timer)
  }

  /** The key that signs now. */
  async current(): Promise<PrivateKey> {
    const active = await this.#keys.active()
    if (active !== null) return active
    await this.maintain()
    const made = await this.#keys.active()
    if (made === null) throw new Error('there is no signing key, and none could be made')
    return made
  }

  /** All keys that are published, by the time from which they sign. */
  list(): Promise<SigningKey[]> {
    return this.#keys.list()
  }

  /** Makes and removes keys as time goes by; whichever replica comes first. */
  async maintain(): Promise<void> {
    if (!isDue(await this.#keys.list(), Date.now())) return
    await this.#write(BY_ITSELF, async ({ signingKeys }, audit) => {
      const now = await signingKeys.lock()
      for (const kid of await signingKeys.removeRetired(now)) {
        audit({ action: 'signing-key.retire', target: `signing-key:${kid}` })
      }
      const newest = (await signingKeys.list()).at(-1)
      if (newest !== undefined && !isNextDue(newest, now.getTime())) return
      const activeFrom =
        newest === undefined
          ? now
          : new Date(Math.max(now.getTime() + AHEAD_MS, Date.parse(newest.activeFrom) + LIFETIME_MS))
      audit(await added(signingKeys, activeFrom))
    })
  }

  /**
   * Makes the next key, to be used a day from now; where it is there already, only its time is brought forward, never
   * to less than a day after its publication. `immediately`: a new key signs now, and all others go.
   */
  rotate(context: WriteContext, immediately: boolean): Promise<Committed<SigningKey[]>> {
    return this.#write(context, async ({ signingKeys }, audit) => {
      const now = await signingKeys.lock()
      if (immediately) {
        const entry = await added(signingKeys, now)
        await signingKeys.retireAllBut(entry.kid, now)
        await signingKeys.removeRetired(now)
        audit({ ...entry, after: { ...entry.after, immediately } })
      } else audit(await broughtForward(signingKeys, now))
      return signingKeys.list()
    })
  }
}

/** The JWK set of the keys that a snapshot knows: those in use, the next, and those whose tokens may be in force. */
export function keySet(keys: ReadonlyMap<string, SigningKeyState>, now: number): KeySet {
  const published = [...keys.values()].filter((key) => key.publishedUntil === null || key.publishedUntil > now)
  return {
    keys: published
      .sort((a, b) => a.activeFrom - b.activeFrom)
      .map(({ kid, publicKey: { kty = '', crv = '', x = '' } }) => ({ kty, crv, x, kid, alg: 'EdDSA', use: 'sig' })),
  }
}

function isDue(keys: readonly SigningKey[], now: number): boolean {
  const newest = keys.at(-1)
  const isRetired = ({ publishedUntil }: SigningKey) => publishedUntil !== null && Date.parse(publishedUntil) <= now
  return newest === undefined || isNextDue(newest, now) || keys.some(isRetired)
}

const isNextDue = ({ activeFrom }: SigningKey, now: number): boolean =>
  Date.parse(activeFrom) + LIFETIME_MS - AHEAD_MS <= now

async function added(signingKeys: SigningKeyStore, activeFrom: Date) {
  const key = newSigningKey()
  await signingKeys.add(key, activeFrom)
  await signingKeys.retireAllBut(key.kid, new Date(activeFrom.getTime() + GRACE_MS))
  const after = { activeFrom: activeFrom.toISOString() }
  return { action: 'signing-key.create', target: `signing-key:${key.kid}`, kid: key.kid, after }
}

async function broughtForward(signingKeys: SigningKeyStore, now: Date) {
  const next = (await signingKeys.list()).find(({ activeFrom }) => Date.parse(activeFrom) > now.getTime())
  if (next === undefined) return added(signingKeys, new Date(now.getTime() + AHEAD_MS))
  const earliest = Math.max(now.getTime(), Date.parse(next.createdAt) + AHEAD_MS)
  const activeFrom = new Date(Math.min(earliest, Date.parse(next.activeFrom)))
  await signingKeys.setActiveFrom(next.kid, activeFrom)
  await signingKeys.retireAllBut(next.kid, new Date(activeFrom.getTime() + GRACE_MS))
  const [before, after] = [{ activeFrom: next.activeFrom }, { activeFrom: activeFrom.toISOString() }]
  return { action: 'signing-key.update', target: `signing-key:${next.kid}`, before, after }
}
