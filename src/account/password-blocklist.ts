import { dictionary } from '@zxcvbn-ts/language-common'

/** Common passwords that longer ones are made of, the most common first. */
const COMMON: readonly string[] = Object.values(dictionary['passwords-common'] as ArrayLike<string>)
const REPEATED = 2_000
const COMBINED = 24
const PAIRED = 400

/** Rows and columns of keyboards, and other orders that fingers or tongues know. */
const WALKS = [
  'qwertyuiopasdfghjklzxcvbnm',
  'qwertzuiopasdfghjklyxcvbnm',
  'azertyuiopqsdfghjklmwxcvbn',
  '1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p',
  '1q2w3e4r5t6y7u8i9o0p',
  'qazwsxedcrfvtgbyhnujmikolp',
  'abcdefghijklmnopqrstuvwxyz',
  '1234567890',
  '0123456789',
  'a1b2c3d4e5f6g7h8i9j0',
]

const PHRASES = [
  'correct horse battery staple',
  'the quick brown fox jumps over the lazy dog',
  'to be or not to be that is the question',
  'may the force be with you',
  'in the beginning was the word',
  'lorem ipsum dolor sit amet',
  'this is my password',
  'this is a password',
  'my secret password',
  'my password is password',
  'i forgot my password',
  'i love you forever',
  'let me in please',
  'open sesame open sesame',
  'change me please',
  'twinkle twinkle little star',
  'once upon a time',
  'live long and prosper',
  'winter is coming',
  'knowledge is power',
  'never gonna give you up',
  'supercalifragilisticexpialidocious',
  'thank you very much',
  'what is the password',
  'administrator password',
  'default password',
  'temporary password',
  'trustno1 trustno1',
]

/** Lower case, in NFKC, without what stands between words: how passwords are compared with lists. */
export const plainForm = (password: string): string =>
  password
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\s\p{Punctuation}\p{Symbol}]+/gu, '') || password

/** One of the passwords that everybody's list begins with, whatever its length, in its plain form? */
export function isCommon(plain: string): boolean {
  common ??= new Set(COMMON)
  return common.has(plain)
}
let common: Set<string> | undefined

/**
 * Passwords of at least `minLength` characters that are guessed early, in their plain form: common passwords of that
 * length, common ones repeated, combined or filled up with digits, walks over the keyboard, and phrases everybody knows.
 */
export function blockedPasswords(minLength: number): ReadonlySet<string> {
  const blocked = new Set<string>()
  for (const candidates of [COMMON, stretched(minLength), combined(), walks(minLength), PHRASES.map(plainForm)]) {
    for (const password of candidates) if (password.length >= minLength) blocked.add(password)
  }
  return blocked
}

/** Common passwords made long enough: by saying them again, or by counting on. */
function* stretched(minLength: number): Generator<string> {
  for (const password of COMMON.slice(0, REPEATED)) {
    const times = Math.ceil(minLength / password.length)
    yield password.repeat(times)
    yield password.repeat(times + 1)
    for (const digits of ['12345678901234567890', '01234567890123456789']) {
      yield password + digits.slice(0, Math.max(0, minLength - password.length))
    }
  }
}

function* combined(): Generator<string> {
  const many = COMMON.slice(0, PAIRED)
  for (const first of many) yield* many.map((second) => first + second)
  const few = COMMON.slice(0, COMBINED)
  const pairs = few.flatMap((first) => few.map((second) => first + second))
  for (const pair of pairs) yield* few.map((third) => pair + third)
}

function* walks(minLength: number): Generator<string> {
  for (const way of WALKS.flatMap((walk) => [walk, [...walk].reverse().join('')])) {
    const around = way.repeat(4)
    for (const start of way.split('').keys()) {
      for (let length = minLength; length <= minLength + 10; length += 1) yield around.slice(start, start + length)
    }
  }
}
