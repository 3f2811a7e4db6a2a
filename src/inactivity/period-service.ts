import { type Interval, lengthOf, readDuration } from '../duration.ts'
import { DomainError, type FieldFault } from '../errors.ts'
import { readMicroInstant } from '../instant.ts'
import type { PageRequest } from '../page.ts'
import type { Committed, PolicyWrite, WriteContext } from '../policy/policy-write.ts'
import { isKeepable } from '../text.ts'
import type {
  CANDIDATE_SORTS,
  Candidate,
  NewPeriod,
  PERIOD_SORTS,
  Period,
  PeriodFilter,
  PeriodPatch,
} from './period-schemas.ts'

/** How lists of periods, and of the users in a preview, are asked for. */
export type PeriodPage = PageRequest<keyof typeof PERIOD_SORTS>
export type CandidatePage = PageRequest<keyof typeof CANDIDATE_SORTS>

/** Which users of a preview, and at which instant: null is now, by the clock of the database. */
export type Preview = { at: string | null; isDue: boolean | null }

/** A period as it is written; durations are exact. */
export type PeriodFields = Omit<Period, 'id' | 'maxInactivity' | 'warnBefore'> & {
  maxInactivity: Interval
  warnBefore: Interval[]
}

/** Reads periods. */
export interface PeriodReader {
  find(id: number): Promise<Period | null>
  /** Up to `limit + 1` periods, see {@link PageRequest}. */
  list(filter: PeriodFilter, page: PeriodPage): Promise<Period[]>
  /** Up to `limit + 1` users to whom this is the period that counts, taken as enabled. */
  preview(id: number, preview: Preview, page: CandidatePage): Promise<Candidate[]>
}

/** What a write about periods needs, in its transaction. */
export interface PeriodStore extends PeriodReader {
  add(fields: PeriodFields): Promise<Period>
  change(id: number, fields: Partial<PeriodFields>): Promise<void>
  remove(id: number): Promise<void>
  /** Keeps others from changing it until the transaction ends. */
  hold(id: number): Promise<Period | null>
  hasGroup(id: number): Promise<boolean>
  /** Of these ids, those of users who are not deleted. */
  users(ids: readonly number[]): Promise<number[]>
}

type Write = PolicyWrite<{ inactivityPeriods: PeriodStore }>

/** How long members of a group may show no activity. */
export class PeriodService {
  readonly #write: Write
  readonly #periods: PeriodReader

  constructor(write: Write, periods: PeriodReader) {
    this.#write = write
    this.#periods = periods
  }

  /** @throws DomainError `not-found` */
  async get(id: number): Promise<Period> {
    return known(id, await this.#periods.find(id))
  }

  /** Up to `limit + 1` periods, see {@link PageRequest}. */
  list(filter: PeriodFilter, page: PeriodPage): Promise<Period[]> {
    return this.#periods.list(filter, page)
  }

  /**
   * Who is due when, by this period: up to `limit + 1` users to whom no shorter one applies.
   *
   * @throws DomainError `not-found`, `invalid-request` for a time that is none
   */
  async preview(
    id: number,
    { at, isDue }: { at?: string; isDue?: boolean },
    page: CandidatePage,
  ): Promise<Candidate[]> {
    await this.get(id)
    return this.#periods.preview(id, { at: at === undefined ? null : instantOf(at), isDue: isDue ?? null }, page)
  }

  /** @throws DomainError `invalid-request`, also for an unknown group or contact */
  create(context: WriteContext, input: NewPeriod): Promise<Committed<Period>> {
    const fields = { ...EMPTY, ...fieldsOf(input, null) } as PeriodFields
    return this.#write(context, async ({ inactivityPeriods }, audit) => {
      await refuseUnknown(inactivityPeriods, fields)
      const after = await inactivityPeriods.add(fields)
      audit({ action: 'inactivity-period.create', target: `inactivity-period:${after.id}`, after })
      return after
    })
  }

  /** @throws DomainError `not-found`, `invalid-request`, also for an unknown group or contact */
  update(context: WriteContext, id: number, patch: PeriodPatch): Promise<Committed<Period>> {
    return this.#write(context, async ({ inactivityPeriods }, audit) => {
      const present = known(id, await inactivityPeriods.hold(id))
      const changed = Object.entries(patch).filter(
        ([name, value]) => JSON.stringify(value) !== JSON.stringify(present[name as keyof Period]),
      )
      if (changed.length === 0) return present
      const fields = fieldsOf(Object.fromEntries(changed), present)
      await refuseUnknown(inactivityPeriods, fields)
      await inactivityPeriods.change(id, fields)
      const after = known(id, await inactivityPeriods.find(id))
      const of = (period: Period) => Object.fromEntries(changed.map(([name]) => [name, period[name as keyof Period]]))
      const target = `inactivity-period:${id}`
      audit({ action: 'inactivity-period.update', target, before: of(present), after: of(after) })
      return after
    })
  }

  /** @throws DomainError `not-found` */
  delete(context: WriteContext, id: number): Promise<Committed<void>> {
    return this.#write(context, async ({ inactivityPeriods }, audit) => {
      const before = known(id, await inactivityPeriods.hold(id))
      await inactivityPeriods.remove(id)
      audit({ action: 'inactivity-period.delete', target: `inactivity-period:${id}`, before })
    })
  }
}

const EMPTY = { message: null, comment: null, contacts: [], warnBefore: [], enabled: true }

function known(id: number, period: Period | null): Period {
  if (period === null) throw new DomainError('not-found', `there is no inactivity period ${id}`)
  return period
}

/** @throws DomainError `invalid-request` */
function instantOf(text: string): string {
  const reading = readMicroInstant(text)
  if ('text' in reading) return reading.text
  throw refused([{ pointer: '?at', detail: reading.fault }])
}

/** The fields that are given, with every fault of them; warnings are held against the length that will be. */
function fieldsOf(given: PeriodPatch, present: Period | null): Partial<PeriodFields> {
  const faults: FieldFault[] = []
  const { maxInactivity, warnBefore, ...rest } = given
  faults.push(...unkeepable(given))
  const length = durationOf('/maxInactivity', maxInactivity, faults)
  const warnings = warnBefore?.map((text, at) => durationOf(`/warnBefore/${at}`, text, faults))
  const longest = length ?? durationOf('/maxInactivity', present?.maxInactivity, [])
  const kept = warnings ?? present?.warnBefore.map((text) => durationOf('', text, [])) ?? []
  for (const [at, warning] of kept.entries()) {
    if (warning && longest && lengthOf(warning) >= lengthOf(longest)) {
      faults.push({ pointer: `/warnBefore/${at}`, detail: 'must be shorter than maxInactivity' })
    }
  }
  if (faults.length > 0) throw refused(faults)
  return {
    ...rest,
    ...(length && { maxInactivity: length }),
    ...(warnings && { warnBefore: warnings.filter((warning) => warning !== undefined) }),
  }
}

function unkeepable(given: PeriodPatch): FieldFault[] {
  return (['message', 'comment'] as const)
    .filter((name) => !isKeepable(given[name] ?? ''))
    .map((name) => ({ pointer: `/${name}`, detail: 'holds a character that cannot be kept' }))
}

function durationOf(pointer: string, text: string | undefined, faults: FieldFault[]): Interval | undefined {
  if (text === undefined) return undefined
  const reading = readDuration(text)
  if ('interval' in reading) return reading.interval
  faults.push({ pointer, detail: reading.fault })
  return undefined
}

async function refuseUnknown(periods: PeriodStore, { groupId, contacts }: Partial<PeriodFields>): Promise<void> {
  const faults: FieldFault[] = []
  if (groupId !== undefined && !(await periods.hasGroup(groupId))) {
    faults.push({ pointer: '/groupId', detail: `there is no group ${groupId}` })
  }
  if (contacts !== undefined && contacts.length > 0) {
    const there = new Set(await periods.users(contacts))
    for (const [at, id] of contacts.entries()) {
      if (!there.has(id)) faults.push({ pointer: `/contacts/${at}`, detail: `there is no user ${id}` })
    }
  }
  if (faults.length > 0) throw refused(faults)
}

const refused = (faults: FieldFault[]) =>
  new DomainError('invalid-request', 'an inactivity period was refused', { faults })
