import type { DataSource, EntityManager } from 'typeorm'
import type { AuditEntry, AuditHead, AuditWriter, PolicyWrite } from '../policy/policy-write.ts'
import { problemOfDatabase } from './database-problem.ts'

const ATTEMPTS = 3
const AUDIT_ROWS_A_STATEMENT = 5_000

/**
 * The {@link PolicyWrite} of a database: stores live on the transaction's own connection, and `committed` is told of
 * the revision once it is kept (what it throws is not the write's fault and is dropped; the change feed brings the
 * revision all the same).
 *
 * Two writers that block each other are told so by PostgreSQL, and the one that had to give way is run again, so
 * `work` must not act outside its stores. What PostgreSQL refuses is thrown as the problem that it is to a caller.
 */
export function policyWrite<Stores>(
  dataSource: DataSource,
  storesOf: (manager: EntityManager) => Stores,
  committed: (revision: number) => Promise<void>,
): PolicyWrite<Stores> {
  return async (context, work) => {
    const done = await retried(() =>
      dataSource.transaction(async (manager) => {
        const entries: (AuditEntry | AuditWriter)[] = []
        const value = await work(storesOf(manager), (entry) => entries.push(entry))
        const revision = await takeRevision(manager)
        await writeAuditTrail(manager, { caller: context.caller, requestId: context.requestId, revision }, entries)
        return { value, revision }
      }),
    )
    await committed(done.revision).catch(() => undefined)
    return done
  }
}

/** As late as possible: from here to the commit, other policy writers wait, but not for one that is paused. */
async function takeRevision(manager: EntityManager): Promise<number> {
  await manager.query(
    `SET LOCAL idle_in_transaction_session_timeout = '5s'; SET CONSTRAINTS policy_revision_at_commit IMMEDIATE`,
  )
  const [{ revision }] = await manager.query(`
    SELECT coalesce(
      (SELECT revision FROM policy_change_sets
        WHERE id = nullif(current_setting('gatehouse.change_set', true), '')::bigint
          AND transaction_id = pg_current_xact_id_if_assigned()),
      (SELECT revision FROM policy_head)) AS revision`)
  return revision
}

async function writeAuditTrail(
  manager: EntityManager,
  head: AuditHead,
  entries: readonly (AuditEntry | AuditWriter)[],
): Promise<void> {
  let told: AuditEntry[] = []
  for (const entry of entries) {
    if (typeof entry !== 'function') {
      told.push(entry)
      continue
    }
    await writeAuditEvents(manager, head, told)
    told = []
    await entry(head)
  }
  await writeAuditEvents(manager, head, told)
}

async function writeAuditEvents(
  manager: EntityManager,
  { caller, requestId, revision }: AuditHead,
  entries: readonly AuditEntry[],
): Promise<void> {
  for (let start = 0; start < entries.length; start += AUDIT_ROWS_A_STATEMENT) {
    const rows = JSON.stringify(entries.slice(start, start + AUDIT_ROWS_A_STATEMENT))
    await manager.query(
      `INSERT INTO audit_events (caller, request_id, revision, action, target, before, after, edit_rights_confirmed)
         SELECT $1, $2, $3, action, target, nullif(before, 'null'), nullif(after, 'null'),
           coalesce("editRightsConfirmed", false)
         FROM ROWS FROM (jsonb_to_recordset($4::jsonb)
           AS (action text, target text, before jsonb, after jsonb, "editRightsConfirmed" boolean)) WITH ORDINALITY
         ORDER BY ordinality`,
      [caller, requestId, revision, rows],
    )
  }
}

async function retried<T>(attempt: () => Promise<T>): Promise<T> {
  for (let attempts = 1; ; attempts += 1) {
    try {
      return await attempt()
    } catch (error) {
      if (attempts === ATTEMPTS || !isConflict(error)) throw problemOfDatabase(error)
    }
  }
}

/** serialization_failure and deadlock_detected: the transaction is fine, its moment was not. */
function isConflict(error: unknown): boolean {
  const { code } = error as { code?: string }
  return code === '40001' || code === '40P01'
}
