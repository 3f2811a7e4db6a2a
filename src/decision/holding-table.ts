import { grown } from './grown-array.ts'
import { ABSENT } from './id-index.ts'

/** Slots of a project's first holdings, as a power of two. */
const LEAST_ROOM_LOG2 = 2
/** A slot is two numbers in #cells. */
const CELL = 2
const BITS = 1
/** A region is described by four numbers, the last of which is there for the others' sake: so no region spans two lines. */
const REGION = 4
const MASK = 1
const COUNT = 2
/** A region is given twice its room when it would be fuller than this: a look-up then reads one or two slots. */
const FULLEST = 0.75

/**
 * What each principal holds on each project: two numbers, `bits` (15 of them) and `head` (not negative). Projects and
 * principals are small whole numbers that a snapshot gives them.
 *
 * The holdings of one project stand side by side, in a small hash table of its own within one array for all. WHY: a
 * decision asks of one project about the user and about each of its groups, most of which hold nothing there. So it
 * reads a few neighbouring lines of memory; in one table of all pairs every question was a line, and a page, of its own.
 * A Map of composed keys takes over 100 bytes an entry, this about 20.
 */
export class HoldingTable {
  /** By project, side by side: where its region starts, its slots less one (0: it has none), how many are taken. */
  #regions = new Int32Array(16 * REGION)
  /** By slot, side by side: the principal plus one, so that 0 is an empty slot, and its bits. */
  #cells: Int32Array
  /** By slot; apart, since a decision does without. */
  #heads: Int32Array
  /** Where the slots begin that no region has had yet. */
  #end = 0
  /** Starts of regions that were given up, all empty, by the logarithm of their room. */
  readonly #free: number[][] = []
  #size = 0

  constructor(expected = 16) {
    const slots = Math.max(16, Math.ceil(expected * 2))
    this.#cells = new Int32Array(slots * CELL)
    this.#heads = new Int32Array(slots)
  }

  /** How many pairs there are. */
  get size(): number {
    return this.#size
  }

  /** The bits of the pair, 0 where it is not there. */
  bits(project: number, principal: number): number {
    const slot = this.#find(project, principal)
    return slot === ABSENT ? 0 : (this.#cells[slot * CELL + BITS] as number)
  }

  /** The head of the pair, or {@link ABSENT}. */
  head(project: number, principal: number): number {
    const slot = this.#find(project, principal)
    return slot === ABSENT ? ABSENT : (this.#heads[slot] as number)
  }

  set(project: number, principal: number, bits: number, head: number): void {
    let slot = this.#find(project, principal)
    if (slot === ABSENT) {
      this.#makeRoom(project)
      slot = this.#emptySlot(project, principal)
      this.#cells[slot * CELL] = principal + 1
      this.#count(project, 1)
      this.#size += 1
    }
    this.#cells[slot * CELL + BITS] = bits
    this.#heads[slot] = head
  }

  delete(project: number, principal: number): void {
    const slot = this.#find(project, principal)
    if (slot === ABSENT) return
    this.#closeGap(this.#start(project), this.#mask(project), slot)
    this.#count(project, -1)
    this.#size -= 1
  }

  /** Every pair with its bits and head, in no order. */
  *entries(): Generator<readonly [project: number, principal: number, bits: number, head: number]> {
    for (let project = 0; project < this.#regions.length / REGION; project += 1) {
      const [start, mask] = [this.#start(project), this.#mask(project)]
      for (let slot = start; mask !== 0 && slot <= start + mask; slot += 1) {
        const principal = (this.#cells[slot * CELL] as number) - 1
        if (principal === -1) continue
        yield [project, principal, this.#cells[slot * CELL + BITS] as number, this.#heads[slot] as number]
      }
    }
  }

  /** The slot of the pair, or {@link ABSENT}. */
  #find(project: number, principal: number): number {
    const mask = this.#mask(project)
    if (mask === 0) return ABSENT
    const start = this.#start(project)
    const cells = this.#cells
    for (let at = hash(principal) & mask; ; at = (at + 1) & mask) {
      const found = cells[(start + at) * CELL]
      if (found === principal + 1) return start + at
      if (found === 0) return ABSENT
    }
  }

  #start(project: number): number {
    return this.#regions[project * REGION] as number
  }

  #mask(project: number): number {
    return this.#regions[project * REGION + MASK] ?? 0
  }

  #count(project: number, more: number): void {
    this.#regions[project * REGION + COUNT] = (this.#regions[project * REGION + COUNT] as number) + more
  }

  #emptySlot(project: number, principal: number): number {
    const [start, mask] = [this.#start(project), this.#mask(project)]
    let at = hash(principal) & mask
    while (this.#cells[(start + at) * CELL] !== 0) at = (at + 1) & mask
    return start + at
  }

  /** Moves later entries of the same run back, so that no probe ends before its entry. */
  #closeGap(start: number, mask: number, gap: number): void {
    let hole = gap - start
    for (let at = (hole + 1) & mask; this.#cells[(start + at) * CELL] !== 0; at = (at + 1) & mask) {
      const home = hash((this.#cells[(start + at) * CELL] as number) - 1) & mask
      if (((at - home) & mask) < ((at - hole) & mask)) continue
      this.#move(start + at, start + hole)
      hole = at
    }
    this.#cells[(start + hole) * CELL] = 0
  }

  #move(from: number, to: number): void {
    this.#cells.copyWithin(to * CELL, from * CELL, (from + 1) * CELL)
    this.#heads[to] = this.#heads[from] as number
  }

  /** Sees to it that one more principal fits the project's region. */
  #makeRoom(project: number): void {
    while ((project + 1) * REGION > this.#regions.length) this.#regions = grown(this.#regions, Int32Array)
    const [start, mask] = [this.#start(project), this.#mask(project)]
    if (mask !== 0 && (this.#regions[project * REGION + COUNT] as number) + 1 <= (mask + 1) * FULLEST) return
    const roomLog2 = mask === 0 ? LEAST_ROOM_LOG2 : Math.log2(mask + 1) + 1
    this.#regions[project * REGION] = this.#openRegion(roomLog2)
    this.#regions[project * REGION + MASK] = 2 ** roomLog2 - 1
    if (mask === 0) return
    for (let slot = start; slot <= start + mask; slot += 1) {
      const principal = (this.#cells[slot * CELL] as number) - 1
      if (principal !== -1) this.#move(slot, this.#emptySlot(project, principal))
    }
    this.#cells.fill(0, start * CELL, (start + mask + 1) * CELL)
    this.#freeOf(roomLog2 - 1).push(start)
  }

  /** The start of a region of empty slots. */
  #openRegion(roomLog2: number): number {
    const free = this.#freeOf(roomLog2).pop()
    if (free !== undefined) return free
    const start = this.#end
    this.#end += 2 ** roomLog2
    while (this.#end > this.#heads.length) {
      this.#cells = grown(this.#cells, Int32Array)
      this.#heads = grown(this.#heads, Int32Array)
    }
    return start
  }

  #freeOf(roomLog2: number): number[] {
    this.#free[roomLog2] ??= []
    return this.#free[roomLog2]
  }
}

/** Spreads principals, whose numbers follow each other, over the low bits. */
function hash(principal: number): number {
  const h = Math.imul(principal + 0x7f4a7c15, 0x9e3779b1)
  return h ^ (h >>> 15)
}
