/**
 * A text in the one spelling by which tries are counted: lower case, letter by letter, as PostgreSQL's `lower` has it.
 *
 * WHY not `toLowerCase` of the whole text: it makes two letters of `İ`, and of a Σ at the end of a word another one than
 * elsewhere, so that spellings which the database takes for one login or address would have counters of their own.
 */
export function foldedSpelling(text: string): string {
  return Array.from(text, (letter) => (letter === 'İ' ? 'i' : letter.toLowerCase())).join('')
}
