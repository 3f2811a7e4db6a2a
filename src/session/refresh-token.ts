import { createHmac } from 'node:crypto'
import { credentialHash, credentialShape } from '../opaque-credential.ts'

const shape = credentialShape('gatehouse_rt_')

/** A new refresh token: 30 random letters and digits behind a prefix that scanners know, and their checksum. */
export const newRefreshToken = shape.make

/** Whether a text is a refresh token that could have been given out. */
export const isRefreshToken = shape.fits

/** SHA-256 of the whole token in lower-case hex: all of it that is kept. */
export const refreshTokenHash = credentialHash

/**
 * The token that follows `parent` in a session: always the same, so that a client that lost an answer gets the same
 * token again, while only hashes are kept; nobody makes it without the secret of the session.
 */
export const childToken = (parent: string, secret: Buffer): string =>
  shape.from(createHmac('sha256', secret).update(parent).digest())
