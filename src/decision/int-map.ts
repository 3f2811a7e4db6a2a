/** No value: what {@link IntMap.get} gives for a key that is not there. */
export const ABSENT = -1

/** A cell is three numbers side by side, so that a look-up touches one line of the processor's cache: */
const CELL = 3
const SECOND = 1
const VALUE = 2

/**
 * A map from pairs of 32-bit integers to non-negative 32-bit integers, in one typed array.
 *
 * WHY not a Map: a cell is 12 bytes and at least a third are in use, where a Map of composed keys takes over 100 bytes
 * an entry; and a look-up is one or two reads. Open addressing with linear probing; removal closes the gap.
 */
export class IntMap {
  #mask: number
  #size = 0
  #cells: Int32Array

  constructor(expected = 16) {
    const capacity = 2 ** Math.ceil(Math.log2(Math.max(16, expected * 1.5)))
    this.#mask = capacity - 1
    this.#cells = new Int32Array(capacity * CELL).fill(ABSENT)
  }

  get size(): number {
    return this.#size
  }

  /** The value of the pair, or {@link ABSENT}. */
  get(first: number, second: number): number {
    return this.#cells[this.#find(first, second) + VALUE] as number
  }

  set(first: number, second: number, value: number): void {
    if ((this.#size + 1) * 3 > (this.#mask + 1) * 2) this.#grow()
    const cell = this.#find(first, second)
    if (this.#cells[cell + VALUE] === ABSENT) this.#size += 1
    this.#cells[cell] = first
    this.#cells[cell + SECOND] = second
    this.#cells[cell + VALUE] = value
  }

  delete(first: number, second: number): void {
    const cell = this.#find(first, second)
    if (this.#cells[cell + VALUE] === ABSENT) return
    this.#closeGap(cell / CELL)
    this.#size -= 1
  }

  /** Every pair with its value, in no order. */
  *entries(): Generator<readonly [first: number, second: number, value: number]> {
    for (let cell = 0; cell < this.#cells.length; cell += CELL) {
      const value = this.#cells[cell + VALUE] as number
      if (value !== ABSENT) yield [this.#cells[cell] as number, this.#cells[cell + SECOND] as number, value]
    }
  }

  /** Where the pair's cell begins, or the empty cell where it would be put. */
  #find(first: number, second: number): number {
    const cells = this.#cells
    let at = hash(first, second) & this.#mask
    for (;;) {
      const cell = at * CELL
      if (cells[cell + VALUE] === ABSENT || (cells[cell] === first && cells[cell + SECOND] === second)) return cell
      at = (at + 1) & this.#mask
    }
  }

  /** Moves later entries of the same run back, so that no probe ends before its entry. */
  #closeGap(gap: number): void {
    const cells = this.#cells
    let hole = gap
    let at = (gap + 1) & this.#mask
    while (cells[at * CELL + VALUE] !== ABSENT) {
      const home = hash(cells[at * CELL] as number, cells[at * CELL + SECOND] as number) & this.#mask
      if (((at - home) & this.#mask) >= ((at - hole) & this.#mask)) {
        cells.copyWithin(hole * CELL, at * CELL, (at + 1) * CELL)
        hole = at
      }
      at = (at + 1) & this.#mask
    }
    cells[hole * CELL + VALUE] = ABSENT
  }

  #grow(): void {
    const larger = new IntMap((this.#mask + 1) * 1.3)
    for (const [first, second, value] of this.entries()) larger.set(first, second, value)
    this.#mask = larger.#mask
    this.#cells = larger.#cells
  }
}

function hash(first: number, second: number): number {
  let h = Math.imul(first, 0x9e3779b1) ^ Math.imul(second + 0x7f4a7c15, 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 15), 0xc2b2ae35)
  return h ^ (h >>> 13)
}
