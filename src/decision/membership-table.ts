import { grown } from './grown-array.ts'
import { ABSENT, IdIndex } from './id-index.ts'

/** Where the memberships of one user stand, four numbers side by side: the first place, how many, for how many. */
const SLICE = 4
const COUNT = 1
const ROOM = 2
/** A membership is two numbers side by side: the group, as a principal, and the project's ordinal or EVERYWHERE. */
const CELL = 2
const PROJECT = 1
/** In place of a project's ordinal: the membership counts in every project. */
export const IN_EVERY_PROJECT = -1

/** One membership as the table keeps it: the group as a principal, the project by ordinal. */
export type MembershipCell = { id: number; group: number; project: number }

/**
 * All memberships in typed arrays, those of a user side by side, so that a decision finds them with one read of memory
 * instead of one for each membership and one for each group. Users are known by their ordinals.
 */
export class MembershipTable {
  readonly #userOf = new IdIndex()
  #slices = new Int32Array(SLICE * 1024)
  #cells = new Int32Array(CELL * 1024)
  /** Ids by place; apart, since a decision does without. */
  #ids = new Int32Array(1024)
  #end = 0

  get size(): number {
    return this.#userOf.size
  }

  /** How many memberships the user has. */
  count(user: number): number {
    return this.#slices[user * SLICE + COUNT] ?? 0
  }

  /** The group, as a principal, of the user's membership number `index`. */
  group(user: number, index: number): number {
    return this.#cells[((this.#slices[user * SLICE] as number) + index) * CELL] as number
  }

  /** The ordinal of the project that the user's membership number `index` is limited to, or {@link IN_EVERY_PROJECT}. */
  project(user: number, index: number): number {
    return this.#cells[((this.#slices[user * SLICE] as number) + index) * CELL + PROJECT] as number
  }

  /** The memberships of a user, in the order in which they came. */
  of(user: number): MembershipCell[] {
    return Array.from({ length: this.count(user) }, (_, index) => ({
      id: this.#ids[(this.#slices[user * SLICE] as number) + index] as number,
      group: this.group(user, index),
      project: this.project(user, index),
    }))
  }

  /** Adds a membership of the user, in place of the one of the same id where there is one. */
  put(user: number, { id, group, project }: MembershipCell): void {
    this.delete(id)
    while ((user + 1) * SLICE > this.#slices.length) this.#slices = grown(this.#slices, Int32Array)
    const slice = user * SLICE
    const count = this.#slices[slice + COUNT] as number
    if (count === this.#slices[slice + ROOM]) this.#move(slice)
    const place = (this.#slices[slice] as number) + count
    this.#cells[place * CELL] = group
    this.#cells[place * CELL + PROJECT] = project
    this.#ids[place] = id
    this.#slices[slice + COUNT] = count + 1
    this.#userOf.set(id, user)
  }

  /** Takes the membership out; nothing happens where there is none. */
  delete(id: number): void {
    const user = this.#userOf.get(id)
    if (user === ABSENT) return
    this.#userOf.delete(id)
    const slice = user * SLICE
    const end = (this.#slices[slice] as number) + (this.#slices[slice + COUNT] as number)
    const place = this.#ids.indexOf(id, this.#slices[slice])
    this.#cells.copyWithin(place * CELL, (place + 1) * CELL, end * CELL)
    this.#ids.copyWithin(place, place + 1, end)
    this.#slices[slice + COUNT] = (this.#slices[slice + COUNT] as number) - 1
  }

  /** Gives a slice twice its room at the end; what it leaves behind is lost until policy is read anew. */
  #move(slice: number): void {
    const [start, count] = [this.#slices[slice] as number, this.#slices[slice + COUNT] as number]
    const room = Math.max(2, count * 2)
    while (this.#end + room > this.#ids.length) {
      this.#cells = grown(this.#cells, Int32Array)
      this.#ids = grown(this.#ids, Int32Array)
    }
    this.#cells.copyWithin(this.#end * CELL, start * CELL, (start + count) * CELL)
    this.#ids.copyWithin(this.#end, start, start + count)
    this.#slices[slice] = this.#end
    this.#slices[slice + ROOM] = room
    this.#end += room
  }
}
