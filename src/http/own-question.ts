import { DomainError } from '../errors.ts'
import type { Via } from './access.ts'
import { type Caller, isSiteAdministrator } from './authenticate.ts'

/**
 * How the user of a question came, where a user in person asks it. About oneself, the credential fixes it: nobody learns
 * by an API token what a session of theirs could do. About others, superusers ask like a program does.
 *
 * @param about id of the user whom the question names, undefined where there is none
 * @param pointer where the question says how the user came
 * @throws DomainError `not-permitted` for a question about somebody else, whether or not there is such a user;
 *   `via-mismatch` when the question says another way than the credential
 */
export function viaOfOwnQuestion(
  caller: Caller,
  about: number | undefined,
  via: Via | undefined,
  pointer: string,
): Via {
  const self = caller.user
  if (self === null || about !== self.id) {
    if (isSiteAdministrator(caller)) return via ?? 'session'
    throw new DomainError('not-permitted', 'users in person ask about themselves; about others, superusers do')
  }
  if (via === undefined || via === self.via) return self.via
  const detail = `this credential makes the question one by ${self.via}`
  throw new DomainError('via-mismatch', detail, { faults: [{ pointer, detail }] })
}
