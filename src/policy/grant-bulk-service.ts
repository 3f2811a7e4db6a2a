import { keepingAdministrators, type ProjectRightsStore } from '../project-rights.ts'
import {
  holdNamed,
  inPieces,
  presentAmong,
  type ResolvedRow,
  resolveRows,
  superuserFaults,
  type WantedGrant,
} from './grant-bulk-rows.ts'
import { ALREADY_THERE, type GrantFields, type GrantStore, noProject } from './grant-service.ts'
import { type GrantTimes, readGrantTimes } from './grant-times.ts'
import type { Audit, Committed, PolicyWrite, WriteContext } from './policy-write.ts'
import { RefusedRows } from './refused-rows.ts'

/** How a bulk is made. */
export type BulkOptions = {
  source: GrantFields['source']
  /** The project that all rows are on, where it does not stand in the rows: then it is no row's fault if it is missing. */
  onProject?: number
  /** What becomes of grants that are there already, to the letter. */
  present: 'refuse' | 'skip'
  /** Says what would come of it, and makes nothing. */
  dryRun?: boolean
  /** Told how many are made. */
  progress?: (done: number, of: number) => void
}

/** How many grants were made, and how many had been there. */
export type BulkOutcome = { created: number; present: number }

type Stores = { grants: GrantStore; rights: ProjectRightsStore }

/** Many grants at once, by the rules of a single one: all in one transaction at one revision, or none. */
export class GrantBulkService {
  readonly #write: PolicyWrite<Stores>

  constructor(write: PolicyWrite<Stores>) {
    this.#write = write
  }

  /**
   * Makes the grants, or with `dryRun` only says what that would come to.
   *
   * @throws RefusedRows with every row that could not be a grant by itself, or is there twice; DomainError `not-found`
   *   for the project of the path, `grant-exists` where somebody else makes one of them meanwhile; in person
   *   `last-administrator`
   */
  async create(
    context: WriteContext,
    wanted: readonly WantedGrant[],
    options: BulkOptions,
  ): Promise<Committed<BulkOutcome>> {
    const times: GrantTimes[] = []
    await inPieces(wanted, (piece) => piece.forEach((grant) => void times.push(readGrantTimes(grant))))
    return this.#write(context, async (stores, audit) => {
      const { rows, present } = await judged(stores, context, wanted, times, options)
      const missing = rows.filter((row) => !present.has(row)).map(({ fields }) => fields)
      const outcome = { created: missing.length, present: present.size }
      if (options.dryRun === true) return outcome
      const projectIds = [...new Set(missing.map(({ projectId }) => projectId))]
      await keepingAdministrators(context, stores.rights, projectIds, () =>
        makeAll(stores.grants, missing, audit, options),
      )
      return outcome
    })
  }
}

/** The rows as grants, once none is at fault, and those that are there already. */
async function judged(
  { grants, rights }: Stores,
  context: WriteContext,
  wanted: readonly WantedGrant[],
  times: readonly GrantTimes[],
  { source, onProject, present: ofPresent }: BulkOptions,
): Promise<{ rows: ResolvedRow[]; present: ReadonlySet<ResolvedRow> }> {
  const projectIds = new Set(wanted.map(({ projectId }) => projectId))
  if (onProject !== undefined) projectIds.add(onProject)
  await grants.expectMany()
  const known = await holdNamed(grants, wanted, projectIds)
  if (onProject !== undefined && !known.projects.has(onProject)) throw noProject(onProject)
  const { rows, faults } = await resolveRows(wanted, times, known, { source, grantedBy: context.caller })
  if (context.inPerson !== null) faults.push(...(await superuserFaults(rights, rows)))
  const present = await presentAmong(grants, rows)
  if (ofPresent === 'refuse') {
    for (const { row } of present) faults.push({ row, pointer: '', detail: ALREADY_THERE, code: 'grant-exists' })
  }
  if (faults.length > 0) throw new RefusedRows(faults, wanted.length)
  return { rows, present }
}

/**
 * Each grant leaves the audit event that it would leave if it were made alone.
 *
 * WHY not one event for all: whoever asks how a grant came about asks by its id, and must find it however it was made.
 */
async function makeAll(
  grants: GrantStore,
  missing: readonly GrantFields[],
  audit: Audit,
  { progress }: BulkOptions,
): Promise<void> {
  await inPieces(missing, async (piece, start) => {
    const ids = await grants.addAll(piece)
    audit((head) => grants.auditCreation(ids, head))
    progress?.(start + piece.length, missing.length)
  })
}
