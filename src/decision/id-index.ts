/** No slot, no row: what the tables of this folder give for what is not there. */
export const ABSENT = -1

/** Ids a page: 4 KiB, filled from the first id to the last where a sequence gave them out. */
const PAGE = 1024

/**
 * A map from the database's ids to non-negative 32-bit integers, in pages of consecutive ids.
 *
 * WHY not a Map: ids come from sequences, so an entry takes 4 bytes here and about 40 there. Ids that lie far apart, as
 * somebody may have chosen them, take a page each.
 */
export class IdIndex {
  readonly #pages = new Map<number, { values: Int32Array; used: number }>()
  #size = 0

  get size(): number {
    return this.#size
  }

  /** The value of the id, or {@link ABSENT}. */
  get(id: number): number {
    return this.#pages.get(Math.floor(id / PAGE))?.values[placeOf(id)] ?? ABSENT
  }

  set(id: number, value: number): void {
    const page = this.#pages.get(Math.floor(id / PAGE)) ?? this.#open(Math.floor(id / PAGE))
    if (page.values[placeOf(id)] === ABSENT) {
      page.used += 1
      this.#size += 1
    }
    page.values[placeOf(id)] = value
  }

  delete(id: number): void {
    const page = this.#pages.get(Math.floor(id / PAGE))
    if (page === undefined || page.values[placeOf(id)] === ABSENT) return
    page.values[placeOf(id)] = ABSENT
    page.used -= 1
    this.#size -= 1
    if (page.used === 0) this.#pages.delete(Math.floor(id / PAGE))
  }

  #open(number: number) {
    const page = { values: new Int32Array(PAGE).fill(ABSENT), used: 0 }
    this.#pages.set(number, page)
    return page
  }
}

/** Ids may be negative: imported ones are kept as they were. */
const placeOf = (id: number): number => id - Math.floor(id / PAGE) * PAGE
