import type { DataSource } from 'typeorm'
import type { Outbox, QueuedMail, Settlement } from './mail-sender.ts'

/** The end of the outbox that mails leave by, in PostgreSQL. */
export class PgOutbox implements Outbox {
  readonly #dataSource: DataSource

  constructor(dataSource: DataSource) {
    this.#dataSource = dataSource
  }

  deliverNext(deliver: (mail: QueuedMail) => Promise<Settlement>): Promise<Settlement | null> {
    return this.#dataSource.transaction(async (manager) => {
      // WHY: the row stays locked while its mail is sent, so nobody else sends it; a crash lets go of it unsettled.
      const [mail] = await manager.query<QueuedMail[]>(
        `SELECT id, message_id AS "messageId", kind, recipient, reply_to AS "replyTo", subject, body AS text, attempts,
           queued_at AS date
         FROM mail_outbox WHERE state = 'queued' AND next_attempt_at <= now()
         ORDER BY next_attempt_at, id LIMIT 1 FOR UPDATE SKIP LOCKED`,
      )
      if (mail === undefined) return null
      const settlement = await deliver(mail)
      const { state, answer, againInMs } = settlement
      await manager.query(
        `UPDATE mail_outbox SET state = $2, attempts = attempts + 1, last_answer = $3,
           next_attempt_at = clock_timestamp() + coalesce($4::float8, 0) * interval '1 millisecond',
           settled_at = CASE WHEN $2 = 'queued' THEN NULL ELSE clock_timestamp() END,
           body = CASE WHEN $2 = 'sent' THEN NULL ELSE body END
         WHERE id = $1`,
        [mail.id, state, answer, againInMs],
      )
      return settlement
    })
  }

  async figures(): Promise<{ queued: number; failed: number }> {
    const [figures] = await this.#dataSource.query<{ queued: number; failed: number }[]>(
      `SELECT (SELECT count(*) FROM mail_outbox WHERE state = 'queued')::integer AS queued,
         (SELECT count(*) FROM mail_outbox WHERE state = 'failed')::integer AS failed`,
    )
    return figures ?? { queued: 0, failed: 0 }
  }
}
