import { domainToASCII, domainToUnicode } from 'node:url'
import { foldedSpelling } from '../spelling.ts'

/**
 * The spellings that count as one address, beside upper and lower case, which are alike in all of it: the domain in
 * letters and in ASCII (RFC 5890). Mails still go to the address as the account has it, so a spelling that somebody
 * else's mail server tells apart gains nothing.
 */
export function addressSpellings(address: string): string[] {
  const at = address.lastIndexOf('@')
  const [local, domain] = [address.slice(0, at + 1), address.slice(at + 1)]
  const [ascii, unicode] = [domainToASCII(domain), domainToUnicode(domain)]
  return [...new Set([address, ascii === '' ? address : local + ascii, unicode === '' ? address : local + unicode])]
}

/** One text for all spellings of an address, to count by. */
export function addressKey(address: string): string {
  const at = address.lastIndexOf('@')
  const ascii = domainToASCII(address.slice(at + 1))
  return foldedSpelling(ascii === '' ? address : address.slice(0, at + 1) + ascii)
}
