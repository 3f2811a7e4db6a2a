import { DomainError } from '../errors.ts'
import { blockedPasswords, isCommon, plainForm } from './password-blocklist.ts'

/** What a new password must be (NIST SP 800-63B, 3.1.1.2): no composition rule, no expiry, no history. */
export const PASSWORD_POLICY = {
  /** Code points. There is no second factor, so a password has to carry alone. */
  minLength: 15,
  /** Code points. */
  maxLength: 256,
  /** Bytes of its UTF-8 in NFKC: what is hashed. */
  maxBytes: 1024,
} as const

/** What the service is called, for those who would use it as a password. */
const SERVICE_WORDS = ['gatehouse', 'catmaid']
/** Fewer letters than these beside the words of the account are none of their own. */
const LEAST_OWN_LETTERS = 6

/**
 * Refuses a new password that is too short, too long or would be guessed early; the detail says why.
 *
 * @param context the words that belong to the account: login, e-mail address, names
 * @param pointer of the field of the body that holds the password
 * @throws DomainError `password-too-short`, `password-too-long`, `password-blocklisted`
 */
export function refuseBadPassword(password: string, context: readonly string[], pointer = '/password'): void {
  const { minLength, maxLength, maxBytes } = PASSWORD_POLICY
  // A code point takes two units at most, so nothing longer needs to be looked at.
  if (password.length > 2 * maxLength || [...password].length > maxLength) {
    throw refusal('password-too-long', `takes at most ${maxLength} characters`, pointer)
  }
  const normal = password.normalize('NFKC')
  if (Buffer.byteLength(normal) > maxBytes) {
    throw refusal('password-too-long', `takes at most ${maxBytes} bytes of UTF-8`, pointer)
  }
  if ([...password].length < minLength) {
    throw refusal('password-too-short', `takes at least ${minLength} characters; a sentence does well`, pointer)
  }
  const reason = guessedBecause(normal, context)
  if (reason !== undefined) throw refusal('password-blocklisted', reason, pointer)
}

/** How many passwords the list holds that everybody is refused. */
export function blocklistSize(): number {
  return blocklist().size
}

let list: ReadonlySet<string> | undefined
function blocklist(): ReadonlySet<string> {
  list ??= blockedPasswords(PASSWORD_POLICY.minLength)
  return list
}

function guessedBecause(password: string, context: readonly string[]): string | undefined {
  const plain = plainForm(password)
  if (blocklist().has(plain) || blocklist().has(password.toLowerCase()) || isCommon(plain)) {
    return 'is on the list of passwords that are tried first'
  }
  if (/^(.{1,10}?)\1+$/u.test(plain)) return 'repeats the same few characters'
  const own = withoutWords(plain, wordsOf(context)).replace(/\p{Number}/gu, '')
  if (own.length === plain.replace(/\p{Number}/gu, '').length) return undefined
  if ([...own].length < LEAST_OWN_LETTERS || isCommon(own)) {
    return 'is made of the name of the service or of words of the account: its login, address or names'
  }
  return undefined
}

/** The words as they are and reversed, the longest first; one or two letters alone are in every password. */
function wordsOf(context: readonly string[]): string[] {
  const texts = [...SERVICE_WORDS, ...context.flatMap((text) => [text, ...text.split(/[^\p{Letter}\p{Number}]+/u)])]
  const words = texts.flatMap((text) => [plainForm(text), plainForm(text.split('@', 1)[0] ?? '')])
  const telling = words.filter((word) => [...word].length > 2 || /^[^\p{ASCII}]{2}$/u.test(word))
  const both = telling.flatMap((word) => [word, [...word].reverse().join('')])
  return [...new Set(both)].sort((a, b) => b.length - a.length)
}

function withoutWords(text: string, words: readonly string[]): string {
  return words.reduce((rest, word) => rest.replaceAll(word, ''), text)
}

function refusal(
  code: 'password-too-short' | 'password-too-long' | 'password-blocklisted',
  why: string,
  pointer: string,
) {
  return new DomainError(code, `the password ${why}`, { faults: [{ pointer, detail: why }] })
}
