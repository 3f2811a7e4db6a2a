import { grown } from './grown-array.ts'
import { HoldingTable } from './holding-table.ts'
import { ABSENT, IdIndex } from './id-index.ts'
import { PERMISSIONS, type Permission } from './policy-state.ts'

/** The bits of all seven permissions. */
export const ALL_PERMISSIONS = (1 << PERMISSIONS.length) - 1
const DENY_SHIFT = PERMISSIONS.length
const TIMED = 1 << (2 * PERMISSIONS.length)
/** Grants a principal has on a project on average, at the least; a table that was made too small grows. */
const GRANTS_A_HOLDING = 2

/** The permissions that untimed grants in held bits allow, as bits in the order of PERMISSIONS. */
export const allowedOf = (held: number): number => held & ALL_PERMISSIONS
/** The permissions that untimed grants in held bits deny. */
export const deniedOf = (held: number): number => (held >> DENY_SHIFT) & ALL_PERMISSIONS
/** Are there grants with a beginning or an end behind held bits? They are not in the bits. */
export const hasTimed = (held: number): boolean => (held & TIMED) !== 0

/** One grant as the table keeps it; times are epoch milliseconds, null for an open end. */
export type Grant = {
  readonly id: number
  readonly permission: Permission
  readonly effect: 'allow' | 'deny'
  readonly validFrom: number | null
  readonly validUntil: number | null
}

/** A grant with a beginning or an end, as a matcher reads its times: epoch milliseconds as text, '' for an open end. */
export type TimedGrant = {
  readonly bit: number
  readonly effect: 'allow' | 'deny'
  readonly from: string
  readonly until: string
}

/**
 * All grants in typed arrays: what one principal holds on one project is 15 bits (seven allowed, seven denied, one for
 * "some are timed") and the head of a chain of its grants.
 *
 * Projects are ordinals, principals as `policy-records.ts` counts users and groups. A decision reads the bits; only timed grants and explanations
 * walk the chain; lists of projects walk a second one, of all grants of a principal. About 50 bytes a grant: 1,000,000
 * grants are held in typed arrays and not in objects.
 */
export class GrantTable {
  readonly #holdings: HoldingTable
  readonly #rows = new IdIndex()
  readonly #timed = new Map<number, TimedGrant>()
  #id: Int32Array
  #kind: Uint8Array
  #project: Int32Array
  #principal: Int32Array
  #next: Int32Array
  /** The rows of one principal, on whatever projects, in a chain that can be left anywhere; its heads by principal. */
  #after: Int32Array
  #before: Int32Array
  readonly #firstOf: number[] = []
  #rowCount = 0
  #freeRow = ABSENT

  constructor(expected = 1024) {
    this.#holdings = new HoldingTable(expected / GRANTS_A_HOLDING)
    this.#id = new Int32Array(expected)
    this.#kind = new Uint8Array(expected)
    this.#project = new Int32Array(expected)
    this.#principal = new Int32Array(expected)
    this.#next = new Int32Array(expected)
    this.#after = new Int32Array(expected)
    this.#before = new Int32Array(expected)
  }

  get size(): number {
    return this.#rows.size
  }

  /** What the principal holds on the project, as bits for the functions above; 0 where it has no grant. */
  held(project: number, principal: number): number {
    return this.#holdings.bits(project, principal)
  }

  /** The grants of a principal on a project, timed or not. */
  grants(project: number, principal: number): Grant[] {
    return this.#chain(this.#holdings.head(project, principal))
  }

  /** The first row of a principal's grants on a project, or {@link ABSENT}. */
  firstRow(project: number, principal: number): number {
    return this.#holdings.head(project, principal)
  }

  /** The row after a row of {@link firstRow}, or {@link ABSENT}. */
  rowAfter(row: number): number {
    return this.#next[row] as number
  }

  /** The grant in a row if it has a beginning or an end. */
  timedGrant(row: number): TimedGrant | undefined {
    return ((this.#kind[row] as number) & 16) === 0 ? undefined : this.#timed.get(row)
  }

  /** The projects on which the principal has grants, each once, in no order. */
  projectsOf(principal: number): Set<number> {
    const projects = new Set<number>()
    for (let row = this.#firstOf[principal] ?? ABSENT; row !== ABSENT; row = this.#after[row] as number) {
      projects.add(this.#project[row] as number)
    }
    return projects
  }

  /** Every grant with its project and principal, in no order. */
  *all(): Generator<{ project: number; principal: number; grant: Grant }> {
    for (const [project, principal, , head] of this.#holdings.entries()) {
      for (const grant of this.#chain(head)) yield { project, principal, grant }
    }
  }

  /** Adds a grant, in place of the one of the same id where there is one. */
  put(project: number, principal: number, grant: Grant): void {
    this.delete(grant.id)
    const row = this.#openRow()
    const timed = grant.validFrom !== null || grant.validUntil !== null
    const kind = PERMISSIONS.indexOf(grant.permission) | (grant.effect === 'deny' ? 8 : 0) | (timed ? 16 : 0)
    this.#id[row] = grant.id
    this.#kind[row] = kind
    this.#project[row] = project
    this.#principal[row] = principal
    this.#next[row] = this.#holdings.head(project, principal)
    this.#holdings.set(project, principal, this.#holdings.bits(project, principal) | bitsOf(kind), row)
    this.#rows.set(grant.id, row)
    this.#join(row, principal)
    if (timed) this.#timed.set(row, timedGrant(grant))
  }

  /** Takes the grant out; nothing happens where there is none. */
  delete(id: number): void {
    const row = this.#rows.get(id)
    if (row === ABSENT) return
    this.#rows.delete(id)
    this.#timed.delete(row)
    this.#unchain(row)
    this.#leave(row)
    this.#next[row] = this.#freeRow
    this.#freeRow = row
  }

  #join(row: number, principal: number): void {
    while (this.#firstOf.length <= principal) this.#firstOf.push(ABSENT)
    const first = this.#firstOf[principal] as number
    this.#before[row] = ABSENT
    this.#after[row] = first
    if (first !== ABSENT) this.#before[first] = row
    this.#firstOf[principal] = row
  }

  #leave(row: number): void {
    const [before, after] = [this.#before[row] as number, this.#after[row] as number]
    if (before === ABSENT) this.#firstOf[this.#principal[row] as number] = after
    else this.#after[before] = after
    if (after !== ABSENT) this.#before[after] = before
  }

  #unchain(row: number): void {
    const [project, principal] = [this.#project[row] as number, this.#principal[row] as number]
    let head = this.#holdings.head(project, principal)
    let bits = 0
    let before = ABSENT
    for (let at = head; at !== ABSENT; at = this.#next[at] as number) {
      if (at !== row) bits |= bitsOf(this.#kind[at] as number)
      if (this.#next[at] === row) before = at
    }
    if (before === ABSENT) head = this.#next[row] as number
    else this.#next[before] = this.#next[row] as number
    if (head === ABSENT) this.#holdings.delete(project, principal)
    else this.#holdings.set(project, principal, bits, head)
  }

  #chain(head: number): Grant[] {
    const grants: Grant[] = []
    for (let row = head; row !== ABSENT; row = this.#next[row] as number) {
      const kind = this.#kind[row] as number
      const times = this.timedGrant(row)
      grants.push({
        id: this.#id[row] as number,
        permission: PERMISSIONS[kind & 7] as Permission,
        effect: (kind & 8) === 0 ? 'allow' : 'deny',
        validFrom: instantIn(times?.from),
        validUntil: instantIn(times?.until),
      })
    }
    return grants
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
      this.#project = grown(this.#project, Int32Array)
      this.#principal = grown(this.#principal, Int32Array)
      this.#next = grown(this.#next, Int32Array)
      this.#after = grown(this.#after, Int32Array)
      this.#before = grown(this.#before, Int32Array)
    }
    this.#rowCount += 1
    return this.#rowCount - 1
  }
}

function timedGrant({ permission, effect, validFrom, validUntil }: Grant): TimedGrant {
  const text = (instant: number | null) => (instant === null ? '' : String(instant))
  return { bit: 1 << PERMISSIONS.indexOf(permission), effect, from: text(validFrom), until: text(validUntil) }
}

const instantIn = (text = ''): number | null => (text === '' ? null : Number(text))

function bitsOf(kind: number): number {
  if ((kind & 16) !== 0) return TIMED
  return (kind & 8) === 0 ? 1 << (kind & 7) : 1 << ((kind & 7) + DENY_SHIFT)
}
