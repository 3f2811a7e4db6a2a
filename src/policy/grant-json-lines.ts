import { DomainError } from '../errors.ts'
import { strictJson } from '../http/json-body.ts'
import { GrantFileError, MAX_LINE_LENGTH, type ReadLine } from './grant-file-line.ts'

/**
 * Hands over the lines of a file of JSON lines; empty ones are skipped.
 *
 * @throws GrantFileError for a line that is too long
 */
export function readJsonLines(text: string, receive: (line: ReadLine) => void): void {
  let line = 0
  for (let start = 0; start < text.length; ) {
    line += 1
    const end = text.indexOf('\n', start)
    const content = text.slice(start, end === -1 ? text.length : end)
    start = end === -1 ? text.length : end + 1
    if (content.length > MAX_LINE_LENGTH) {
      throw new GrantFileError(`line ${line} is longer than ${MAX_LINE_LENGTH.toLocaleString('en')} characters`)
    }
    if (content.trim() !== '') receive({ line, ...readJson(content) })
  }
}

function readJson(content: string): { value: unknown } | { fault: string } {
  try {
    return { value: strictJson(content, { what: 'the line' }) }
  } catch (error) {
    if (!(error instanceof DomainError)) throw error
    const [fault] = error.faults
    return { fault: fault === undefined ? error.message : `${fault.pointer} ${fault.detail}` }
  }
}
