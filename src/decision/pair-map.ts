/** No cell, no row: what the maps of this folder give for what is not there. */
export const ABSENT = -1

/** A cell is four numbers side by side: 16 bytes, so that a look-up that finds its cell touches one cache line. */
const CELL = 4
const SECOND = 1
const BITS = 2
const HEAD = 3

/**
 * A map from pairs of 32-bit integers to two numbers, `bits` and `head`, in one typed array. A head is not negative.
 *
 * WHY not a Map: a cell is 16 bytes and at least a third are in use, where a Map of composed keys takes over 100 bytes
 * an entry; and a look-up is one read or two of memory, which is what a decision spends its time on. Open addressing
 * with linear probing; removal closes the gap, so a cell's place holds only until the next change.
 */
export class PairMap {
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

  /** The bits of the pair, 0 where it is not there. */
  bits(first: number, second: number): number {
    const cell = this.#find(first, second)
    return this.#cells[cell + HEAD] === ABSENT ? 0 : (this.#cells[cell + BITS] as number)
  }

  /** The head of the pair, or {@link ABSENT}. */
  head(first: number, second: number): number {
    return this.#cells[this.#find(first, second) + HEAD] as number
  }

  set(first: number, second: number, bits: number, head: number): void {
    if ((this.#size + 1) * 3 > (this.#mask + 1) * 2) this.#grow()
    const cell = this.#find(first, second)
    if (this.#cells[cell + HEAD] === ABSENT) this.#size += 1
    this.#cells[cell] = first
    this.#cells[cell + SECOND] = second
    this.#cells[cell + BITS] = bits
    this.#cells[cell + HEAD] = head
  }

  delete(first: number, second: number): void {
    const cell = this.#find(first, second)
    if (this.#cells[cell + HEAD] === ABSENT) return
    this.#closeGap(cell / CELL)
    this.#size -= 1
  }

  /** Every pair with its head, in no order. */
  *entries(): Generator<readonly [first: number, second: number, bits: number, head: number]> {
    const cells = this.#cells
    for (let cell = 0; cell < cells.length; cell += CELL) {
      if (cells[cell + HEAD] === ABSENT) continue
      yield [cells[cell], cells[cell + SECOND], cells[cell + BITS], cells[cell + HEAD]] as [
        number,
        number,
        number,
        number,
      ]
    }
  }

  /** Where the pair's cell begins, or the empty cell where it would be put. */
  #find(first: number, second: number): number {
    const cells = this.#cells
    let at = hash(first, second) & this.#mask
    for (;;) {
      const cell = at * CELL
      if ((cells[cell] === first && cells[cell + SECOND] === second) || cells[cell + HEAD] === ABSENT) return cell
      at = (at + 1) & this.#mask
    }
  }

  /** Moves later entries of the same run back, so that no probe ends before its entry. */
  #closeGap(gap: number): void {
    const cells = this.#cells
    let hole = gap
    let at = (gap + 1) & this.#mask
    while (cells[at * CELL + HEAD] !== ABSENT) {
      const home = hash(cells[at * CELL] as number, cells[at * CELL + SECOND] as number) & this.#mask
      if (((at - home) & this.#mask) >= ((at - hole) & this.#mask)) {
        cells.copyWithin(hole * CELL, at * CELL, (at + 1) * CELL)
        hole = at
      }
      at = (at + 1) & this.#mask
    }
    cells.fill(ABSENT, hole * CELL, (hole + 1) * CELL)
  }

  #grow(): void {
    const larger = new PairMap((this.#mask + 1) * 1.3)
    for (const [first, second, bits, head] of this.entries()) larger.set(first, second, bits, head)
    this.#mask = larger.#mask
    this.#cells = larger.#cells
  }
}

function hash(first: number, second: number): number {
  let h = Math.imul(first, 0x9e3779b1) ^ Math.imul(second + 0x7f4a7c15, 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 15), 0xc2b2ae35)
  return h ^ (h >>> 13)
}
