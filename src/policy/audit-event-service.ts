import { DomainError } from '../errors.ts'
import { readInstant } from '../instant.ts'
import type { PageRequest } from '../page.ts'
import type { AUDIT_EVENT_SORTS, AuditEvent, AuditEventFilter } from './audit-event-schemas.ts'

/** How the audit trail is asked for. */
export type AuditEventPage = PageRequest<keyof typeof AUDIT_EVENT_SORTS>

/** Which audit events: `from <= occurredAt < until`, and the rest exactly. */
export type AuditEventSelection = Pick<AuditEventFilter, 'caller' | 'action' | 'target'> & { from?: Date; until?: Date }

/** Reads the audit trail; only a policy write adds to it, and nothing takes from it. */
export interface AuditEventReader {
  /** Up to `limit + 1` events, see {@link PageRequest}. */
  list(selection: AuditEventSelection, page: AuditEventPage): Promise<AuditEvent[]>
}

/** The audit trail: who changed what, and how it was before. */
export class AuditEventService {
  readonly #auditEvents: AuditEventReader

  constructor(auditEvents: AuditEventReader) {
    this.#auditEvents = auditEvents
  }

  /**
   * Up to `limit + 1` events, see {@link PageRequest}.
   *
   * @throws DomainError `invalid-request` for a time that is none
   */
  list({ from, until, ...exact }: AuditEventFilter, page: AuditEventPage): Promise<AuditEvent[]> {
    return this.#auditEvents.list(
      {
        ...exact,
        ...(from !== undefined && { from: instantOf('?from', from) }),
        ...(until !== undefined && { until: instantOf('?until', until) }),
      },
      page,
    )
  }
}

function instantOf(pointer: string, text: string): Date {
  const reading = readInstant(text)
  if ('instant' in reading) return reading.instant
  throw new DomainError('invalid-request', `${pointer} ${reading.fault}`, {
    faults: [{ pointer, detail: reading.fault }],
  })
}
