/** No value: what {@link IntMap.get} gives for a key that is not there. */
export const ABSENT = -1

/**
 * A map from pairs of 32-bit integers to non-negative 32-bit integers, in three typed arrays.
 *
 * WHY not a Map: a million entries are 12 MB at a load of at most two thirds, where a Map of composed keys takes over
 * 100 MB; and a look-up is one or two reads. Open addressing with linear probing; removal closes the gap.
 */
export class IntMap {
  #mask: number
  #size = 0
  #first: Int32Array
  #second: Int32Array
  #value: Int32Array

  constructor(expected = 16) {
    const capacity = 2 ** Math.ceil(Math.log2(Math.max(16, expected * 1.5)))
    this.#mask = capacity - 1
    this.#first = new Int32Array(capacity)
    this.#second = new Int32Array(capacity)
    this.#value = new Int32Array(capacity).fill(ABSENT)
  }

  get size(): number {
    return this.#size
  }

  /** The value of the pair, or {@link ABSENT}. */
  get(first: number, second: number): number {
    let at = hash(first, second) & this.#mask
    for (;;) {
      const value = this.#value[at] as number
      if (value === ABSENT) return ABSENT
      if (this.#first[at] === first && this.#second[at] === second) return value
      at = (at + 1) & this.#mask
    }
  }

  set(first: number, second: number, value: number): void {
    if ((this.#size + 1) * 3 > (this.#mask + 1) * 2) this.#grow()
    let at = hash(first, second) & this.#mask
    while (this.#value[at] !== ABSENT) {
      if (this.#first[at] === first && this.#second[at] === second) {
        this.#value[at] = value
        return
      }
      at = (at + 1) & this.#mask
    }
    this.#first[at] = first
    this.#second[at] = second
    this.#value[at] = value
    this.#size += 1
  }

  delete(first: number, second: number): void {
    let at = hash(first, second) & this.#mask
    while (this.#first[at] !== first || this.#second[at] !== second || this.#value[at] === ABSENT) {
      if (this.#value[at] === ABSENT) return
      at = (at + 1) & this.#mask
    }
    this.#closeGap(at)
    this.#size -= 1
  }

  /** Every pair with its value, in no order. */
  *entries(): Generator<readonly [first: number, second: number, value: number]> {
    for (let at = 0; at <= this.#mask; at += 1) {
      const value = this.#value[at] as number
      if (value !== ABSENT) yield [this.#first[at] as number, this.#second[at] as number, value]
    }
  }

  /** Moves later entries of the same run back, so that no probe ends before its entry. */
  #closeGap(gap: number): void {
    let hole = gap
    let at = (gap + 1) & this.#mask
    while (this.#value[at] !== ABSENT) {
      const home = hash(this.#first[at] as number, this.#second[at] as number) & this.#mask
      if (((at - home) & this.#mask) >= ((at - hole) & this.#mask)) {
        this.#first[hole] = this.#first[at] as number
        this.#second[hole] = this.#second[at] as number
        this.#value[hole] = this.#value[at] as number
        hole = at
      }
      at = (at + 1) & this.#mask
    }
    this.#value[hole] = ABSENT
  }

  #grow(): void {
    const larger = new IntMap((this.#mask + 1) * 1.3)
    for (const [first, second, value] of this.entries()) larger.set(first, second, value)
    this.#mask = larger.#mask
    this.#first = larger.#first
    this.#second = larger.#second
    this.#value = larger.#value
  }
}

function hash(first: number, second: number): number {
  let h = Math.imul(first, 0x9e3779b1) ^ Math.imul(second + 0x7f4a7c15, 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 15), 0xc2b2ae35)
  return h ^ (h >>> 13)
}
