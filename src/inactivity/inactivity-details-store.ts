import type { EntityManager } from 'typeorm'
import { durationText } from '../duration.ts'
import type { MailContact } from '../mail/mail-kinds.ts'
import { exactTime, intervalParts } from './due-statements.ts'
import { type IntervalRow, intervalOf } from './period-store.ts'
import { contactsOf } from './run-store.ts'

/** What an inactive account itself knows of its deactivation. */
export type InactiveAccount = {
  id: number
  deactivationReason: string | null
  deactivatedAt: string | null
  deactivationMessage: string | null
}

/**
 * Why an account is inactive, for its owner, who has given the right password. Where it was inactivity, `period` is the
 * one that was exceeded, with its length then, and `contacts` are those whom to ask now.
 */
export type InactivityDetails = {
  reason: string | null
  deactivatedAt: string | null
  message: string | null
  period: { maxInactivity: string; lastActivityAt: string } | null
  contacts: MailContact[]
}

/** Reads what there is to know about a deactivation. */
export class PgInactivityDetails {
  readonly #manager: EntityManager

  constructor(manager: EntityManager) {
    this.#manager = manager
  }

  async of(account: InactiveAccount): Promise<InactivityDetails> {
    const known = {
      reason: account.deactivationReason,
      deactivatedAt: account.deactivatedAt,
      message: account.deactivationMessage,
    }
    if (account.deactivationReason !== 'inactivity') return { ...known, period: null, contacts: [] }
    const [row] = await this.#manager.query<
      { maxInactivity: IntervalRow; lastActivityAt: string; contacts: MailContact[] }[]
    >(
      `SELECT ${intervalParts('a.max_inactivity')} AS "maxInactivity",
         ${exactTime('a.last_activity_at')} AS "lastActivityAt", ${contactsOf('a.period_id')} AS contacts
       FROM inactivity_run_accounts a WHERE a.user_id = $1 AND a.state = 'deactivated'
       ORDER BY a.run_id DESC LIMIT 1`,
      [account.id],
    )
    if (row === undefined) return { ...known, period: null, contacts: [] }
    const maxInactivity = durationText(intervalOf(row.maxInactivity))
    return { ...known, period: { maxInactivity, lastActivityAt: row.lastActivityAt }, contacts: row.contacts }
  }
}
