import { domainToASCII } from 'node:url'

const MAX_LENGTH = 254
const MAX_LOCAL_BYTES = 64
/** RFC 5321's dot-string, with the letters of every script (RFC 6531); no quoted local part, no comment, no route. */
const LOCAL_PART = /^[\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~-]+(?:\.[\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~-]+)*$/u
const DOMAIN = /^[\p{L}\p{M}\p{N}](?:[\p{L}\p{M}\p{N}.-]*[\p{L}\p{M}\p{N}])?$/u

/**
 * Whether a mail may be sent to this address, as it is: nothing in it could be read as a second address, a name, a
 * route or a command of SMTP. Stricter than what an account may hold, since an import brings what was there.
 */
export function isMailAddress(text: string): boolean {
  const at = text.lastIndexOf('@')
  if (at < 1 || [...text].length > MAX_LENGTH) return false
  const [local, domain] = [text.slice(0, at), text.slice(at + 1)]
  if (Buffer.byteLength(local) > MAX_LOCAL_BYTES || !LOCAL_PART.test(local)) return false
  return DOMAIN.test(domain) && !domain.includes('..') && domainToASCII(domain) !== ''
}
