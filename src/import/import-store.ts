import type { DataSource, EntityManager } from 'typeorm'
import { readBaseline, readHere } from './import-here-store.ts'
import type { HereState, ImportPlan, RowChange } from './import-plan.ts'
import { IMPORT_KINDS, type ImportKind, type ImportRows, PROFILE_SWITCHES } from './import-row.ts'
import type { ImportRead, ImportStore, Writing } from './import-service.ts'
import {
  CREATE_ROWS,
  DROP_BASELINE,
  KEEP_BASELINE,
  MOVE_SEQUENCES,
  PARK_NAMES,
  REMOVE_ROWS,
  UPDATE_ROWS,
} from './import-statements.ts'

/** Rows a statement: few statements, each of a size that a small server takes. */
const CHUNK = 10_000

/** What hangs on others goes first. */
const REMOVED_FIRST = IMPORT_KINDS.toReversed()

/**
 * The PostgreSQL side of an import. Many rows go in one statement, as JSON, so that 100,000 of them take seconds; all of
 * it belongs to the transaction of the entity manager.
 */
export class PgImportStore implements ImportStore {
  readonly #manager: EntityManager

  constructor(manager: EntityManager) {
    this.#manager = manager
  }

  async lock(): Promise<void> {
    await this.#manager.query("SET LOCAL lock_timeout = '30s'")
    await this.#manager.query(`
      LOCK TABLE users, groups, projects, memberships, grants, group_maintainers, profiles, api_tokens,
        inactivity_periods, inactivity_period_contacts, import_baseline IN SHARE ROW EXCLUSIVE MODE`)
  }

  here(): Promise<HereState> {
    return readHere(this.#manager)
  }

  baseline(): Promise<ImportRows> {
    return readBaseline(this.#manager)
  }

  async carryOut(plan: ImportPlan, writing: Writing): Promise<void> {
    if (plan.renumber !== null) {
      await this.#manager.query('UPDATE users SET id = $2 WHERE id = $1', [plan.renumber.from, plan.renumber.to])
    }
    for (const kind of REMOVED_FIRST) {
      await this.#write(`removing: ${kind}`, REMOVE_ROWS[kind], recordsOf(plan.removes, kind, writing), writing)
    }
    await this.#park('user', 'username', plan)
    await this.#park('group', 'name', plan)
    for (const kind of IMPORT_KINDS) {
      await this.#write(`updating: ${kind}`, UPDATE_ROWS[kind], recordsOf(plan.updates, kind, writing), writing)
      await this.#write(`creating: ${kind}`, CREATE_ROWS[kind], recordsOf(plan.creates, kind, writing), writing)
    }
    await this.#write('forgetting', DROP_BASELINE, plan.baseline.drop, writing)
    await this.#write('remembering', KEEP_BASELINE, plan.baseline.put, writing)
    for (const statement of MOVE_SEQUENCES) await this.#manager.query(statement)
  }

  async #write(step: string, statement: string | null, records: object[], { progress }: Writing): Promise<void> {
    if (records.length === 0) return
    if (statement === null) throw new Error(`an import does not know the step '${step}'`)
    for (let start = 0; start < records.length; start += CHUNK) {
      await this.#manager
        .query(statement, [JSON.stringify(records.slice(start, start + CHUNK))])
        .catch(withoutRows(step))
      progress(step, Math.min(start + CHUNK, records.length), records.length)
    }
  }

  async #park(kind: 'user' | 'group', field: string, plan: ImportPlan): Promise<void> {
    const wanted = new Set(
      [...plan.creates, ...plan.updates].filter((each) => each.kind === kind).map((c) => c.fields[field]),
    )
    const renamed = plan.updates.filter((each) => each.kind === kind && each.changed.includes(field))
    const parked = renamed.filter(({ before }) => wanted.has(before?.[field])).map(({ key }) => Number(key))
    if (parked.length > 0) await this.#manager.query(PARK_NAMES[kind], [parked])
  }
}

/** WHY not the error itself: it holds the rows, password hashes among them, and errors are logged. */
const withoutRows =
  (step: string) =>
  (error: Error & { code?: string }): never => {
    throw Object.assign(new Error(`${step}: ${error.message}`), { code: error.code })
  }

/** The changes of one kind as the statements take them. */
function recordsOf(changes: RowChange[], kind: ImportKind, writing: Writing): object[] {
  return changes.filter((change) => change.kind === kind).map((change) => recordOf(change, writing))
}

function recordOf({ kind, key, fields, changed }: RowChange, { passwords }: Writing): object {
  switch (kind) {
    case 'user':
      return {
        ...fields,
        id: Number(key),
        isPasswordChanged: changed.includes('password'),
        passwordHash: fields.password === null ? null : (passwords.get(Number(key)) ?? null),
      }
    case 'group':
    case 'project':
    case 'inactivityPeriod':
      return { ...fields, id: Number(key) }
    case 'profile':
      return { ...fields, settings: settingsOf(fields, changed) }
    case 'apiToken':
      return { ...fields, key }
    default:
      return fields
  }
}

function settingsOf(fields: RowChange['fields'], changed: string[]): object {
  const switches = PROFILE_SWITCHES.filter((name) => changed.includes(name))
  return Object.fromEntries(switches.map((name) => [name, fields[name]]))
}

/** Transactions that see one state of the database and cannot write. */
export const importRead =
  (dataSource: DataSource): ImportRead =>
  (work) =>
    dataSource.transaction('REPEATABLE READ', async (manager) => {
      await manager.query('SET TRANSACTION READ ONLY')
      return work(new PgImportStore(manager))
    })
