import { randomUUID } from 'node:crypto'
import type { EntityManager } from 'typeorm'
import { isMailAddress } from '../mail-address.ts'
import type { NewMail } from './mail-kinds.ts'
import { letterOf, type Stationery } from './mail-letter.ts'
import type { MailEntry, MailFilter } from './mail-schemas.ts'
import type { MailPage, MailReader, MailStore } from './mail-service.ts'

type Row = Omit<MailEntry, 'nextAttemptAt' | 'queuedAt' | 'settledAt'> & {
  nextAttemptAt: Date | null
  queuedAt: Date
  settledAt: Date | null
}

/** Every column but the body, which may hold a link that opens an account. */
const COLUMNS = `id, message_id AS "messageId", kind, user_id AS "userId", recipient, subject, state, attempts,
  CASE WHEN state = 'queued' THEN next_attempt_at END AS "nextAttemptAt", last_answer AS "lastAnswer",
  queued_at AS "queuedAt", settled_at AS "settledAt"`

/** What a store of mails writes with, and whom it tells that mails wait. */
export type MailOffice = { stationery: Stationery; queued: () => void }

/** The outbox of mails in PostgreSQL: what is queued in a transaction is sent if and when that commits. */
export class PgMailStore implements MailReader, MailStore {
  readonly #manager: EntityManager
  readonly #office: MailOffice

  constructor(manager: EntityManager, office: MailOffice) {
    this.#manager = manager
    this.#office = office
  }

  /**
   * Writes the mail and queues it. A user without an address gets none; an address that no mail can go to is kept as a
   * failed mail, so that somebody sees it.
   */
  async enqueue(mail: NewMail): Promise<void> {
    if (mail.recipient === '') return
    const { stationery, queued } = this.#office
    const { subject, text, replyTo } = letterOf(mail, stationery)
    const messageId = `${randomUUID()}@${stationery.domain}`
    await this.#manager.query(
      `INSERT INTO mail_outbox (message_id, kind, user_id, recipient, reply_to, subject, body, state, last_answer, settled_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7,
         CASE WHEN $8 THEN 'queued' ELSE 'failed' END,
         CASE WHEN NOT $8 THEN 'the recipient is no address that a mail can be sent to' END,
         CASE WHEN NOT $8 THEN now() END)`,
      [messageId, mail.kind, mail.userId, mail.recipient, replyTo, subject, text, isMailAddress(mail.recipient)],
    )
    queued()
  }

  /**
   * Cancels what waits for these users of these kinds, and empties it. What is being sent just now is passed over:
   * waiting for a mail server would hold the transaction.
   */
  async cancel(userIds: readonly number[], kinds: readonly NewMail['kind'][]): Promise<void> {
    await this.#manager.query(
      `UPDATE mail_outbox SET state = 'cancelled', body = NULL, settled_at = now() WHERE id IN (
         SELECT id FROM mail_outbox WHERE state = 'queued' AND user_id = ANY ($1) AND kind = ANY ($2)
         FOR UPDATE SKIP LOCKED)`,
      [userIds, kinds],
    )
  }

  async list({ state, recipient }: MailFilter, { limit, descending, after }: MailPage): Promise<MailEntry[]> {
    const rows = await this.#manager.query<Row[]>(
      `SELECT ${COLUMNS} FROM mail_outbox
       WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR recipient = $2)
         AND ($3::bigint IS NULL OR id ${descending ? '<' : '>'} $3)
       ORDER BY id ${descending ? 'DESC' : 'ASC'} LIMIT $4`,
      [state ?? null, recipient ?? null, after?.id ?? null, limit + 1],
    )
    return rows.map(shown)
  }

  async find(id: number): Promise<MailEntry | null> {
    const [row] = await this.#manager.query<Row[]>(`SELECT ${COLUMNS} FROM mail_outbox WHERE id = $1`, [id])
    return row === undefined ? null : shown(row)
  }

  async requeue(id: number): Promise<MailEntry | null> {
    const [row] = await this.#manager.query<Row[]>(
      `WITH again AS (
         UPDATE mail_outbox SET state = 'queued', attempts = 0, next_attempt_at = now(), settled_at = NULL
         WHERE id = $1 AND state = 'failed' RETURNING *)
       SELECT ${COLUMNS} FROM again`,
      [id],
    )
    if (row !== undefined) this.#office.queued()
    return row === undefined ? null : shown(row)
  }
}

const shown = ({ nextAttemptAt, queuedAt, settledAt, ...row }: Row): MailEntry => ({
  ...row,
  nextAttemptAt: nextAttemptAt?.toISOString() ?? null,
  queuedAt: queuedAt.toISOString(),
  settledAt: settledAt?.toISOString() ?? null,
})
