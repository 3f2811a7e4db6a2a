/** The other processes that answer on the same port, and how their figures are had. */
export type Peers = {
  /** The number of this one; a process that replaces another has a new one. */
  worker: number
  /** Says how the figures of this one are made, for whoever asks. */
  answer(own: () => Promise<string>): void
  /** The figures of all, this one too, without those that do not answer in time. */
  ask(): Promise<string[]>
}

/**
 * One text in the format of Prometheus out of several, in which a metric stands once with all its samples. The samples
 * of different texts must differ in a label.
 */
export function joinedFigures(texts: readonly string[]): string {
  const metrics = new Map<string, string[]>()
  for (const block of texts.flatMap((text) => text.trim().split('\n\n'))) {
    const [help = '', type = '', ...samples] = block.split('\n')
    const head = `${help}\n${type}`
    const joined = metrics.get(head) ?? []
    metrics.set(head, joined.concat(samples))
  }
  return `${[...metrics].map(([head, samples]) => [head, ...samples].join('\n')).join('\n\n')}\n`
}
