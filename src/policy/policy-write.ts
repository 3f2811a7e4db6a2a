/**
 * Who writes: `service-key:<name>`, `user:<id>`, `command:<name>`, or `public` for a caller whom nobody knows, as kept in
 * `audit_events.caller`. `inPerson` is the
 * id of a user who acts by rights of their own; null for whoever administers the whole site: a program, a command, a
 * superuser.
 */
export type WriteContext = { caller: string; requestId: string | null; inPerson: number | null }

/** One line of the audit trail. `target` is `<kind>:<id>`; `before` and `after` hold the API's field names. */
export type AuditEntry = {
  action: string
  target: string
  before?: object | null
  after?: object | null
  editRightsConfirmed?: boolean
}

/** What every line of the audit trail says of a write. */
export type AuditHead = Pick<WriteContext, 'caller' | 'requestId'> & { revision: number }

/** Writes lines of the audit trail by itself: of many thousand, much faster than if each had to be told first. */
export type AuditWriter = (head: AuditHead) => Promise<void>

/** Takes what is to stand in the audit trail, in this order. */
export type Audit = (entry: AuditEntry | AuditWriter) => void

/** What a committed transaction gave, and the revision at which all of it is in force. */
export type Committed<T> = { value: T; revision: number }

/**
 * Runs `work` in one transaction with stores bound to it, writes its audit entries with the revision that the change
 * got, and commits. Work that changes nothing leaves no audit event and answers with the current revision. When `work`
 * throws, nothing is kept. Once it resolves, the local snapshot has been told of the revision.
 */
export type PolicyWrite<Stores> = <T>(
  context: WriteContext,
  work: (stores: Stores, audit: Audit) => Promise<T>,
) => Promise<Committed<T>>
