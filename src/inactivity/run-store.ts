import type { EntityManager } from 'typeorm'
import { durationText, durationWords } from '../duration.ts'
import type { MailContact, NewMail } from '../mail/mail-kinds.ts'
import { exactTime, intervalParts, NO_COMPILING, subjects } from './due-statements.ts'
import { type IntervalRow, intervalOf } from './period-store.ts'
import type { Run, RunAccount } from './run-schemas.ts'
import type { ApprovalRule, Deactivated, DueAccount, Outlook, RunPage, RunReader, RunStore } from './run-service.ts'

type Timed<T> = Omit<T, 'maxInactivity'> & { maxInactivity: IntervalRow }
/** What a mail about a user's inactivity is made of. */
type Addressed = {
  username: string
  firstName: string
  email: string
  message: string | null
  contacts: MailContact[]
  maxInactivity: IntervalRow
  lastActivityAt: string
  dueAt: string
  periodId: number
}

const RUNS = `
  SELECT r.id, r.state, r.caller, ${exactTime('r.scheduled_for')} AS "scheduledFor",
    ${exactTime('r.looked_at')} AS "lookedAt", ${exactTime('r.started_at')} AS "startedAt",
    ${exactTime('r.ended_at')} AS "endedAt", r.active_accounts AS "activeAccounts", r.warned,
    r.approved_by AS "approvedBy", ${exactTime('r.approved_at')} AS "approvedAt",
    r.undone_by AS "undoneBy", ${exactTime('r.undone_at')} AS "undoneAt", counts.*
  FROM inactivity_runs r, LATERAL (
    SELECT count(*)::integer AS due, (count(*) FILTER (WHERE a.state = 'deactivated'))::integer AS deactivated,
      (count(*) FILTER (WHERE a.state = 'left'))::integer AS left,
      (count(*) FILTER (WHERE a.state = 'reactivated'))::integer AS reactivated
    FROM inactivity_run_accounts a WHERE a.run_id = r.id) counts`

const IS_DUE = 'is_due AND stays IS NULL'
/** The warnings that are due at the instant, the nearest for each user, unless it or a nearer one went out already. */
const WARNINGS = `
  warning AS (
    SELECT s.id, s.last_activity_at, min(w) AS warn_before
    FROM subject s JOIN inactivity_periods p ON p.id = s.period_id, unnest(p.warn_before) AS w
    WHERE NOT s.is_due AND s.stays IS NULL AND (SELECT at FROM clock) >= s.due_at - exact_interval(w)
    GROUP BY s.id, s.last_activity_at
  ),
  new_warning AS (
    SELECT * FROM warning n WHERE NOT EXISTS (
      SELECT FROM inactivity_warnings o
      WHERE o.user_id = n.id AND o.last_activity_at = n.last_activity_at AND o.warn_before <= n.warn_before)
  )`

/** A subject with what its mail says; to follow the chain of {@link subjects}. */
const ADDRESSED = `
  SELECT s.id, s.period_id AS "periodId", u.username, u.first_name AS "firstName", u.email, p.message,
    ${intervalParts('s.max_inactivity')} AS "maxInactivity",
    ${exactTime('s.last_activity_at')} AS "lastActivityAt", ${exactTime('s.due_at')} AS "dueAt",
    ${contactsOf('p.id')} AS contacts
  FROM subject s JOIN users u ON u.id = s.id JOIN inactivity_periods p ON p.id = s.period_id`

/** SQL for the contacts of a period, as people know them. */
export function contactsOf(periodId: string): string {
  return `coalesce((
    SELECT json_agg(json_build_object(
      'name', coalesce(nullif(trim(c.first_name || ' ' || c.last_name), ''), c.username), 'email', c.email) ORDER BY c.id)
    FROM inactivity_period_contacts pc JOIN users c ON c.id = pc.user_id AND c.deleted_at IS NULL
    WHERE pc.inactivity_period_id = ${periodId}), '[]')`
}

/** Inactivity runs in PostgreSQL. */
export class PgRunStore implements RunReader, RunStore {
  readonly #manager: EntityManager

  constructor(manager: EntityManager) {
    this.#manager = manager
  }

  async find(id: number): Promise<Run | null> {
    const [run] = await this.#manager.query<Run[]>(`${RUNS} WHERE r.id = $1`, [id])
    return run ?? null
  }

  list({ limit, descending, after }: RunPage): Promise<Run[]> {
    return this.#manager.query<Run[]>(
      `${RUNS} WHERE $1::integer IS NULL OR r.id ${descending ? '<' : '>'} $1
       ORDER BY r.id ${descending ? 'DESC' : 'ASC'} LIMIT $2`,
      [after?.id ?? null, limit + 1],
    )
  }

  async accounts(id: number, { limit, descending, after }: RunPage): Promise<RunAccount[]> {
    const rows = await this.#manager.query<Timed<RunAccount>[]>(
      `SELECT a.user_id AS id, u.username, a.state, a.period_id AS "periodId",
         ${intervalParts('a.max_inactivity')} AS "maxInactivity",
         ${exactTime('a.last_activity_at')} AS "lastActivityAt", ${exactTime('a.deactivated_at')} AS "deactivatedAt"
       FROM inactivity_run_accounts a JOIN users u ON u.id = a.user_id
       WHERE a.run_id = $1 AND ($2::integer IS NULL OR a.user_id ${descending ? '<' : '>'} $2)
       ORDER BY a.user_id ${descending ? 'DESC' : 'ASC'} LIMIT $3`,
      [id, after?.id ?? null, limit + 1],
    )
    return rows.map(timed)
  }

  async waiting(id: number): Promise<number[]> {
    return ids(
      await this.#manager.query(
        `SELECT user_id AS id FROM inactivity_run_accounts WHERE run_id = $1 AND state = 'due' ORDER BY user_id`,
        [id],
      ),
    )
  }

  async toWarn(at: string | null): Promise<number[]> {
    const statement = `${subjects('p.enabled', 'true')}, ${WARNINGS} SELECT id FROM new_warning ORDER BY id`
    return ids(await this.#manager.query(statement, [at]))
  }

  async outlook(at: string | null, rule: ApprovalRule): Promise<Outlook> {
    const rows = await this.#manager.query<Timed<DueAccount>[]>(
      `${subjects('p.enabled', 'true')}
       SELECT id, username, period_id AS "periodId", ${intervalParts('max_inactivity')} AS "maxInactivity",
         ${exactTime('last_activity_at')} AS "lastActivityAt", ${exactTime('due_at')} AS "dueAt"
       FROM subject WHERE ${IS_DUE} ORDER BY id`,
      [at],
    )
    const [{ clock, active } = { clock: '', active: 0 }] = await this.#manager.query<
      { clock: string; active: number }[]
    >(`SELECT ${exactTime('coalesce($1::timestamptz, now())')} AS clock, (${ACTIVE}) AS active`, [at])
    return {
      at: clock,
      activeAccounts: active,
      needsApproval: exceeds(rule, rows.length, active),
      due: rows.map(timed),
    }
  }

  async begin({ at, caller, scheduledFor, rule }: Parameters<RunStore['begin']>[0]): Promise<Run | null> {
    await this.#manager.query(
      `UPDATE inactivity_runs SET ended_at = now(),
         state = CASE state WHEN 'running' THEN 'interrupted' ELSE 'lapsed' END
       WHERE state IN ('running', 'needs-approval')`,
    )
    const [run] = await this.#manager.query<{ id: number; active: number }[]>(
      `INSERT INTO inactivity_runs (state, caller, scheduled_for, looked_at, active_accounts)
       VALUES ('running', $1, $2, coalesce($3::timestamptz, now()), (${ACTIVE}))
       ON CONFLICT (scheduled_for) DO NOTHING RETURNING id, active_accounts AS active`,
      [caller, scheduledFor, at],
    )
    if (run === undefined) return null
    const due = await this.#manager.query<object[]>(
      `${subjects('p.enabled', 'true')}
       INSERT INTO inactivity_run_accounts (run_id, user_id, period_id, max_inactivity, last_activity_at)
       SELECT $2, id, period_id, max_inactivity, last_activity_at FROM subject WHERE ${IS_DUE} RETURNING user_id`,
      [at, run.id],
    )
    if (exceeds(rule, due.length, run.active)) {
      await this.#manager.query(`UPDATE inactivity_runs SET state = 'needs-approval' WHERE id = $1`, [run.id])
    }
    return this.find(run.id)
  }

  async isSuperuser(userId: number): Promise<boolean> {
    const [user] = await this.#manager.query<{ is: boolean }[]>('SELECT is_superuser AS is FROM users WHERE id = $1', [
      userId,
    ])
    return user?.is === true
  }

  async deactivate(
    id: number,
    userId: number,
    at: string | null,
    withSuperusers: boolean,
  ): Promise<Deactivated | null> {
    await this.#manager.query(NO_COMPILING)
    await this.#manager.query('SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE', [userId])
    const [due] = await this.#manager.query<Addressed[]>(
      `${subjects('p.enabled', 'u.id = $2')} ${ADDRESSED} WHERE s.id = $2 AND ${IS_DUE} AND ($3 OR NOT u.is_superuser)`,
      [at, userId, withSuperusers],
    )
    if (due === undefined) {
      await this.#manager.query(
        `UPDATE inactivity_run_accounts SET state = 'left' WHERE run_id = $1 AND user_id = $2 AND state = 'due'`,
        [id, userId],
      )
      return null
    }
    await this.#manager.query(
      `UPDATE users SET is_active = false, deactivated_at = now(), deactivation_reason = 'inactivity',
         deactivation_message = $2 WHERE id = $1`,
      [userId, due.message],
    )
    await this.#manager.query(
      `UPDATE inactivity_run_accounts a SET state = 'deactivated', deactivated_at = now(), period_id = p.id,
         max_inactivity = p.max_inactivity, last_activity_at = $4::timestamptz
       FROM inactivity_periods p WHERE a.run_id = $1 AND a.user_id = $2 AND p.id = $3`,
      [id, userId, due.periodId, due.lastActivityAt],
    )
    return { about: aboutOf(id, due), mail: deactivationMail(userId, due) }
  }

  async warn(id: number, userId: number, at: string | null): Promise<NewMail | null> {
    await this.#manager.query(NO_COMPILING)
    const [warned] = await this.#manager.query<object[]>(
      `${subjects('p.enabled', 'u.id = $2')}, ${WARNINGS}
       INSERT INTO inactivity_warnings (user_id, last_activity_at, warn_before)
       SELECT id, last_activity_at, warn_before FROM new_warning WHERE id = $2 ON CONFLICT DO NOTHING RETURNING user_id`,
      [at, userId],
    )
    if (warned === undefined) return null
    await this.#manager.query('UPDATE inactivity_runs SET warned = warned + 1 WHERE id = $1', [id])
    const [subject] = await this.#manager.query<Addressed[]>(
      `${subjects('p.enabled', 'u.id = $2')} ${ADDRESSED} WHERE s.id = $2`,
      [at, userId],
    )
    return subject === undefined ? null : warningMail(userId, subject)
  }

  async end(id: number): Promise<Run> {
    await this.#manager.query(
      `UPDATE inactivity_runs SET ended_at = now(), state = CASE WHEN EXISTS (
           SELECT FROM inactivity_run_accounts WHERE run_id = $1 AND state = 'due') THEN 'interrupted' ELSE 'done' END
       WHERE id = $1`,
      [id],
    )
    const run = await this.find(id)
    if (run === null) throw new Error('a run that goes on is not there')
    return run
  }

  async approve(id: number, approvedBy: string): Promise<boolean> {
    const [, count] = await this.#manager.query<[unknown[], number]>(
      `UPDATE inactivity_runs SET state = 'running', approved_by = $2, approved_at = now()
       WHERE id = $1 AND state = 'needs-approval'`,
      [id, approvedBy],
    )
    return count === 1
  }

  async undo(id: number, undoneBy: string): Promise<number[] | null> {
    const [, count] = await this.#manager.query<[unknown[], number]>(
      `UPDATE inactivity_runs SET state = 'undone', undone_by = $2, undone_at = now(), ended_at = coalesce(ended_at, now())
       WHERE id = $1 AND state IN ('running', 'interrupted', 'done', 'needs-approval')`,
      [id, undoneBy],
    )
    if (count === 0) return null
    const [users] = await this.#manager.query<[{ id: number }[], number]>(
      `UPDATE users u SET is_active = true, deactivated_at = NULL, deactivation_reason = NULL
       FROM inactivity_run_accounts a
       WHERE a.run_id = $1 AND a.state = 'deactivated' AND u.id = a.user_id AND NOT u.is_active
         AND u.deleted_at IS NULL AND u.deactivation_reason = 'inactivity' AND u.deactivated_at = a.deactivated_at
       RETURNING u.id`,
      [id],
    )
    await this.#manager.query(
      `UPDATE inactivity_run_accounts SET state = 'reactivated' WHERE run_id = $1 AND user_id = ANY ($2)`,
      [id, ids(users)],
    )
    return ids(users).sort((a, b) => a - b)
  }
}

const ACTIVE = `SELECT count(*)::integer FROM users WHERE is_active AND NOT is_anonymous AND deleted_at IS NULL`

function exceeds({ sharePercent, minimum }: ApprovalRule, due: number, active: number): boolean {
  return due >= minimum && due * 100 > active * sharePercent
}

const ids = (rows: readonly { id: number }[]) => rows.map(({ id }) => id)

const timed = <T extends { maxInactivity: IntervalRow }>({ maxInactivity, ...row }: T) => ({
  ...row,
  maxInactivity: durationText(intervalOf(maxInactivity)),
})

const aboutOf = (run: number, { periodId, maxInactivity, lastActivityAt }: Addressed) => ({
  isActive: false,
  deactivationReason: 'inactivity',
  run,
  period: periodId,
  maxInactivity: durationText(intervalOf(maxInactivity)),
  lastActivityAt,
})

const addressed = (userId: number, { username, firstName, email, message, contacts }: Addressed) => ({
  recipient: email,
  userId,
  username,
  firstName,
  message,
  contacts,
})

const deactivationMail = (userId: number, due: Addressed): NewMail => ({
  kind: 'inactivity-deactivation',
  ...addressed(userId, due),
  maxInactivity: durationWords(intervalOf(due.maxInactivity)),
})

const warningMail = (userId: number, subject: Addressed): NewMail => ({
  kind: 'inactivity-warning',
  ...addressed(userId, subject),
  maxInactivity: durationWords(intervalOf(subject.maxInactivity)),
  dueAt: subject.dueAt,
})
