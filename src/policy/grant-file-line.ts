/** A file cannot be read as grants at all; the message says where and why. */
export class GrantFileError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'GrantFileError'
  }
}

/** Longest line, in characters: one more is a quote that was never closed, or no such file. */
export const MAX_LINE_LENGTH = 65_536

/** What a line of a file says, by the number of the line that it begins on; or that it says nothing. */
export type ReadLine = { line: number; value?: unknown; fault?: string }
