import { ABSENT } from './id-index.ts'
import { LOGIN_BYTES, type UserRows } from './user-rows.ts'

/** A slot is two numbers: the hash of a login, and the user's ordinal plus one, so that 0 is an empty slot. */
const SLOT = 2
const ORDINAL = 1
/** Slots of an index that holds nothing yet. */
const LEAST_ROOM = 16
/** The slots are given twice their room when they would be fuller than this. */
const FULLEST = 0.5

/**
 * In place of the length. The bytes of a row are how many characters there are, then the characters; a login that is too
 * long, or not of characters of one byte each, stands in #logins alone.
 */
const ELSEWHERE = 255

/**
 * Finds users by their exact login: ordinals by text. Open addressing as in `HoldingTable`, which has many small tables in
 * one array and no texts, so that the two share the idea and no code.
 *
 * WHY not a Map of texts: it reads, one after the other and each in another part of memory, its bucket, its entry, the
 * text there and the user; half the time a second entry and text as well. Here the slot gives the ordinal, and the
 * letters are compared where everything else stands that the decision will want to know of the user: measured in
 * docs/performance.md.
 */
export class LoginIndex {
  #slots = new Int32Array(LEAST_ROOM * SLOT)
  #size = 0
  readonly #rows: UserRows
  /** By ordinal: the login each user has, or had last. */
  readonly #logins: string[] = []
  /** Differs from index to index, so that nobody can choose logins that all have one hash. */
  readonly #seed = Math.floor(Math.random() * 2 ** 32)

  constructor(rows: UserRows) {
    this.#rows = rows
  }

  /** The ordinal of who has exactly this login, or {@link ABSENT}. */
  get(login: string): number {
    const slot = this.#slotOf(login)
    return slot === ABSENT ? ABSENT : (this.#slots[slot * SLOT + ORDINAL] as number) - 1
  }

  /** From now on the login is this user's, whoever had it before. The user's own former login is to be deleted first. */
  set(login: string, ordinal: number): void {
    this.#keepText(login, ordinal)
    const known = this.#slotOf(login)
    if (known !== ABSENT) {
      this.#slots[known * SLOT + ORDINAL] = ordinal + 1
      return
    }
    this.#size += 1
    if (this.#size > (this.#slots.length / SLOT) * FULLEST) this.#grow()
    this.#enter(this.#hashOf(login), ordinal)
  }

  /** Forgets the login, unless somebody else has it meanwhile. */
  delete(login: string, ordinal: number): void {
    const slot = this.#slotOf(login)
    if (slot === ABSENT || this.#slots[slot * SLOT + ORDINAL] !== ordinal + 1) return
    this.#size -= 1
    this.#closeGap(slot)
  }

  #slotOf(login: string): number {
    const slots = this.#slots
    const mask = slots.length / SLOT - 1
    const hash = this.#hashOf(login)
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const taken = slots[slot * SLOT + ORDINAL] as number
      if (taken === 0) return ABSENT
      if (slots[slot * SLOT] === hash && this.#isLoginOf(taken - 1, login)) return slot
    }
  }

  #isLoginOf(ordinal: number, login: string): boolean {
    const rows = this.#rows
    const length = rows.loginByte(ordinal, 0)
    if (length === ELSEWHERE) return this.#logins[ordinal] === login
    if (length !== login.length) return false
    for (let at = 0; at < length; at += 1) if (rows.loginByte(ordinal, 1 + at) !== login.charCodeAt(at)) return false
    return true
  }

  #keepText(login: string, ordinal: number): void {
    this.#logins[ordinal] = login
    this.#rows.reach(ordinal)
    let length = login.length < LOGIN_BYTES ? login.length : ELSEWHERE
    for (let at = 0; at < login.length && length !== ELSEWHERE; at += 1) {
      if (login.charCodeAt(at) > 255) length = ELSEWHERE
      else this.#rows.setLoginByte(ordinal, 1 + at, login.charCodeAt(at))
    }
    this.#rows.setLoginByte(ordinal, 0, length)
  }

  #enter(hash: number, ordinal: number): void {
    const mask = this.#slots.length / SLOT - 1
    let slot = hash & mask
    while (this.#slots[slot * SLOT + ORDINAL] !== 0) slot = (slot + 1) & mask
    this.#slots[slot * SLOT] = hash
    this.#slots[slot * SLOT + ORDINAL] = ordinal + 1
  }

  #grow(): void {
    const former = this.#slots
    this.#slots = new Int32Array(former.length * 2)
    for (let at = 0; at < former.length; at += SLOT) {
      const taken = former[at + ORDINAL] as number
      if (taken !== 0) this.#enter(former[at] as number, taken - 1)
    }
  }

  /** Moves later entries of the same run back, so that no probe ends before its entry. */
  #closeGap(gap: number): void {
    const slots = this.#slots
    const mask = slots.length / SLOT - 1
    let hole = gap
    for (let slot = (hole + 1) & mask; slots[slot * SLOT + ORDINAL] !== 0; slot = (slot + 1) & mask) {
      const home = (slots[slot * SLOT] as number) & mask
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue
      slots.copyWithin(hole * SLOT, slot * SLOT, (slot + 1) * SLOT)
      hole = slot
    }
    slots[hole * SLOT] = 0
    slots[hole * SLOT + ORDINAL] = 0
  }

  /** FNV-1a over the characters, then the finish of MurmurHash3, which lets every bit bear on the low ones. */
  #hashOf(login: string): number {
    let hash = this.#seed | 0
    for (let at = 0; at < login.length; at += 1) hash = Math.imul(hash ^ login.charCodeAt(at), 0x01000193)
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
    return hash ^ (hash >>> 13)
  }
}
