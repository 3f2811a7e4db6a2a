import { DomainError, type FieldFault } from './errors.ts'

/** What a name must not hold: whoever compares two names by eye, in a log or in a shell must see what we compare. */
const REFUSALS: readonly (readonly [RegExp, string])[] = [
  [/\p{Surrogate}/u, 'holds half of a surrogate pair'],
  [/[\p{Control}\p{Line_Separator}\p{Paragraph_Separator}]/u, 'holds a line break, a tab or another control character'],
  [/\p{Bidi_Control}/u, 'holds a mark that changes the direction of writing'],
  [/[\u00AD\u200B\u2060-\u2064\uFEFF]/u, 'holds a character that nobody can see'],
  [/^\s|\s$/u, 'begins or ends with white space'],
]
const EMAIL = /^[^\s@<>(),;:\\"[\]]+@[^\s@<>(),;:\\"[\]]+$/u

/** A field of a request body that names something: at most `limit` code points, and '' only where `empty`. */
export type NameField = { pointer: string; value: string; limit: number; empty: boolean }

/**
 * Refuses names that could not be told apart or kept to the letter. Quotes, commas, `#`, `*`, emoji and every script
 * pass; names are compared by code point, so NFC and NFD, upper and lower case are names of their own.
 *
 * Only names that are given anew go through here: what an import brought stays, and may be given again as it is.
 *
 * @throws DomainError `invalid-request` with a fault for every field that is wrong
 */
export function refuseBadNames(fields: readonly NameField[]): void {
  refuse(fields.map((field) => ({ pointer: field.pointer, detail: nameFault(field) })))
}

/**
 * Refuses what cannot be an e-mail address; whether anybody reads it, only a mail can tell.
 *
 * @throws DomainError `invalid-request`
 */
export function refuseBadEmail(field: NameField): void {
  const { pointer, value } = field
  const detail = nameFault(field) ?? (value === '' || EMAIL.test(value) ? null : 'is no address like name@example.org')
  refuse([{ pointer, detail }])
}

function refuse(findings: { pointer: string; detail: string | null }[]): void {
  const faults = findings.filter((finding): finding is FieldFault => finding.detail !== null)
  if (faults.length > 0) throw new DomainError('invalid-request', 'a name was refused', { faults })
}

function nameFault({ value, limit, empty }: NameField): string | null {
  if (value === '' && !empty) return 'is empty'
  if ([...value].length > limit) return `is longer than ${limit} characters`
  return REFUSALS.find(([pattern]) => pattern.test(value))?.[1] ?? null
}
