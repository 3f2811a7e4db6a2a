import { grown } from './grown-array.ts'
import { ABSENT } from './id-index.ts'

/** A slot is two numbers: the hash of a login, and the user's ordinal plus one, so that 0 is an empty slot. */
const SLOT = 2
const ORDINAL = 1
/** Slots of an index that holds nothing yet. */
const LEAST_ROOM = 16
/** The slots are given twice their room when they would be fuller than this. */
const FULLEST = 0.5

/** Bytes beside each other for one login: how many characters, then the characters, where each of them is one byte. */
const TEXT = 32
/** In place of the length: the login is too long, or not of such characters, and stands in #logins alone. */
const ELSEWHERE = 255

/**
 * Finds users by their exact login: ordinals by text.
 *
 * WHY not a Map of texts: it reads, one after the other and each in another part of memory, its bucket, its entry, the
 * text there and the user; half the time a second entry and text as well. Here the slot gives the ordinal, the letters
 * are compared in the one line where they stand, and whatever else is known by ordinal can be fetched meanwhile:
 * measured in docs/performance.md.
 */
export class LoginIndex {
  #slots = new Int32Array(LEAST_ROOM * SLOT)
  #size = 0
  #texts = new Uint8Array(LEAST_ROOM * TEXT)
  /** By ordinal: the login each user has now. */
  readonly #logins: string[] = []
  /** Differs from process to process, so that nobody can choose logins that all have one hash. */
  readonly #seed = Math.floor(Math.random() * 2 ** 32)

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
    const texts = this.#texts
    const start = ordinal * TEXT
    const length = texts[start] as number
    if (length === ELSEWHERE) return this.#logins[ordinal] === login
    if (length !== login.length) return false
    for (let at = 0; at < length; at += 1) if (texts[start + 1 + at] !== login.charCodeAt(at)) return false
    return true
  }

  #keepText(login: string, ordinal: number): void {
    this.#logins[ordinal] = login
    while ((ordinal + 1) * TEXT > this.#texts.length) this.#texts = grown(this.#texts, Uint8Array)
    const start = ordinal * TEXT
    this.#texts[start] = login.length < TEXT ? login.length : ELSEWHERE
    for (let at = 0; at < login.length && at < TEXT - 1; at += 1) {
      const code = login.charCodeAt(at)
      if (code > 255) this.#texts[start] = ELSEWHERE
      this.#texts[start + 1 + at] = code
    }
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
