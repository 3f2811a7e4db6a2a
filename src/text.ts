/** NUL, which PostgreSQL cannot keep, and halves of surrogate pairs, which UTF-8 cannot: both would change a name. */
const UNKEEPABLE = /[\0\p{Surrogate}]/u

/** Whether the database gives this text back to the letter. */
export const isKeepable = (text: string): boolean => !UNKEEPABLE.test(text)

/** What a terminal or a log would obey, or not show. */
const UNSEEN = /[\p{Control}\p{Format}\p{Surrogate}\p{Line_Separator}\p{Paragraph_Separator}]/gu
const MAX_QUOTED = 100

/** A text that somebody made up, for a sentence: on one line, in quotes, and not at any length. */
export function quoted(text: string): string {
  const shown = [...text.slice(0, 2 * MAX_QUOTED)]
  const cut = shown.slice(0, MAX_QUOTED).join('')
  const escaped = JSON.stringify(cut).replace(UNSEEN, (unseen) =>
    [...unseen].map((part) => `\\u{${part.codePointAt(0)?.toString(16)}}`).join(''),
  )
  return cut.length < text.length ? `${escaped.slice(0, -1)}…"` : escaped
}
