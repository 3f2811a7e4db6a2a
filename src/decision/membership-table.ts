import { ABSENT, IdIndex } from './id-index.ts'

/** A membership is three numbers side by side: its id, the group's ordinal, the project's ordinal or EVERYWHERE. */
const CELL = 3
const GROUP = 1
const PROJECT = 2
/** In place of a project's ordinal: the membership counts in every project. */
export const IN_EVERY_PROJECT = -1

/** Where the memberships of one user stand in the table; all zero at first, and changed by the table alone. */
export type MembershipSlice = { start: number; count: number; room: number }

/** One membership as the table keeps it: ordinals of group and project. */
export type MembershipCell = { id: number; group: number; project: number }

/**
 * All memberships in one typed array, those of a user side by side, so that a decision finds them with one read of
 * memory instead of one for each membership and one for each group.
 */
export class MembershipTable {
  readonly #userOf = new IdIndex()
  readonly #slices: (MembershipSlice | undefined)[] = []
  #cells = new Int32Array(CELL * 1024)
  #end = 0

  get size(): number {
    return this.#userOf.size
  }

  /** Makes the user of this ordinal known, whose memberships will stand in the slice. */
  open(user: number, slice: MembershipSlice): void {
    this.#slices[user] = slice
  }

  /** The ordinal of the group of a slice's membership at `place`. */
  group(slice: MembershipSlice, place: number): number {
    return this.#cells[(slice.start + place) * CELL + GROUP] as number
  }

  /** The ordinal of the project that the membership at `place` is limited to, or {@link IN_EVERY_PROJECT}. */
  project(slice: MembershipSlice, place: number): number {
    return this.#cells[(slice.start + place) * CELL + PROJECT] as number
  }

  /** The memberships of a slice, in the order in which they came. */
  of(slice: MembershipSlice): MembershipCell[] {
    return Array.from({ length: slice.count }, (_, place) => ({
      id: this.#cells[(slice.start + place) * CELL] as number,
      group: this.group(slice, place),
      project: this.project(slice, place),
    }))
  }

  /** Adds a membership of the user, in place of the one of the same id where there is one. */
  put(user: number, { id, group, project }: MembershipCell): void {
    this.delete(id)
    const slice = this.#slices[user]
    if (slice === undefined) throw new Error(`no user has the ordinal ${user}`)
    if (slice.count === slice.room) this.#move(slice)
    this.#cells.set([id, group, project], (slice.start + slice.count) * CELL)
    slice.count += 1
    this.#userOf.set(id, user)
  }

  /** Takes the membership out; nothing happens where there is none. */
  delete(id: number): void {
    const user = this.#userOf.get(id)
    if (user === ABSENT) return
    this.#userOf.delete(id)
    const slice = this.#slices[user] as MembershipSlice
    let place = slice.start
    while (this.#cells[place * CELL] !== id) place += 1
    this.#cells.copyWithin(place * CELL, (place + 1) * CELL, (slice.start + slice.count) * CELL)
    slice.count -= 1
  }

  /** Gives a slice twice its room at the end; what it leaves behind is lost until policy is read anew. */
  #move(slice: MembershipSlice): void {
    const room = Math.max(2, slice.room * 2)
    while ((this.#end + room) * CELL > this.#cells.length) {
      const larger = new Int32Array(this.#cells.length * 2)
      larger.set(this.#cells)
      this.#cells = larger
    }
    this.#cells.copyWithin(this.#end * CELL, slice.start * CELL, (slice.start + slice.count) * CELL)
    slice.start = this.#end
    slice.room = room
    this.#end += room
  }
}
