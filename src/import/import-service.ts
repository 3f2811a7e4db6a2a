import type { PolicyWrite, WriteContext } from '../policy/policy-write.ts'
import type { MappedSite } from './catmaid-mapping.ts'
import { type HereState, type ImportPlan, planImport } from './import-plan.ts'
import { IMPORT_KINDS, type ImportRows } from './import-row.ts'

/** Told how far a step has come. */
export type Progress = (step: string, done: number, of: number) => void
/** What writing needs beside the plan: the password hashes that the plan only has digests of. */
export type Writing = { passwords: ReadonlyMap<number, string>; progress: Progress }

/** Where an import reads and writes; everything happens in one transaction. */
export interface ImportStore {
  /**
   * Holds off every other writer until the transaction ends, so that what was compared is what is written to; readers
   * and decisions go on. Fails when somebody else does not let go within half a minute.
   */
  lock(): Promise<void>
  here(): Promise<HereState>
  /** The rows as the last import brought them. */
  baseline(): Promise<ImportRows>
  /** Does what the plan says, to the letter. The plan must have been made from what this transaction sees. */
  carryOut(plan: ImportPlan, writing: Writing): Promise<void>
}

/** Runs `work` on a store in a transaction that sees one state of the database and cannot write. */
export type ImportRead = <T>(work: (store: ImportStore) => Promise<T>) => Promise<T>

/**
 * What an import did, or would do. It was refused when the plan has collisions; then nothing was written. `revision` is
 * the one at which all of it is in force, null when nothing was written.
 */
export type ImportOutcome = { plan: ImportPlan; refused: boolean; revision: number | null }

/** Brings the accounts and permissions of another system over, again and again if need be. */
export class ImportService {
  readonly #write: PolicyWrite<{ imports: ImportStore }>
  readonly #read: ImportRead

  constructor(write: PolicyWrite<{ imports: ImportStore }>, read: ImportRead) {
    this.#write = write
    this.#read = read
  }

  /** Says exactly what {@link run} would do, and writes nothing. */
  async preview(site: MappedSite): Promise<ImportOutcome> {
    const plan = await this.#read((store) => planWith(store, site))
    return { plan, refused: plan.collisions.length > 0, revision: null }
  }

  /**
   * Imports the site: all of it, or with any collision nothing. An import that changes rows leaves one audit event with
   * their counts; one that finds nothing to do leaves no trace.
   */
  async run(site: MappedSite, context: WriteContext, progress: Progress): Promise<ImportOutcome> {
    const { value: plan, revision } = await this.#write(context, async ({ imports }, audit) => {
      await imports.lock()
      const made = await planWith(imports, site)
      if (made.collisions.length > 0) return made
      await imports.carryOut(made, { passwords: site.passwords, progress })
      if (changesRows(made)) audit({ action: 'import', target: 'import:catmaid', after: countsOf(made) })
      return made
    })
    const refused = plan.collisions.length > 0
    return { plan, refused, revision: refused || !changesRows(plan) ? null : revision }
  }
}

/** How many rows of each kind are created, updated and removed; kinds without any are missing. */
export function countsOf(plan: ImportPlan): Record<'created' | 'updated' | 'removed', Record<string, number>> {
  return { created: byKind(plan.creates), updated: byKind(plan.updates), removed: byKind(plan.removes) }
}

function byKind(changes: ImportPlan['creates']): Record<string, number> {
  const counts = IMPORT_KINDS.map((kind) => [kind, changes.filter((change) => change.kind === kind).length] as const)
  return Object.fromEntries(counts.filter(([, count]) => count > 0))
}

const changesRows = ({ renumber, creates, updates, removes }: ImportPlan) =>
  renumber !== null || creates.length + updates.length + removes.length > 0

async function planWith(store: ImportStore, site: MappedSite): Promise<ImportPlan> {
  return planImport(site, await store.baseline(), await store.here())
}
