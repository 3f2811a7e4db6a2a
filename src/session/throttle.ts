import { createHash } from 'node:crypto'
import { isIP } from 'node:net'
import { foldedSpelling } from '../spelling.ts'

const MINUTE = 60
const DAY = 86_400

/**
 * How often something may be tried. After `limit` turns there is none until `window` seconds have passed since the
 * first of them, or, where `memory` is given, that many since the last. With `free`, each turn after so many first waits
 * 1, 2, 4… seconds, up to `longest`.
 */
export type ThrottleRule = { key: string; limit: number } & (
  | { window: number }
  | { memory: number; free: number; longest: number }
)

/** Counts turns, across all replicas. */
export interface Throttle {
  /**
   * Takes a turn for every rule at once: one statement, so parallel attempts are counted as if one came after another.
   * Gives 0, or, where a rule has no room, takes none and gives the seconds to wait.
   */
  take(rules: readonly ThrottleRule[]): Promise<number>
  /** Forgets the turns of these keys. */
  clear(keys: readonly string[]): Promise<void>
  /** Gives back one turn each. */
  giveBack(keys: readonly string[]): Promise<void>
  /** Did the user log in from this network within 30 days? */
  isKnownNetwork(userId: number | null, network: string): Promise<boolean>
}

/** Who tries a password: `login` is the text that stands for the account, whether or not there is one. */
export type Attempt = { login: string; network: string; isKnownNetwork: boolean }

/** The network of an address: the address itself, of IPv6 its /64, which one household or host can have to itself. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address
  const plain = mapped.split('%', 1)[0] ?? ''
  if (isIP(plain) === 4) return plain
  if (isIP(plain) !== 6) return 'unknown'
  return `${ipv6Groups(plain).slice(0, 4).join(':')}::/64`
}

function ipv6Groups(address: string): string[] {
  const { hostname } = new URL(`http://[${address}]`)
  const [head = '', tail] = hostname.slice(1, -1).split('::')
  const [first, last] = [head.split(':').filter(Boolean), (tail ?? '').split(':').filter(Boolean)]
  return tail === undefined ? first : [...first, ...Array<string>(8 - first.length - last.length).fill('0'), ...last]
}

/** The rules of one try of a password. A network that the account is known from has a counter to itself. */
export function passwordRules(attempt: Attempt): ThrottleRule[] {
  const key = attempt.isKnownNetwork ? knownKey(attempt.login, attempt.network) : loginKey(attempt.login)
  return [
    { key, limit: 100, memory: 30 * DAY, free: 5, longest: 15 * MINUTE },
    { key: failuresKey(attempt.network), limit: 10, window: MINUTE },
  ]
}

/** The further rule of a login, right or wrong. */
export const loginRule = (network: string): ThrottleRule => ({ key: `network:${network}`, limit: 30, window: MINUTE })

/** The counters of wrong passwords for a text that stands for an account. */
export const passwordKeys = (login: string, network: string): string[] => [loginKey(login), knownKey(login, network)]

/** The counter of wrong passwords that came from a network. */
export const failuresKey = (network: string): string => `network-failures:${network}`

/** Of the text as it was sent, in lower case, so that it tells nothing about whether there is such an account. */
function loginKey(login: string): string {
  return `login:${createHash('sha256').update(foldedSpelling(login)).digest('hex')}`
}

const knownKey = (login: string, network: string) => `${loginKey(login)}:${network}`
