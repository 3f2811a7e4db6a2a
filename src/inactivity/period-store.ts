import type { EntityManager } from 'typeorm'
import { durationText, type Interval } from '../duration.ts'
import { exactTime, intervalParts, subjects } from './due-statements.ts'
import type { Candidate, Period, PeriodFilter } from './period-schemas.ts'
import type { CandidatePage, PeriodFields, PeriodPage, PeriodReader, PeriodStore, Preview } from './period-service.ts'

/** The parts of an interval as they come from the database. */
export type IntervalRow = { months: number; days: number; microseconds: string }
type Row = Omit<Period, 'maxInactivity' | 'warnBefore'> & { maxInactivity: IntervalRow; warnBefore: IntervalRow[] }

const PERIODS = `
  SELECT p.id, p.group_id AS "groupId", p.message, p.comment, p.enabled,
    ${intervalParts('p.max_inactivity')} AS "maxInactivity",
    coalesce((SELECT json_agg(${intervalParts('w')} ORDER BY place)
      FROM unnest(p.warn_before) WITH ORDINALITY AS warning(w, place)), '[]') AS "warnBefore",
    ARRAY(SELECT c.user_id FROM inactivity_period_contacts c WHERE c.inactivity_period_id = p.id ORDER BY 1) AS contacts
  FROM inactivity_periods p`

/** Inactivity periods in PostgreSQL. */
export class PgPeriodStore implements PeriodReader, PeriodStore {
  readonly #manager: EntityManager

  constructor(manager: EntityManager) {
    this.#manager = manager
  }

  find(id: number): Promise<Period | null> {
    return this.#one(`${PERIODS} WHERE p.id = $1`, id)
  }

  hold(id: number): Promise<Period | null> {
    return this.#one(`${PERIODS} WHERE p.id = $1 FOR UPDATE OF p`, id)
  }

  async list({ groupId, enabled }: PeriodFilter, { limit, descending, after }: PeriodPage): Promise<Period[]> {
    const rows = await this.#manager.query<Row[]>(
      `${PERIODS}
       WHERE ($1::integer IS NULL OR p.group_id = $1) AND ($2::boolean IS NULL OR p.enabled = $2)
         AND ($3::integer IS NULL OR p.id ${descending ? '<' : '>'} $3)
       ORDER BY p.id ${descending ? 'DESC' : 'ASC'} LIMIT $4`,
      [groupId ?? null, enabled ?? null, after?.id ?? null, limit + 1],
    )
    return rows.map(shown)
  }

  async preview(id: number, { at, isDue }: Preview, page: CandidatePage): Promise<Candidate[]> {
    const { limit, sort, descending, after } = page
    const key = sort === 'id' ? 'id' : 'due_at'
    const [sign, direction] = descending ? ['<', 'DESC'] : ['>', 'ASC']
    return this.#manager.query<Candidate[]>(
      `${subjects('p.enabled OR p.id = $2', 'true')}
       SELECT id, username, ${exactTime('last_activity_at')} AS "lastActivityAt", ${exactTime('due_at')} AS "dueAt",
         is_due AS "isDue", stays, ${exactTime('exempt_until')} AS "exemptUntil",
         (SELECT ${exactTime('max(w.warned_at)')} FROM inactivity_warnings w
           WHERE w.user_id = subject.id AND w.last_activity_at = subject.last_activity_at) AS "warnedAt"
       FROM subject
       WHERE period_id = $2 AND ($3::boolean IS NULL OR is_due = $3)
         AND ($4::integer IS NULL OR (${key}, id) ${sign} ($5::${sort === 'id' ? 'integer' : 'timestamptz'}, $4))
       ORDER BY ${key} ${direction}, id ${direction} LIMIT $6`,
      [at, id, isDue, after?.id ?? null, after?.value ?? null, limit + 1],
    )
  }

  async add({ contacts, ...fields }: PeriodFields): Promise<Period> {
    const [made] = await this.#manager.query<{ id: number }[]>(
      `INSERT INTO inactivity_periods (group_id, max_inactivity, warn_before, message, comment, enabled)
       VALUES ($1, ${interval('$2')}, ${intervals('$3')}, $4, $5, $6) RETURNING id`,
      [
        fields.groupId,
        partsOf(fields.maxInactivity),
        JSON.stringify(fields.warnBefore.map(plain)),
        fields.message,
        fields.comment,
        fields.enabled,
      ],
    )
    if (made === undefined) throw new Error('a period that was just added is not there')
    await this.#setContacts(made.id, contacts)
    const period = await this.find(made.id)
    if (period === null) throw new Error('a period that was just added is not there')
    return period
  }

  async change(id: number, { contacts, ...fields }: Partial<PeriodFields>): Promise<void> {
    const { groupId, maxInactivity, warnBefore, message, comment, enabled } = fields
    await this.#manager.query(
      `UPDATE inactivity_periods SET group_id = coalesce($2, group_id),
         max_inactivity = coalesce(${interval('$3')}, max_inactivity),
         warn_before = CASE WHEN $4::jsonb IS NULL THEN warn_before ELSE ${intervals('$4')} END,
         message = CASE WHEN $5 THEN $6 ELSE message END, comment = CASE WHEN $7 THEN $8 ELSE comment END,
         enabled = coalesce($9, enabled)
       WHERE id = $1`,
      [
        id,
        groupId ?? null,
        maxInactivity === undefined ? null : partsOf(maxInactivity),
        warnBefore === undefined ? null : JSON.stringify(warnBefore.map(plain)),
        message !== undefined,
        message ?? null,
        comment !== undefined,
        comment ?? null,
        enabled ?? null,
      ],
    )
    if (contacts !== undefined) await this.#setContacts(id, contacts)
  }

  async remove(id: number): Promise<void> {
    await this.#manager.query('DELETE FROM inactivity_periods WHERE id = $1', [id])
  }

  async hasGroup(id: number): Promise<boolean> {
    const found = await this.#manager.query<object[]>('SELECT FROM groups WHERE id = $1 FOR KEY SHARE', [id])
    return found.length > 0
  }

  async users(ids: readonly number[]): Promise<number[]> {
    const rows = await this.#manager.query<{ id: number }[]>(
      'SELECT id FROM users WHERE id = ANY ($1) AND deleted_at IS NULL ORDER BY id FOR KEY SHARE',
      [ids],
    )
    return rows.map(({ id }) => id)
  }

  async #setContacts(id: number, contacts: readonly number[]): Promise<void> {
    await this.#manager.query('DELETE FROM inactivity_period_contacts WHERE inactivity_period_id = $1', [id])
    await this.#manager.query(
      'INSERT INTO inactivity_period_contacts (inactivity_period_id, user_id) SELECT $1, unnest($2::integer[])',
      [id, contacts],
    )
  }

  async #one(statement: string, id: number): Promise<Period | null> {
    const [row] = await this.#manager.query<Row[]>(statement, [id])
    return row === undefined ? null : shown(row)
  }
}

/** An interval of the database, exact. */
export function intervalOf({ months, days, microseconds }: IntervalRow): Interval {
  return { months, days, microseconds: BigInt(microseconds) }
}

const plain = ({ months, days, microseconds }: Interval) => ({ months, days, microseconds: String(microseconds) })
const partsOf = (length: Interval) => JSON.stringify(plain(length))

/** SQL for the interval whose parts are the JSON of a parameter; null where that is null. */
const interval = (json: string) => `(make_interval(months => (${json}::jsonb ->> 'months')::integer,
  days => (${json}::jsonb ->> 'days')::integer)
  + (${json}::jsonb ->> 'microseconds')::bigint * interval '1 microsecond')`
const intervals = (json: string) =>
  `ARRAY(SELECT ${interval('part.value')} FROM jsonb_array_elements(${json}::jsonb) WITH ORDINALITY AS part
     ORDER BY part.ordinality)`

const shown = ({ maxInactivity, warnBefore, ...row }: Row): Period => ({
  ...row,
  maxInactivity: durationText(intervalOf(maxInactivity)),
  warnBefore: warnBefore.map((warning) => durationText(intervalOf(warning))),
})
