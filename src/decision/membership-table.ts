import { grown } from './grown-array.ts'
import { ABSENT, IdIndex } from './id-index.ts'
import { MEMBERSHIP_NUMBERS, type UserRows } from './user-rows.ts'

/** Of each user's numbers in its row: how many memberships there are, the place of the first, places kept for them. */
const COUNT = 0
const START = 1
const ROOM = 2
/** Then the first of them, as they stand in #cells: most users have no more, and #cells need not be asked. */
const FIRST = 3
const REPEATED = Math.floor((MEMBERSHIP_NUMBERS - FIRST) / 2)
/** A membership is two numbers side by side: the group, as a principal, and the project's ordinal or IN_EVERY_PROJECT. */
const CELL = 2
const PROJECT = 1
/** In place of a project's ordinal: the membership counts in every project. */
export const IN_EVERY_PROJECT = -1

/** One membership as the table keeps it: the group as a principal, the project by ordinal. */
export type MembershipCell = { id: number; group: number; project: number }

/**
 * All memberships in typed arrays, those of a user side by side, and the first ones again in the user's row, so that a
 * decision finds them with hardly a read of memory. Users are known by their ordinals.
 */
export class MembershipTable {
  readonly #userOf = new IdIndex()
  readonly #rows: UserRows
  #cells = new Int32Array(CELL * 1024)
  /** Ids by place; apart, since a decision does without. */
  #ids = new Int32Array(1024)
  #end = 0

  constructor(rows: UserRows) {
    this.#rows = rows
  }

  get size(): number {
    return this.#userOf.size
  }

  /** How many memberships the user has. */
  count(user: number): number {
    return this.#rows.membershipNumber(user, COUNT)
  }

  /** The group, as a principal, of the user's membership number `index`. */
  group(user: number, index: number): number {
    if (index < REPEATED) return this.#rows.membershipNumber(user, FIRST + index * CELL)
    return this.#cells[(this.#start(user) + index) * CELL] as number
  }

  /** The ordinal of the project that the user's membership number `index` is limited to, or {@link IN_EVERY_PROJECT}. */
  project(user: number, index: number): number {
    if (index < REPEATED) return this.#rows.membershipNumber(user, FIRST + index * CELL + PROJECT)
    return this.#cells[(this.#start(user) + index) * CELL + PROJECT] as number
  }

  /** The memberships of a user, in the order in which they came. */
  of(user: number): MembershipCell[] {
    return Array.from({ length: this.count(user) }, (_, index) => ({
      id: this.#ids[this.#start(user) + index] as number,
      group: this.group(user, index),
      project: this.project(user, index),
    }))
  }

  /** Adds a membership of the user, in place of the one of the same id where there is one. */
  put(user: number, { id, group, project }: MembershipCell): void {
    this.delete(id)
    this.#rows.reach(user)
    const count = this.count(user)
    if (count === this.#rows.membershipNumber(user, ROOM)) this.#move(user)
    const place = this.#start(user) + count
    this.#cells[place * CELL] = group
    this.#cells[place * CELL + PROJECT] = project
    this.#ids[place] = id
    this.#rows.setMembershipNumber(user, COUNT, count + 1)
    this.#repeatFirst(user)
    this.#userOf.set(id, user)
  }

  /** Takes the membership out; nothing happens where there is none. */
  delete(id: number): void {
    const user = this.#userOf.get(id)
    if (user === ABSENT) return
    this.#userOf.delete(id)
    const end = this.#start(user) + this.count(user)
    const place = this.#ids.indexOf(id, this.#start(user))
    this.#cells.copyWithin(place * CELL, (place + 1) * CELL, end * CELL)
    this.#ids.copyWithin(place, place + 1, end)
    this.#rows.setMembershipNumber(user, COUNT, this.count(user) - 1)
    this.#repeatFirst(user)
  }

  #start(user: number): number {
    return this.#rows.membershipNumber(user, START)
  }

  #repeatFirst(user: number): void {
    const repeated = Math.min(this.count(user), REPEATED) * CELL
    for (let at = 0; at < repeated; at += 1) {
      this.#rows.setMembershipNumber(user, FIRST + at, this.#cells[this.#start(user) * CELL + at] as number)
    }
  }

  /** Gives a user's memberships twice their room at the end; what they leave is lost until policy is read anew. */
  #move(user: number): void {
    const [start, count] = [this.#start(user), this.count(user)]
    const room = Math.max(2, count * 2)
    while (this.#end + room > this.#ids.length) {
      this.#cells = grown(this.#cells, Int32Array)
      this.#ids = grown(this.#ids, Int32Array)
    }
    this.#cells.copyWithin(this.#end * CELL, start * CELL, (start + count) * CELL)
    this.#ids.copyWithin(this.#end, start, start + count)
    this.#rows.setMembershipNumber(user, START, this.#end)
    this.#rows.setMembershipNumber(user, ROOM, room)
    this.#end += room
  }
}
