import type { EntityManager } from 'typeorm'
import { AuditEvents } from '../database/entities.ts'
import { readPage } from '../database/page-query.ts'
import type { OwnAccount, SecurityEvent } from './own-account-schemas.ts'
import type { OwnAccountReader, SecurityEventPage } from './own-account-service.ts'

/** What the owner did beside changing the account itself, as far as it touches its safety. */
const OWN_ACTIONS = '^(session|api-token|user)[.]'

/** What only the owner of an account is shown together, in PostgreSQL. */
export class PgOwnAccountStore implements OwnAccountReader {
  readonly #manager: EntityManager

  constructor(manager: EntityManager) {
    this.#manager = manager
  }

  groupsOf(userId: number): Promise<OwnAccount['groups']> {
    return this.#manager.query(
      `SELECT g.id, g.name, m.project_id AS "projectId" FROM memberships m JOIN groups g ON g.id = m.group_id
       WHERE m.user_id = $1 ORDER BY g.id, m.project_id NULLS FIRST`,
      [userId],
    )
  }

  /** What happened to the account, whoever did it, and what its owner did; without what an event holds beside that. */
  async securityEvents(userId: number, page: SecurityEventPage): Promise<SecurityEvent[]> {
    const self = `user:${userId}`
    const query = this.#manager
      .createQueryBuilder(AuditEvents, 'audit_events')
      .where('(audit_events.target = :self OR (audit_events.caller = :self AND audit_events.action ~ :actions))', {
        self,
        actions: OWN_ACTIONS,
      })
    const rows = await readPage(query, page)
    return rows.map(({ id, occurredAt, action, caller, requestId }) => ({
      id: Number(id),
      occurredAt: occurredAt.toISOString(),
      action,
      byMyself: caller === self,
      requestId,
    }))
  }
}
