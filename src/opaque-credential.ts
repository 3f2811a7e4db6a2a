import { createHash, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const BASE = BigInt(DIGITS.length)
const SECRET_LENGTH = 30
const CHECKSUM_LENGTH = 6
/** More than the 178 bits that the secret can hold, so that no digit is likelier than another. */
const ENTROPY_BYTES = 32
const SHOWN_AT_START = 6
const SHOWN_AT_END = 4

/** How one kind of credential looks: a prefix that scanners know, 30 random letters and digits, and their checksum. */
export type CredentialShape = {
  /** A new credential: 178 random bits. */
  make(): string
  /** The credential that these bytes stand for, always the same; at least 32 bytes that nobody can guess. */
  from(entropy: Uint8Array): string
  /** Whether a text could have been given out: a mistyped one is told without looking anything up. */
  fits(text: string): boolean
  /** The first characters, to recognise a credential by. */
  startOf(credential: string): string
}

/** The shape of the credentials with this prefix, which ends in `_`. */
export function credentialShape(prefix: string): CredentialShape {
  const pattern = new RegExp(`^${prefix}[0-9A-Za-z]{${SECRET_LENGTH + CHECKSUM_LENGTH}}$`)
  const from = (entropy: Uint8Array): string => {
    if (entropy.length < ENTROPY_BYTES) throw new Error(`a credential needs ${ENTROPY_BYTES} bytes`)
    const secret = digitsOf(BigInt(`0x${Buffer.from(entropy).toString('hex')}`), SECRET_LENGTH)
    return prefix + secret + checksumOf(secret)
  }
  return {
    make: () => from(randomBytes(ENTROPY_BYTES)),
    from,
    fits: (text) =>
      pattern.test(text) && text.endsWith(checksumOf(text.slice(prefix.length, prefix.length + SECRET_LENGTH))),
    startOf: (credential) => credential.slice(0, prefix.length + SHOWN_AT_START),
  }
}

/** SHA-256 of a whole credential in lower-case hex: all of it that is kept. It is too long to be found by trying. */
export const credentialHash = (credential: string): string => createHash('sha256').update(credential).digest('hex')

/** The last characters of a credential, to recognise it by. */
export const credentialEnd = (credential: string): string => credential.slice(-SHOWN_AT_END)

/** CRC-32 of the secret as six digits of base 62, the largest first. */
const checksumOf = (secret: string): string => digitsOf(BigInt(crc32(secret)), CHECKSUM_LENGTH)

/** The last `length` digits of a number in base 62, the largest first. */
function digitsOf(number: bigint, length: number): string {
  let rest = number
  let digits = ''
  while (digits.length < length) {
    digits = DIGITS[Number(rest % BASE)] + digits
    rest /= BASE
  }
  return digits
}
