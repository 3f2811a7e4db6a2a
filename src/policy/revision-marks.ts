/** How many marks are kept: more revisions than a copy ever lags behind. */
export const MARKS_KEPT = 1000

export type Marked = { revision: number; mark: string }

/** The marks of the last revisions that were read, by which they are told from others of the same numbers. */
export class RevisionMarks {
  readonly #marks = new Map<number, string>()

  /** Everything was read at the last of these; all others are forgotten. */
  startAt(read: readonly Marked[]): void {
    this.#marks.clear()
    for (const marked of read) this.follow(marked)
  }

  /** One more revision was read. */
  follow({ revision, mark }: Marked): void {
    this.#marks.set(revision, mark)
    if (this.#marks.size <= MARKS_KEPT) return
    const [oldest] = this.#marks.keys()
    if (oldest !== undefined) this.#marks.delete(oldest)
  }

  /** Undefined of a revision that was not read here, or long ago. */
  of(revision: number): string | undefined {
    return this.#marks.get(revision)
  }

  all(): { revisions: number[]; marks: string[] } {
    return { revisions: [...this.#marks.keys()], marks: [...this.#marks.values()] }
  }
}
