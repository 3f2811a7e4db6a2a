import { DomainError } from '../errors.ts'
import { readMicroInstant } from '../instant.ts'
import type { Committed, PolicyWrite, WriteContext } from '../policy/policy-write.ts'
import { isKeepable } from '../text.ts'
import type { Exemption, NewExemption } from './exemption-schemas.ts'

/** What a write about exemptions needs, in its transaction. */
export interface ExemptionStore {
  find(userId: number): Promise<Exemption | null>
  /** Puts it in the place of one that is there; null when there is no such user, or a deleted one. */
  put(userId: number, exemption: { reason: string; until: string | null; createdBy: string }): Promise<Exemption | null>
  remove(userId: number): Promise<void>
}

/** Users whom no run deactivates for inactivity. */
export class ExemptionService {
  readonly #write: PolicyWrite<{ inactivityExemptions: ExemptionStore }>

  constructor(write: PolicyWrite<{ inactivityExemptions: ExemptionStore }>) {
    this.#write = write
  }

  /** @throws DomainError `not-found`, `invalid-request` */
  put(context: WriteContext, userId: number, input: NewExemption): Promise<Committed<Exemption>> {
    const until = instantOf(input.until ?? null)
    const { reason } = input
    if (!isKeepable(reason)) throw refused('/reason', 'holds a character that cannot be kept')
    return this.#write(context, async ({ inactivityExemptions: exemptions }, audit) => {
      const before = await exemptions.find(userId)
      const after = await exemptions.put(userId, { reason, until, createdBy: context.caller })
      if (after === null) throw new DomainError('not-found', `there is no user ${userId}`)
      audit({ action: 'inactivity-exemption.set', target: `user:${userId}`, before, after })
      return after
    })
  }

  /** @throws DomainError `not-found` */
  delete(context: WriteContext, userId: number): Promise<Committed<void>> {
    return this.#write(context, async ({ inactivityExemptions: exemptions }, audit) => {
      const before = await exemptions.find(userId)
      if (before === null) throw new DomainError('not-found', `user ${userId} is not exempt`)
      await exemptions.remove(userId)
      audit({ action: 'inactivity-exemption.delete', target: `user:${userId}`, before })
    })
  }
}

function instantOf(text: string | null): string | null {
  if (text === null) return null
  const reading = readMicroInstant(text)
  if ('fault' in reading) throw refused('/until', reading.fault)
  return reading.text
}

function refused(pointer: string, detail: string): DomainError {
  return new DomainError('invalid-request', 'an exemption was refused', { faults: [{ pointer, detail }] })
}
