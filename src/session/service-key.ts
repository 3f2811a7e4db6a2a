import { credentialHash, credentialShape } from '../opaque-credential.ts'

const shape = credentialShape('gatehouse_key_')

/** A new key: 30 random letters and digits (178 bits) behind a prefix that scanners know, and their checksum. */
export const newServiceKey = shape.make

/** Whether a text is a key that could have been given out: a mistyped one is told without looking anything up. */
export const isServiceKey = shape.fits

/** SHA-256 of the whole key in lower-case hex: all of it that is kept. A key is too long to be found by trying. */
export const serviceKeyHash = credentialHash

/** The first characters of a key, to recognise it by. */
export const serviceKeyStart = shape.startOf
