import { createHash, pbkdf2, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { verify as verifyArgon2 } from '@node-rs/argon2'
import { verify as verifyBcrypt } from '@node-rs/bcrypt'

const deriveKey = promisify(pbkdf2)

/** Costlier hashes than these are not verified: whoever brought one could keep the service busy with it. */
const MOST = { iterations: 2_000_000, memoryKib: 262_144, passes: 10, lanes: 16, bcryptCost: 14 }

/** How our own hashes begin: argon2id with 19 MiB, two passes and one lane. */
export const OWN_PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const
export const OWN_PREFIX = '$argon2id$v=19$m=19456,t=2,p=1$'

/**
 * What verifying one hash costs. `family` is an algorithm; hashes of one family differ in `cost`, which is a text for
 * those that can only be compared (argon2, bcrypt) and a number of iterations for PBKDF2.
 */
export type HashCost =
  | { family: 'argon2' | 'bcrypt'; cost: string }
  | { family: 'pbkdf2_sha256' | 'pbkdf2_sha1'; cost: number }

/** A stored hash that can be verified. */
export type StoredHash = HashCost & { fits(password: string): Promise<boolean> }

/**
 * Reads a stored hash: ours, or one that Django made. Null for what no password fits: none, an unusable one (`!…`), one
 * of an algorithm we do not know, or one that costs more than we are ready to pay.
 *
 * Our own hashes are of the password in NFKC, so that it fits however it was typed (NIST SP 800-63B). Django hashes what
 * it receives, so its hashes are tried with that.
 */
export function readHash(stored: string | null): StoredHash | null {
  if (stored === null || stored.startsWith('!')) return null
  const [name = ''] = stored.split('$', 1)
  if (name === '') return argon2Hash(stored, (password) => password.normalize('NFKC'))
  if (name === 'argon2') return argon2Hash(stored.slice('argon2'.length), (password) => password)
  if (name === 'bcrypt' || name === 'bcrypt_sha256') return bcryptHash(stored, name)
  if (name === 'pbkdf2_sha256' || name === 'pbkdf2_sha1') return pbkdf2Hash(stored, name)
  return null
}

function argon2Hash(stored: string, prepared: (password: string) => string): StoredHash | null {
  const [, cost, memory, passes, lanes] =
    /^\$(argon2(?:id|i|d)\$v=\d+\$m=(\d+),t=(\d+),p=(\d+))\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+$/.exec(stored) ?? []
  if (cost === undefined) return null
  const isBearable = Number(memory) <= MOST.memoryKib && Number(passes) <= MOST.passes && Number(lanes) <= MOST.lanes
  return isBearable ? { family: 'argon2', cost, fits: (password) => verifyArgon2(stored, prepared(password)) } : null
}

function bcryptHash(stored: string, name: 'bcrypt' | 'bcrypt_sha256'): StoredHash | null {
  const [, hash, cost] = /^bcrypt(?:_sha256)?\$(\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53})$/.exec(stored) ?? []
  if (hash === undefined || cost === undefined || Number(cost) > MOST.bcryptCost) return null
  const prepared = (password: string) =>
    name === 'bcrypt' ? password : createHash('sha256').update(password).digest('hex')
  return { family: 'bcrypt', cost, fits: (password) => verifyBcrypt(prepared(password), hash) }
}

function pbkdf2Hash(stored: string, family: 'pbkdf2_sha256' | 'pbkdf2_sha1'): StoredHash | null {
  const [, count, salt, hash] = /^\w+\$(\d{1,7})\$([^$]+)\$([A-Za-z0-9+/]+=*)$/.exec(stored) ?? []
  const iterations = Number(count)
  if (salt === undefined || hash === undefined || iterations < 1 || iterations > MOST.iterations) return null
  const expected = Buffer.from(hash, 'base64')
  const digest = family === 'pbkdf2_sha256' ? 'sha256' : 'sha1'
  if (expected.length !== (digest === 'sha256' ? 32 : 20)) return null
  return {
    family,
    cost: iterations,
    fits: async (password) =>
      timingSafeEqual(await deriveKey(password, salt, iterations, expected.length, digest), expected),
  }
}

const FILLER = 'A'.repeat(43)

/** Costs what a hash of that kind costs to verify; no password fits. */
export function dummyHash({ family, cost }: HashCost): StoredHash {
  const stored = {
    argon2: () => `argon2$${cost}$${FILLER.slice(0, 22)}$${FILLER}`,
    bcrypt: () => `bcrypt$$2b$${cost}$${'.'.repeat(53)}`,
    pbkdf2_sha256: () => `pbkdf2_sha256$${cost}$salt$${FILLER}=`,
    pbkdf2_sha1: () => `pbkdf2_sha1$${cost}$salt$${FILLER.slice(0, 27)}=`,
  }[family]()
  const dummy = readHash(stored)
  if (dummy === null) throw new Error(`there is no hash of the kind ${family} ${cost}`)
  return dummy
}
