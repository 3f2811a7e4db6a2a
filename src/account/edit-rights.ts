import { DomainError } from '../errors.ts'

/** A group with what matters for D9: whether anybody is in it, anywhere. */
export type NamedGroup = { id: number; name: string; hasMembers: boolean }

/** What the guards of names need to know. Logins are those of all users, deleted ones too. */
export interface NameStore {
  /** Holds off every other transaction that calls it until this one ends, so that no two give out one name. */
  lock(): Promise<void>
  /** Whether some user, deleted ones too, has exactly this login. */
  isLogin(name: string): Promise<boolean>
  groupNamed(name: string): Promise<NamedGroup | null>
}

/** What a caller is told to do who means it. */
const INSIST = 'send `confirmEditRights: true` to insist'

/**
 * A shift of the right to edit data that a name would bring along (D9, "Names are rights"), or null for none. Whoever
 * gets such a text needs the caller's confirmation.
 */
export type Shift = string | null

/** The members of the group would get the new login's data. */
export function shiftByLogin(group: NamedGroup | null): Shift {
  return group?.hasMembers
    ? `the group of this name has members, who could edit everything that this user makes; ${INSIST}`
    : null
}

/** Whoever is or comes into the group gets the data of that login; also where the login's user is deleted. */
export function shiftByGroupName(isLogin: boolean): Shift {
  return isLogin
    ? `this is the login of a user, perhaps a deleted one, and members of the group could edit what that user made; ${INSIST}`
    : null
}

/** The members of the group would lose the data of the login that the group was named like. */
export function shiftByLosingName(hasMembers: boolean, isLogin: boolean): Shift {
  return isLogin && hasMembers
    ? `the group is named like a login, and its members could no longer edit what that user made; ${INSIST}`
    : null
}

/**
 * Lets shifts of rights pass only when they are confirmed.
 *
 * @returns whether there was something to confirm, for the audit trail
 * @throws DomainError `name-carries-edit-rights` naming the first shift
 */
export function confirmShifts(shifts: readonly Shift[], confirmed: boolean, pointer: string): boolean {
  const shift = shifts.find((found) => found !== null)
  if (shift === undefined || shift === null) return false
  if (confirmed) return true
  throw new DomainError('name-carries-edit-rights', shift, { faults: [{ pointer, detail: shift }] })
}

/** The refusal of a name that is in use; nobody can insist on it. */
export function nameTaken(pointer: string, detail: string): DomainError {
  return new DomainError('name-taken', detail, { faults: [{ pointer, detail }] })
}
