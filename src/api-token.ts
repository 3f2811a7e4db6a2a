import { credentialEnd, credentialHash, credentialShape } from './opaque-credential.ts'

const shape = credentialShape('gatehouse_pat_')

/** CATMAID gave each user one: 20 random bytes in hex, without a checksum. */
const CATMAID_TOKEN = /^[0-9a-f]{40}$/

/** A new API token: 30 random letters and digits (178 bits) behind a prefix that scanners know, and their checksum. */
export const newApiToken = shape.make

/**
 * Whether a text can be an API token: one of ours, a mistyped one of which is told without looking anything up, or one
 * that CATMAID gave out and the import brought.
 */
export const isApiToken = (text: string): boolean => shape.fits(text) || CATMAID_TOKEN.test(text)

/** SHA-256 of the whole token in lower-case hex: all of it that is kept, imported ones too. */
export const apiTokenHash = credentialHash

/** What is shown of a token, to recognise it by. */
export const shownOfApiToken = (token: string): { tokenStart: string; tokenEnd: string } => ({
  tokenStart: shape.startOf(token),
  tokenEnd: credentialEnd(token),
})
