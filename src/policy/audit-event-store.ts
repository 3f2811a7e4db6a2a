import type { EntityManager } from 'typeorm'
import { type AuditEventRow, AuditEvents } from '../database/entities.ts'
import { readPage } from '../database/page-query.ts'
import type { AuditEvent } from './audit-event-schemas.ts'
import type { AuditEventPage, AuditEventReader, AuditEventSelection } from './audit-event-service.ts'

/** The audit trail in PostgreSQL. */
export class PgAuditEventStore implements AuditEventReader {
  readonly #manager: EntityManager

  constructor(manager: EntityManager) {
    this.#manager = manager
  }

  async list({ from, until, ...exact }: AuditEventSelection, page: AuditEventPage): Promise<AuditEvent[]> {
    const query = this.#manager.createQueryBuilder(AuditEvents, 'audit_events').where(exact)
    if (from !== undefined) query.andWhere('audit_events.occurredAt >= :from', { from })
    if (until !== undefined) query.andWhere('audit_events.occurredAt < :until', { until })
    const rows = await readPage(query, page)
    return rows.map(shown)
  }
}

const shown = ({ id, occurredAt, revision, ...row }: AuditEventRow): AuditEvent => ({
  ...row,
  id: Number(id),
  occurredAt: occurredAt.toISOString(),
  revision: Number(revision),
})
