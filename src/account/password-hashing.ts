import { hash as argon2 } from '@node-rs/argon2'
import pLimit from 'p-limit'
import { DomainError } from '../errors.ts'
import { dummyHash, type HashCost, OWN_PARAMETERS, OWN_PREFIX, readHash, type StoredHash } from './password-scheme.ts'

/** As many as libuv has threads: more would only wait there, where nobody can count them. */
const MOST_IN_FLIGHT = 4
const LONGEST_QUEUE = 64
const KINDS_FRESH_MS = 10 * 60_000
/** Kinds of argon2 and bcrypt hashes beyond these, the rarest, are told apart by their cost: nobody has that many. */
const MOST_KINDS = 8
const PBKDF2 = ['pbkdf2_sha256', 'pbkdf2_sha1'] as const
const OWN_COST: HashCost = { family: 'argon2', cost: OWN_PREFIX.slice(1, -1) }

const VECTOR = {
  password: 'gatehouse self-test',
  stored: '$argon2id$v=19$m=19456,t=2,p=1$6NheFizrSgyWsxEhOrS57A$aGOg2WZXdgZ8TsaWXGwLp1jgq3Ytov73O7njfVxtAyo',
}

/** Tells of the hashes that are stored. */
export interface StoredKinds {
  /** One hash of each kind, algorithm and cost, that accounts have; the most frequent first. */
  samples(): Promise<string[]>
}

/** Passwords cannot be hashed as they must be on this machine. */
export class PasswordHashingError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'PasswordHashingError'
  }
}

/**
 * Passwords: argon2id of the password in NFKC for our own hashes, and the hashes that Django made.
 *
 * Every verification costs the same, whatever hash the account has, or whether there is an account: one argon2 with
 * today's parameters, and, where accounts have imported hashes, one verification of each kind of argon2 and bcrypt among
 * them and as many iterations of PBKDF2 as the costliest takes; the account's own hash takes the place of a dummy. So a
 * site without imported hashes pays for one argon2 alone.
 *
 * At most 4 verifications or hashes run at a time and 64 wait; more are refused with `overloaded`.
 */
export class PasswordHashing {
  /** What was done since the start: calls of a hash function, and iterations of PBKDF2 among them. */
  readonly work = { hashes: 0, iterations: 0 }
  readonly #stored: StoredKinds
  readonly #limit = pLimit(MOST_IN_FLIGHT)
  #costs: Promise<HashCost[]> | undefined
  #costsReadAt = Number.NEGATIVE_INFINITY

  constructor(stored: StoredKinds) {
    this.#stored = stored
  }

  /** The hash to store for a password that the policy has passed. @throws DomainError `overloaded` */
  hash(password: string): Promise<string> {
    return this.#inTurn(() => {
      this.work.hashes += 1
      return argon2(password.normalize('NFKC'), OWN_PARAMETERS)
    })
  }

  /**
   * Does the password fit the stored hash? `stored` is null where there is no account: that costs the same. A hash that
   * fits and is `outdated` shall be replaced.
   *
   * @throws DomainError `overloaded`
   */
  async verify(password: string, stored: string | null): Promise<{ fits: boolean; outdated: boolean }> {
    const costs = await this.#knownCosts()
    return this.#inTurn(async () => {
      const real = readHash(stored)
      const fits = await this.#verifyAmong(costs, real, password)
      return { fits, outdated: fits && stored?.startsWith(OWN_PREFIX) === false }
    })
  }

  /** Hashes and verifies known vectors. @throws PasswordHashingError when the answers are wrong */
  async selfTest(): Promise<void> {
    try {
      const made = await argon2(VECTOR.password, OWN_PARAMETERS)
      const answers = [
        made.startsWith(OWN_PREFIX),
        await readHash(made)?.fits(VECTOR.password),
        await readHash(VECTOR.stored)?.fits(VECTOR.password),
        !(await readHash(VECTOR.stored)?.fits('another password')),
      ]
      if (answers.every(Boolean)) return
    } catch (cause) {
      throw new PasswordHashingError('the self-test of password hashing failed on this machine', { cause })
    }
    throw new PasswordHashingError('password hashing gives wrong answers on this machine')
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#limit.pendingCount >= LONGEST_QUEUE) {
      throw new DomainError('overloaded', 'too many passwords are waiting to be looked at')
    }
    return this.#limit(work)
  }

  /** One verification of every kind; the real one is among them whatever its kind. */
  async #verifyAmong(costs: readonly HashCost[], real: StoredHash | null, password: string): Promise<boolean> {
    let fits = false
    const run = async (hash: StoredHash) => {
      this.work.hashes += 1
      if (typeof hash.cost === 'number') this.work.iterations += hash.cost
      const answer = await hash.fits(password)
      if (hash === real) fits = answer
    }
    const kinds = withKind(costs, real)
    for (const kind of kinds) {
      if (typeof kind.cost === 'number') continue
      await run(real !== null && isSame(kind, real) ? real : dummyHash(kind))
    }
    for (const family of PBKDF2) {
      const most = Math.max(0, ...kinds.flatMap((kind) => (kind.family === family ? [Number(kind.cost)] : [])))
      if (most === 0) continue
      // Iterations add up: two runs that make the costliest together, so that the first can be the real one.
      const first = real?.family === family ? real : dummyHash({ family, cost: 1 })
      await run(first)
      await run(dummyHash({ family, cost: Math.max(1, most - Number(first.cost)) }))
    }
    return fits
  }

  #knownCosts(): Promise<HashCost[]> {
    const now = performance.now()
    if (this.#costs === undefined || now - this.#costsReadAt > KINDS_FRESH_MS) {
      this.#costsReadAt = now
      this.#costs = this.#stored.samples().then(costsOf)
      this.#costs.catch(() => {
        this.#costs = undefined
      })
    }
    return this.#costs
  }
}

function costsOf(samples: readonly string[]): HashCost[] {
  let costs: HashCost[] = [OWN_COST]
  for (const sample of samples) {
    const hash = readHash(sample)
    if (hash === null) continue
    const room =
      typeof hash.cost === 'number' || costs.filter(({ cost }) => typeof cost === 'string').length < MOST_KINDS
    if (room) costs = withKind(costs, hash)
  }
  return costs
}

/** The kinds with that of one more hash: one that was imported just now is not among those that were read before. */
function withKind(costs: readonly HashCost[], hash: StoredHash | null): HashCost[] {
  if (hash === null || costs.some((kind) => isSame(kind, hash))) return [...costs]
  return [...costs, { family: hash.family, cost: hash.cost } as HashCost]
}

const isSame = (a: HashCost, b: HashCost): boolean => a.family === b.family && a.cost === b.cost
