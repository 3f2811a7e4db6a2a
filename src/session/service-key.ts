import { createHash, randomInt } from 'node:crypto'
import { crc32 } from 'node:zlib'

const PREFIX = 'gatehouse_key_'
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const SECRET_LENGTH = 30
const CHECKSUM_LENGTH = 6
const PATTERN = new RegExp(`^${PREFIX}[0-9A-Za-z]{${SECRET_LENGTH + CHECKSUM_LENGTH}}$`)
const START_LENGTH = PREFIX.length + 6

/** A new key: 30 random letters and digits (178 bits) behind a prefix that scanners know, and their checksum. */
export function newServiceKey(): string {
  const secret = Array.from({ length: SECRET_LENGTH }, () => DIGITS[randomInt(DIGITS.length)]).join('')
  return PREFIX + secret + checksumOf(secret)
}

/** Whether a text is a key that could have been given out: a mistyped one is told without looking anything up. */
export function isServiceKey(text: string): boolean {
  if (!PATTERN.test(text)) return false
  const secret = text.slice(PREFIX.length, PREFIX.length + SECRET_LENGTH)
  return text.endsWith(checksumOf(secret))
}

/** SHA-256 of the whole key in lower-case hex: all of it that is kept. A key is too long to be found by trying. */
export const serviceKeyHash = (key: string): string => createHash('sha256').update(key).digest('hex')

/** The first characters of a key, to recognise it by. */
export const serviceKeyStart = (key: string): string => key.slice(0, START_LENGTH)

/** CRC-32 of the secret as six digits of base 62, the largest first. */
function checksumOf(secret: string): string {
  let rest = crc32(secret)
  let digits = ''
  while (digits.length < CHECKSUM_LENGTH) {
    digits = DIGITS[rest % DIGITS.length] + digits
    rest = Math.floor(rest / DIGITS.length)
  }
  return digits
}
