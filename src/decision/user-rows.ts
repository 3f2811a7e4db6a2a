import { grown } from './grown-array.ts'

/** Numbers a row, 64 bytes: as much as processors fetch at once, in one piece or two as the array happens to begin. */
const ROW = 16
/** Where in a row stands what. */
const STANDING = 0
const NAMESAKE = 1
const MEMBERSHIPS = 2
const LOGIN = 9
/** Numbers for a user's memberships. */
export const MEMBERSHIP_NUMBERS: number = LOGIN - MEMBERSHIPS
/** Bytes for a login. */
export const LOGIN_BYTES: number = (ROW - LOGIN) * 4

/**
 * One row for each user, by ordinal, of what a decision reads: who the user is, what counts of them, and their first
 * memberships. What is read of it is known to the tables that keep it: logins, users, memberships.
 *
 * WHY together: a decision at a million grants is mostly waiting for memory, and what stands in one row is waited for
 * once. Measured in docs/performance.md.
 */
export class UserRows {
  #numbers = new Int32Array(ROW * 16)
  #bytes = new Uint8Array(this.#numbers.buffer)

  /** Makes room for this user; what is new is 0. */
  reach(user: number): void {
    while ((user + 1) * ROW > this.#numbers.length) {
      this.#numbers = grown(this.#numbers, Int32Array)
      this.#bytes = new Uint8Array(this.#numbers.buffer)
    }
  }

  standing(user: number): number {
    return this.#numbers[user * ROW + STANDING] as number
  }
  setStanding(user: number, bits: number): void {
    this.#numbers[user * ROW + STANDING] = bits
  }

  /** The group, as a principal, that is named like the user. */
  namesake(user: number): number {
    return this.#numbers[user * ROW + NAMESAKE] as number
  }
  setNamesake(user: number, principal: number): void {
    this.#numbers[user * ROW + NAMESAKE] = principal
  }

  /** One of the numbers that the table of memberships keeps of the user. */
  membershipNumber(user: number, at: number): number {
    return this.#numbers[user * ROW + MEMBERSHIPS + at] as number
  }
  setMembershipNumber(user: number, at: number, value: number): void {
    this.#numbers[user * ROW + MEMBERSHIPS + at] = value
  }

  /** One of the bytes that the index of logins keeps of the user. */
  loginByte(user: number, at: number): number {
    return this.#bytes[(user * ROW + LOGIN) * 4 + at] as number
  }
  setLoginByte(user: number, at: number, value: number): void {
    this.#bytes[(user * ROW + LOGIN) * 4 + at] = value
  }
}
