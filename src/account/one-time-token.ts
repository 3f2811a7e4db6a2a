import { credentialHash, credentialShape } from '../opaque-credential.ts'

const shape = credentialShape('gatehouse_once_')
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** What a one-time token is good for, and nothing else. */
export type TokenPurpose = 'email-confirmation' | 'email-change' | 'password-reset'

/** What a token that still works stands for; `address` is where it was sent, '' where somebody was shown it. */
export type TokenBearing = { userId: number; address: string }

/** How long a token that was mailed works, in milliseconds. */
export const TOKEN_LIFETIME_MS: Readonly<Record<TokenPurpose, number>> = {
  'email-confirmation': 24 * HOUR_MS,
  'email-change': 24 * HOUR_MS,
  'password-reset': 30 * MINUTE_MS,
}

/** How long a token works that an operator was shown to choose a first password with, in milliseconds. */
export const FIRST_PASSWORD_LIFETIME_MS = 24 * HOUR_MS

/** A new token: 178 random bits. */
export const newOneTimeToken = shape.make

/** Whether a text is a token that could have been given out, for whatever purpose. */
export const isOneTimeToken = shape.fits

/** SHA-256 of the whole token in lower-case hex: all of it that is kept. */
export const oneTimeTokenHash = credentialHash
