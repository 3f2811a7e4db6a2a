import { anonymousCollision, type Collision, collisionsIn, takenId, UNTOUCHED_ANONYMOUS } from './import-collisions.ts'
import {
  droppedUser,
  emptiedUser,
  type Kept,
  type KeptReason,
  type Merged,
  mergeFields,
  mergeUser,
} from './import-merge.ts'
import { renumbered } from './import-renumbering.ts'
import {
  type Fields,
  IMPORT_KINDS,
  type ImportKind,
  type ImportRows,
  noRows,
  sameFields,
  sameValue,
} from './import-row.ts'

/** Everything here that an import has to know before it plans. */
export type HereState = {
  /**
   * Memberships limited to a project, denies and timed grants are not among them: an import never touches those. Beside
   * what the source says of a row, users have `deactivatedByImport` (inactive because an import found them so) and
   * memberships, grants and API tokens have `madeHere` (not by an import).
   */
  rows: ImportRows
  /** Ids to which something refers that is not among `rows`. */
  references: { group: ReadonlySet<number>; project: ReadonlySet<number> }
  anonymousId: number | null
}

/** A row to be written; `fields` is the row as it will be, `changed` names what differs from before. */
export type RowChange = { kind: ImportKind; key: string; fields: Fields; changed: string[]; before: Fields | null }
/** What an import would do. With any collision it does nothing at all. */
export type ImportPlan = {
  /** The anonymous user takes another id first. */
  renumber: { from: number; to: number } | null
  creates: RowChange[]
  updates: RowChange[]
  removes: RowChange[]
  kept: Kept[]
  collisions: Collision[]
  /** Rows of the source that somebody had made here already, to the letter. */
  alreadyHere: number
  baseline: { put: { kind: ImportKind; key: string; fields: Fields }[]; drop: { kind: ImportKind; key: string }[] }
}

/**
 * Compares the source with what is here, and both with what the last import brought (`baseline`). Pure: whoever carries
 * out the plan on the same rows gets, from the same source, a second plan that does nothing.
 */
export function planImport(
  source: { rows: ImportRows; anonymousId: number | null },
  baseline: ImportRows,
  here: HereState,
): ImportPlan {
  const renumber = renumberingOf(source.anonymousId, here)
  const rows = renumber === null ? here.rows : renumbered(here.rows, renumber)
  return new Planning(source.rows, baseline, { ...here, rows }, renumber).plan()
}

/** The anonymous user takes the source's id where that is free; where it is not, the collision is found later. */
function renumberingOf(sourceId: number | null, here: HereState): ImportPlan['renumber'] {
  if (sourceId === null || here.anonymousId === null || sourceId === here.anonymousId) return null
  return here.rows.user.has(String(sourceId)) ? null : { from: here.anonymousId, to: sourceId }
}

/** Which rows the fields of a row name. */
const REFERENCES = [
  { field: 'userId', kind: 'user' },
  { field: 'groupId', kind: 'group' },
  { field: 'primaryGroupId', kind: 'group' },
  { field: 'projectId', kind: 'project' },
  { field: 'periodId', kind: 'inactivityPeriod' },
] as const

/** Rows others refer to; the source dropping one says nothing about what was made here and refers to it. */
const REFERRED: readonly ImportKind[] = ['inactivityPeriod', 'project', 'group']

class Planning {
  readonly #source: ImportRows
  readonly #baseline: ImportRows
  /** The baseline as the next import will find it. */
  readonly #remembered: ImportRows
  readonly #here: HereState
  /** The rows as they will be, as far as planned. */
  readonly #final: ImportRows
  readonly #plan: ImportPlan
  /** The baseline under the ids of the last import. */
  readonly #before: ImportRows

  constructor(source: ImportRows, baseline: ImportRows, here: HereState, renumber: ImportPlan['renumber']) {
    this.#source = source
    this.#here = here
    this.#baseline = renumber === null ? baseline : renumbered(baseline, renumber)
    this.#final = copyOf(here.rows)
    this.#remembered = copyOf(this.#baseline)
    this.#plan = {
      renumber,
      creates: [],
      updates: [],
      removes: [],
      kept: [],
      collisions: [],
      alreadyHere: 0,
      baseline: { put: [], drop: [] },
    }
    this.#before = baseline
  }

  plan(): ImportPlan {
    for (const kind of IMPORT_KINDS) {
      for (const [key, fields] of this.#source[kind]) this.#present(kind, key, fields)
    }
    for (const kind of IMPORT_KINDS.filter((each) => !REFERRED.includes(each))) this.#dropped(kind)
    for (const kind of REFERRED) this.#dropped(kind)
    this.#plan.collisions.push(...collisionsIn(this.#final))
    this.#plan.baseline = differenceOf(this.#before, this.#remembered)
    return this.#plan
  }

  #present(kind: ImportKind, key: string, asRead: Fields): void {
    const source = this.#withoutGonePrimaryGroup(kind, asRead)
    const here = this.#here.rows[kind].get(key)
    const remembered = this.#baseline[kind].get(key)
    const base = remembered ?? baseOfAnonymous(source, here)
    if (base !== undefined && here !== undefined) {
      const collision = anonymousCollision(key, source, here, remembered === undefined)
      if (collision === null) this.#merge(kind, key, { base, source, here })
      else this.#plan.collisions.push(collision)
    } else if (base !== undefined) this.#goneHere(kind, key, source)
    else if (here !== undefined) this.#unknownHere(kind, key, { source, here })
    else this.#create(kind, key, source)
  }

  /** A primary group is a preference: a profile does without one that was removed here. */
  #withoutGonePrimaryGroup(kind: ImportKind, fields: Fields): Fields {
    if (kind !== 'profile' || this.#final.group.has(String(fields.primaryGroupId))) return fields
    return { ...fields, primaryGroupId: null }
  }

  #create(kind: ImportKind, key: string, fields: Fields): void {
    if (this.#refersToGone(fields)) this.#keep(kind, key, fields, 'refers to what was removed here')
    else {
      this.#plan.creates.push({ kind, key, fields, changed: Object.keys(fields), before: null })
      this.#final[kind].set(key, fields)
      this.#remember(kind, key, fields)
    }
  }

  #merge(kind: ImportKind, key: string, rows: { base: Fields; source: Fields; here: Fields }): void {
    const ways = { kind, key, ...rows }
    const merged = kind === 'user' ? mergeUser(ways) : mergeFields(ways)
    if (this.#refersToGone(merged.take)) this.#keep(kind, key, rows.here, 'refers to what was removed here')
    else {
      this.#update(kind, key, rows.here, merged)
      this.#remember(kind, key, rows.source)
    }
  }

  #update(kind: ImportKind, key: string, before: Fields, { take, kept }: Merged): void {
    this.#plan.kept.push(...kept)
    const changed = Object.keys(take)
    if (changed.length === 0) return
    const fields = { ...before, ...take }
    this.#plan.updates.push({ kind, key, fields, changed, before })
    this.#final[kind].set(key, fields)
  }

  /** Somebody removed here what the source still has. What went with its user, group or project is not told of twice. */
  #goneHere(kind: ImportKind, key: string, source: Fields): void {
    if (!this.#refersToGone(source)) this.#keep(kind, key, source, 'removed here')
    this.#remember(kind, key, source)
  }

  /** What the import never brought: a link that says the same is welcome, an id or a token of somebody else's is not. */
  #unknownHere(kind: ImportKind, key: string, { source, here }: { source: Fields; here: Fields }): void {
    const isLink = kind !== 'user' && kind !== 'group' && kind !== 'project' && kind !== 'inactivityPeriod'
    if (!isLink || source.userId !== here.userId) this.#plan.collisions.push(takenId(kind, key, here))
    else if (kind === 'profile' && !includes(here, source)) this.#keep(kind, key, here, 'made here')
    else this.#plan.alreadyHere += 1
  }

  /** Rows that the last import brought and the source has no more. */
  #dropped(kind: ImportKind): void {
    const inUse = this.#idsInUse(kind)
    for (const [key, base] of this.#baseline[kind]) {
      if (this.#source[kind].has(key)) continue
      const here = this.#here.rows[kind].get(key)
      if (here === undefined) this.#remembered[kind].delete(key)
      else if (kind !== 'user') this.#remove(kind, key, { base, here }, inUse)
      else if (base.isDeleted !== true) this.#dropUser(key, base, here)
    }
  }

  #dropUser(key: string, base: Fields, here: Fields): void {
    const source = here.isDeleted === true ? emptiedUser(base) : droppedUser(base, here)
    if (source.isDeleted === true) {
      const take = Object.fromEntries(Object.entries(source).filter(([field, value]) => !sameValue(here[field], value)))
      if (here.isDeleted !== true) this.#update('user', key, here, { take, kept: this.#madeHereFor(Number(key)) })
      this.#remember('user', key, source)
    } else this.#merge('user', key, { base, source, here })
  }

  /** What somebody here gave to a user: it stays, though it is no use to one who was dropped. */
  #madeHereFor(userId: number): Kept[] {
    return (['membership', 'grant', 'apiToken'] as const).flatMap((kind) =>
      [...this.#here.rows[kind]]
        .filter(([, fields]) => fields.userId === userId && fields.madeHere === true)
        .map(([key, fields]) => keptRow(kind, key, fields, 'made here')),
    )
  }

  #remove(kind: ImportKind, key: string, { base, here }: { base: Fields; here: Fields }, inUse: Set<unknown>): void {
    if (here.madeHere === true) this.#keep(kind, key, here, 'made here')
    else if (!includes(here, base)) this.#keep(kind, key, here, 'changed here')
    else if (inUse.has(Number(key))) this.#keep(kind, key, here, 'still in use here')
    else {
      this.#plan.removes.push({ kind, key, fields: here, changed: [], before: here })
      this.#final[kind].delete(key)
      this.#remembered[kind].delete(key)
    }
  }

  /** Ids of rows of this kind that a row which stays refers to. */
  #idsInUse(kind: ImportKind): Set<unknown> {
    if (!REFERRED.includes(kind)) return new Set()
    const fields = REFERENCES.filter((reference) => reference.kind === kind).map(({ field }) => field)
    const ids = new Set<unknown>(kind === 'group' || kind === 'project' ? this.#here.references[kind] : [])
    for (const each of IMPORT_KINDS) {
      for (const row of this.#final[each].values()) for (const field of fields) ids.add(row[field])
    }
    return ids
  }

  /** Whether the row names one that is not, or no longer, here. */
  #refersToGone(fields: Fields): boolean {
    return REFERENCES.some(({ field, kind }) => {
      const id = fields[field]
      if (id === undefined || id === null) return false
      const referred = this.#final[kind].get(String(id))
      return referred === undefined || referred.isDeleted === true
    })
  }

  #keep(kind: ImportKind, key: string, fields: Fields, reason: KeptReason): void {
    this.#plan.kept.push(keptRow(kind, key, fields, reason))
  }

  #remember(kind: ImportKind, key: string, fields: Fields): void {
    this.#remembered[kind].set(key, fields)
  }
}

const keptRow = (kind: ImportKind, key: string, fields: Fields, reason: KeptReason): Kept => {
  return { kind, key, fields, field: null, here: null, source: null, conflict: false, reason }
}

function copyOf(rows: ImportRows): ImportRows {
  const copy = noRows()
  for (const kind of IMPORT_KINDS) copy[kind] = new Map(rows[kind])
  return copy
}

function differenceOf(before: ImportRows, after: ImportRows): ImportPlan['baseline'] {
  const difference: ImportPlan['baseline'] = { put: [], drop: [] }
  for (const kind of IMPORT_KINDS) {
    for (const key of before[kind].keys()) if (!after[kind].has(key)) difference.drop.push({ kind, key })
    for (const [key, fields] of after[kind]) {
      const old = before[kind].get(key)
      if (old === undefined || !sameFields(old, fields)) difference.put.push({ kind, key, fields })
    }
  }
  return difference
}

/** Before the first import, the anonymous user is taken for what the first migration made of it. */
function baseOfAnonymous(source: Fields, here: Fields | undefined): Fields | undefined {
  if (source.isAnonymous !== true || here?.isAnonymous !== true) return undefined
  return { ...UNTOUCHED_ANONYMOUS, createdAt: here.createdAt ?? null }
}

/** Whether a row here says all that the other does; it may have fields that no source knows. */
const includes = (here: Fields, other: Fields) =>
  Object.entries(other).every(([field, value]) => sameValue(here[field], value))
