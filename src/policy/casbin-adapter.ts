import type { Adapter, Model } from 'casbin'
import type { DataSource } from 'typeorm'
import typeormAdapter from 'typeorm-adapter'
import { type ConnectionOptions, openClient } from '../database/connection.ts'
import { type ColumnType, streamRows } from '../database/row-stream.ts'

/** Where the view `casbin_rule` (migration 0003) keeps each field of a rule. */
const FIELD_COLUMNS = ['sub', 'dom', 'act', 'eft', 'from', 'until']
/** A link: member, group or role, domain. */
const LINK_WIDTH = 3
const CELLS: ColumnType[] = ['text', ...FIELD_COLUMNS.map((): ColumnType => 'text')]

/** WHY the detour: typeorm-adapter declares its constructor private, for the sake of a factory that alters schemas. */
const TypeOrmAdapter = typeormAdapter.default as unknown as new (options: {
  connection: DataSource
}) => Adapter & {
  isFiltered(): boolean
}

/** Policy is changed by the API or in the tables; nothing was written. */
export class ReadOnlyPolicyError extends Error {
  constructor(call: string) {
    super(`${call}: policy is not written through Casbin, change users, memberships and grants instead`)
    this.name = 'ReadOnlyPolicyError'
  }
}

/**
 * Casbin's adapter for our policy: grants, memberships and superusers as the view `casbin_rule` shows them, without
 * the rules of `policies/`. Rows reach the model as cells, so that no content can become another cell or rule, empty
 * ones included; a model's `p` fields are found by their names, in any order. A load that fails leaves the model as it
 * was. Everything that would write is refused with {@link ReadOnlyPolicyError}.
 */
export class PolicyAdapter extends TypeOrmAdapter {
  readonly #connection: ConnectionOptions

  constructor(database: { dataSource: DataSource; connection: ConnectionOptions }) {
    super({ connection: database.dataSource })
    this.#connection = database.connection
  }

  /** @throws Error when the model's `p` or `g` cannot hold our rules: a field left out would widen what they say */
  override async loadPolicy(model: Model): Promise<void> {
    const rules = model.model.get('p')?.get('p')
    const links = model.model.get('g')?.get('g')
    const places = placesOf(rules?.tokens ?? [])
    const linkWidth = links?.value.split('_').slice(1).length
    if (linkWidth !== LINK_WIDTH) throw new Error('the model must define g = _, _, _ (member, group or role, domain)')
    const read = await this.#readRows()
    if (rules) rules.policy = rules.policy.concat(read.rules.map((row) => places.map((place) => row[place] ?? '')))
    if (links) links.policy = links.policy.concat(read.links.map((row) => row.slice(0, LINK_WIDTH)))
  }

  async #readRows(): Promise<{ rules: string[][]; links: string[][] }> {
    const read: { rules: string[][]; links: string[][] } = { rules: [], links: [] }
    let lost: unknown
    const client = await openClient(this.#connection, (cause) => {
      lost = cause
    })
    try {
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
      await streamRows(client, 'SELECT ptype, v0, v1, v2, v3, v4, v5 FROM casbin_rule', CELLS, (rows) => {
        for (const [ptype, ...cells] of rows) read[ptype === 'p' ? 'rules' : 'links'].push(cells as string[])
      })
      await client.query('COMMIT')
      return read
    } catch (error) {
      throw lost ?? error
    } finally {
      await client.end().catch(() => undefined)
    }
  }

  /** A part of policy without its denies would allow what all of it refuses. @throws Error always */
  async loadFilteredPolicy(): Promise<never> {
    throw new Error('loadFilteredPolicy: policy is loaded whole or not at all')
  }

  override async savePolicy(): Promise<never> {
    throw new ReadOnlyPolicyError('savePolicy')
  }

  override async addPolicy(): Promise<never> {
    throw new ReadOnlyPolicyError('addPolicy')
  }

  async addPolicies(): Promise<never> {
    throw new ReadOnlyPolicyError('addPolicies')
  }

  async updatePolicy(): Promise<never> {
    throw new ReadOnlyPolicyError('updatePolicy')
  }

  override async removePolicy(): Promise<never> {
    throw new ReadOnlyPolicyError('removePolicy')
  }

  async removePolicies(): Promise<never> {
    throw new ReadOnlyPolicyError('removePolicies')
  }

  override async removeFilteredPolicy(): Promise<never> {
    throw new ReadOnlyPolicyError('removeFilteredPolicy')
  }
}

/** For each of the model's fields its column of the view. */
function placesOf(tokens: readonly string[]): number[] {
  const fields = tokens.map((token) => token.replace(/^p_/, ''))
  const same = fields.length === FIELD_COLUMNS.length && FIELD_COLUMNS.every((field) => fields.includes(field))
  if (!same) throw new Error(`the model must define p with ${FIELD_COLUMNS.join(', ')}, in any order`)
  return fields.map((field) => FIELD_COLUMNS.indexOf(field))
}
