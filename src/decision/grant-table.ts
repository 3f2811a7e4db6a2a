import { ABSENT, IntMap } from './int-map.ts'
import { PERMISSIONS, type Permission } from './policy-state.ts'

/** The bits of all seven permissions. */
export const ALL_PERMISSIONS = (1 << PERMISSIONS.length) - 1
const DENY_SHIFT = PERMISSIONS.length
const TIMED = 1 << (2 * PERMISSIONS.length)
/** No holding: the principal has no grant on the project. */
export const NO_HOLDING = ABSENT

/** One grant as the table keeps it; times are epoch milliseconds, null for an open end. */
export type Grant = {
  readonly id: number
  readonly permission: Permission
  readonly effect: 'allow' | 'deny'
  readonly validFrom: number | null
  readonly validUntil: number | null
}

/**
 * All grants in typed arrays: what one principal holds on one project is a holding of 16 bits (seven allowed, seven
 * denied, one for "some are timed") and the head of a chain of its grants.
 *
 * Projects and principals are the snapshot's ordinals. A decision reads the bits; only timed grants and explanations
 * walk the chain. About 50 bytes a grant: 1,000,000 grants are held in typed arrays and not in objects.
 */
export class GrantTable {
  readonly #holdings: IntMap
  readonly #rows = new IntMap()
  readonly #timed = new Map<number, { validFrom: number | null; validUntil: number | null }>()
  #bits: Uint16Array
  #head: Int32Array
  #holdingCount = 0
  #id: Int32Array
  #kind: Uint8Array
  #holding: Int32Array
  #next: Int32Array
  #rowCount = 0
  #freeRow = ABSENT

  constructor(expected = 1024) {
    this.#holdings = new IntMap(expected)
    this.#bits = new Uint16Array(expected)
    this.#head = new Int32Array(expected)
    this.#id = new Int32Array(expected)
    this.#kind = new Uint8Array(expected)
    this.#holding = new Int32Array(expected)
    this.#next = new Int32Array(expected)
  }

  get size(): number {
    return this.#rows.size
  }

  /** What the principal holds on the project: a handle for the methods below, or {@link NO_HOLDING}. */
  holding(project: number, principal: number): number {
    return this.#holdings.get(project, principal)
  }

  /** The permissions that untimed grants of this holding allow, as bits in the order of PERMISSIONS. */
  allowed(holding: number): number {
    return (this.#bits[holding] as number) & ALL_PERMISSIONS
  }

  /** The permissions that untimed grants of this holding deny. */
  denied(holding: number): number {
    return ((this.#bits[holding] as number) >> DENY_SHIFT) & ALL_PERMISSIONS
  }

  /** Has this holding grants with a beginning or an end? They are not in the bits. */
  hasTimed(holding: number): boolean {
    return ((this.#bits[holding] as number) & TIMED) !== 0
  }

  /** The grants of a holding, timed or not. */
  *grants(holding: number): Generator<Grant> {
    for (let row = this.#head[holding] as number; row !== ABSENT; row = this.#next[row] as number) {
      yield this.#grant(row)
    }
  }

  /** Every grant with its project and principal, in no order. */
  *all(): Generator<{ project: number; principal: number; grant: Grant }> {
    for (const [project, principal, holding] of this.#holdings.entries()) {
      for (const grant of this.grants(holding)) yield { project, principal, grant }
    }
  }

  /** Adds a grant, in place of the one of the same id where there is one. */
  put(project: number, principal: number, grant: Grant): void {
    this.delete(grant.id)
    const holding = this.#openHolding(project, principal)
    const row = this.#openRow()
    const timed = grant.validFrom !== null || grant.validUntil !== null
    const kind = PERMISSIONS.indexOf(grant.permission) | (grant.effect === 'deny' ? 8 : 0) | (timed ? 16 : 0)
    this.#id[row] = grant.id
    this.#kind[row] = kind
    this.#holding[row] = holding
    this.#next[row] = this.#head[holding] as number
    this.#head[holding] = row
    this.#bits[holding] = (this.#bits[holding] as number) | bitsOf(kind)
    this.#rows.set(grant.id, 0, row)
    if (timed) this.#timed.set(row, { validFrom: grant.validFrom, validUntil: grant.validUntil })
  }

  /** Takes the grant out; nothing happens where there is none. */
  delete(id: number): void {
    const row = this.#rows.get(id, 0)
    if (row === ABSENT) return
    this.#rows.delete(id, 0)
    this.#timed.delete(row)
    const holding = this.#holding[row] as number
    let bits = 0
    let before = ABSENT
    for (let at = this.#head[holding] as number; at !== ABSENT; at = this.#next[at] as number) {
      if (at !== row) bits |= bitsOf(this.#kind[at] as number)
      if (this.#next[at] === row) before = at
    }
    if (before === ABSENT) this.#head[holding] = this.#next[row] as number
    else this.#next[before] = this.#next[row] as number
    this.#bits[holding] = bits
    this.#next[row] = this.#freeRow
    this.#freeRow = row
  }

  #grant(row: number): Grant {
    const kind = this.#kind[row] as number
    const times = this.#timed.get(row)
    return {
      id: this.#id[row] as number,
      permission: PERMISSIONS[kind & 7] as Permission,
      effect: (kind & 8) === 0 ? 'allow' : 'deny',
      validFrom: times?.validFrom ?? null,
      validUntil: times?.validUntil ?? null,
    }
  }

  #openHolding(project: number, principal: number): number {
    const known = this.#holdings.get(project, principal)
    if (known !== ABSENT) return known
    const holding = this.#holdingCount
    this.#holdingCount += 1
    if (holding === this.#bits.length) {
      this.#bits = grown(this.#bits, Uint16Array)
      this.#head = grown(this.#head, Int32Array)
    }
    this.#head[holding] = ABSENT
    this.#holdings.set(project, principal, holding)
    return holding
  }

  #openRow(): number {
    if (this.#freeRow !== ABSENT) {
      const row = this.#freeRow
      this.#freeRow = this.#next[row] as number
      return row
    }
    if (this.#rowCount === this.#id.length) {
      this.#id = grown(this.#id, Int32Array)
      this.#kind = grown(this.#kind, Uint8Array)
      this.#holding = grown(this.#holding, Int32Array)
      this.#next = grown(this.#next, Int32Array)
    }
    this.#rowCount += 1
    return this.#rowCount - 1
  }
}

function bitsOf(kind: number): number {
  if ((kind & 16) !== 0) return TIMED
  return (kind & 8) === 0 ? 1 << (kind & 7) : 1 << ((kind & 7) + DENY_SHIFT)
}

function grown<T extends Int32Array | Uint16Array | Uint8Array>(array: T, type: new (length: number) => T): T {
  const larger = new type(array.length * 2)
  larger.set(array as never)
  return larger
}
