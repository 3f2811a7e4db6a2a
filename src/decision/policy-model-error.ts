/** Policy as written cannot be used; the message says in which file and place, and what to do. Stops the start. */
export class PolicyModelError extends Error {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.name = 'PolicyModelError'
  }
}
