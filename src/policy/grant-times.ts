import type { FieldFault } from '../errors.ts'
import { readInstant } from '../instant.ts'

/** When a grant is in force; null is an open end. `faults` tells what cannot be so, by pointers into the grant. */
export type GrantTimes = { validFrom: Date | null; validUntil: Date | null; faults: readonly FieldFault[] }

type WantedTimes = { validFrom?: string | null | undefined; validUntil?: string | null | undefined }

/** For good: what most grants are. */
const LASTING: GrantTimes = { validFrom: null, validUntil: null, faults: [] }

/** Reads when a grant shall be in force from what a caller wrote; the one place that judges it. */
export function readGrantTimes(wanted: WantedTimes): GrantTimes {
  if (isOpen(wanted.validFrom) && isOpen(wanted.validUntil)) return LASTING
  const faults: FieldFault[] = []
  const validFrom = instantOf('/validFrom', wanted.validFrom, faults)
  const validUntil = instantOf('/validUntil', wanted.validUntil, faults)
  if (validFrom && validUntil && validFrom >= validUntil) {
    faults.push({ pointer: '/validUntil', detail: 'must be later than validFrom' })
  }
  return { validFrom, validUntil, faults }
}

const isOpen = (text: string | null | undefined) => text === null || text === undefined

function instantOf(pointer: string, text: string | null | undefined, faults: FieldFault[]): Date | null {
  if (text === null || text === undefined) return null
  const reading = readInstant(text)
  if ('instant' in reading) return reading.instant
  faults.push({ pointer, detail: reading.fault })
  return null
}
