import type { FileLink } from './policy-model.ts'

/** The names that a name is linked to within a domain. */
export type RowLinks = (name: string, dom: string) => readonly string[]

/**
 * Links from name to name, as the files in `policies/` write them (`g` by project, `g2`).
 *
 * Reached means: over one or more links. Every name is visited once, so that neither a deep chain (Casbin gives up
 * after ten links, denying in silence) nor a wide graph (exponential there) changes an answer.
 */
export class LinkGraph {
  readonly #links = new Map<string, string[]>()
  readonly #rows: RowLinks

  /** @param rows what a name is linked to beside the files, by rows of the database; a file may link on to a user */
  constructor(links: readonly FileLink[], rows: RowLinks = () => []) {
    this.#rows = rows
    for (const { from, to, dom } of links) {
      const key = keyOf(from, dom)
      this.#links.set(key, [...(this.#links.get(key) ?? []), to])
    }
  }

  /** Do the files link nothing? */
  get isEmpty(): boolean {
    return this.#links.size === 0
  }

  /** All names reached from the given ones within a domain, the given ones included. */
  reachedFrom(names: Iterable<string>, dom: string): Set<string> {
    const reached = new Set(names)
    for (const name of reached) {
      for (const next of this.#links.get(keyOf(name, dom)) ?? []) reached.add(next)
      for (const next of this.#rows(name, dom)) reached.add(next)
    }
    return reached
  }
}

/** No name holds a space: rule files allow none, and ours are `user:<id>` and `group:<id>`. */
function keyOf(name: string, dom: string): string {
  return `${name} ${dom}`
}
