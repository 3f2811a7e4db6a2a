import type { DataSource } from 'typeorm'
import { type ConnectionOptions, openClient } from '../database/connection.ts'
import { type ColumnType, streamRows } from '../database/row-stream.ts'
import { type ChangeSet, PERMISSIONS, type PolicyChange, type PolicySource } from '../decision/policy-state.ts'

const CHANNEL = 'gatehouse_policy'

/** {@link PolicySource} of a PostgreSQL database; every call fails with the database's own error. */
export class PolicySourceStore implements PolicySource {
  readonly #dataSource: DataSource
  readonly #connection: ConnectionOptions

  constructor(database: { dataSource: DataSource; connection: ConnectionOptions }) {
    this.#dataSource = database.dataSource
    this.#connection = database.connection
  }

  async readAll(receive: (batch: PolicyChange[]) => void): Promise<{ revision: number }> {
    let lost: unknown
    const client = await openClient(this.#connection, (cause) => {
      lost = cause
    })
    try {
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
      const { rows } = await client.query<{ revision: number }>('SELECT revision FROM policy_head')
      for (const { sql, columns, change } of TABLES) {
        await streamRows(client, sql, columns, (batch) => receive(batch.map(change)))
      }
      await client.query('COMMIT')
      const [head] = rows
      if (!head) throw new Error('the row of policy_head is missing')
      return head
    } catch (error) {
      throw lost ?? error
    } finally {
      await client.end().catch(() => undefined)
    }
  }

  // WHY `only_row`: without it PostgreSQL expects thousands of heads and compiles the query, 300 ms each time.
  async changesSince(revision: number, limit: number): Promise<ChangeSet[] | null> {
    const rows: ChangeRow[] = await this.#dataSource.query(
      `WITH sets AS (SELECT id, revision FROM policy_change_sets WHERE revision > $1 ORDER BY revision LIMIT $2)
       SELECT head.revision AS head, sets.revision, kind, row_id AS id, state
         FROM (SELECT revision FROM policy_head WHERE only_row) AS head LEFT JOIN sets ON true LEFT JOIN policy_changes ON change_set = sets.id
         ORDER BY sets.revision, policy_changes.id`,
      [revision, limit],
    )
    const head = rows[0]?.head ?? -1
    const sets = changeSetsOf(rows)
    const consecutive = sets.every((set, place) => set.revision === revision + 1 + place)
    const reached = Math.min(head, revision + limit)
    return consecutive && revision + sets.length === reached ? sets : null
  }

  async listen(onNotice: () => void, onLost: (cause: unknown) => void): Promise<{ stop(): Promise<void> }> {
    const client = await openClient(this.#connection, onLost)
    client.on('notification', onNotice)
    try {
      await client.query(`LISTEN ${CHANNEL}`)
    } catch (error) {
      await client.end().catch(() => undefined)
      throw error
    }
    return { stop: () => client.end() }
  }
}

type ChangeRow = { head: number; revision: number | null } & PolicyChange

/** Rows in the order of their revisions, made one set a revision; a change without an id tells of a truncated table. */
function changeSetsOf(rows: ChangeRow[]): ChangeSet[] {
  const sets: ChangeSet[] = []
  let set: ChangeSet | undefined
  for (const { revision, kind, id, state } of rows) {
    if (revision === null) continue
    if (set?.revision !== revision) {
      set = { revision, changes: [] }
      sets.push(set)
    }
    if (id === null) set.changes = null
    else if (kind !== null) set.changes?.push({ kind, id, state } as PolicyChange)
  }
  return sets
}

const EPOCH_MS = (column: string) => `(extract(epoch FROM ${column}) * 1000)::bigint`

type TableReader = { sql: string; columns: ColumnType[]; change: (cells: unknown[]) => PolicyChange }

/** How each table is read, and what a row of it says; in the order that the port promises. */
const TABLES: TableReader[] = [
  {
    sql: `SELECT id, username, is_active, is_superuser, is_anonymous, to_json(general_permissions)::text,
      deleted_at IS NOT NULL FROM users`,
    columns: ['int4', 'text', 'bool', 'bool', 'bool', 'json', 'bool'],
    change: ([id, username, isActive, isSuperuser, isAnonymous, generalPermissions, isDeleted]) =>
      ({
        kind: 'user',
        id,
        state: { id, username, isActive, isSuperuser, isAnonymous, generalPermissions, isDeleted },
      }) as PolicyChange,
  },
  {
    sql: 'SELECT id, name FROM groups',
    columns: ['int4', 'text'],
    change: ([id, name]) => ({ kind: 'group', id, state: { id, name } }) as PolicyChange,
  },
  {
    sql: 'SELECT id, title FROM projects',
    columns: ['int4', 'text'],
    change: ([id, title]) => ({ kind: 'project', id, state: { id, title } }) as PolicyChange,
  },
  {
    sql: 'SELECT id, user_id, group_id, project_id FROM memberships',
    columns: ['int4', 'int4', 'int4', 'int4'],
    change: ([id, userId, groupId, projectId]) =>
      ({ kind: 'membership', id, state: { id, userId, groupId, projectId } }) as PolicyChange,
  },
  {
    // A permission travels as its place in the list: shorter, and the same string each time once it is here.
    sql: `SELECT id, user_id, group_id, project_id, array_position('{${PERMISSIONS.join()}}'::text[], permission),
      effect = 'deny', ${EPOCH_MS('valid_from')}, ${EPOCH_MS('valid_until')} FROM grants`,
    columns: ['int4', 'int4', 'int4', 'int4', 'int4', 'bool', 'int8', 'int8'],
    change: ([id, userId, groupId, projectId, place, denies, validFrom, validUntil]) => {
      const permission = PERMISSIONS[(place as number) - 1]
      const effect = denies ? 'deny' : 'allow'
      const state = { id, userId, groupId, projectId, permission, effect, validFrom, validUntil }
      return { kind: 'grant', id, state } as PolicyChange
    },
  },
  {
    sql: `SELECT id, name, encode(key_hash, 'hex'), to_json(scopes)::text FROM service_keys`,
    columns: ['int4', 'text', 'text', 'json'],
    change: ([id, name, keyHash, scopes]) =>
      ({ kind: 'serviceKey', id, state: { id, name, keyHash, scopes } }) as PolicyChange,
  },
  {
    sql: `SELECT id, user_id, encode(token_hash, 'hex'), to_json(scopes)::text, ${EPOCH_MS('expires_at')} FROM api_tokens`,
    columns: ['int4', 'int4', 'text', 'json', 'int8'],
    change: ([id, userId, tokenHash, scopes, expiresAt]) =>
      ({ kind: 'apiToken', id, state: { id, userId, tokenHash, scopes, expiresAt } }) as PolicyChange,
  },
  {
    sql: `SELECT id, kid, public_key::text, ${EPOCH_MS('active_from')}, ${EPOCH_MS('published_until')} FROM signing_keys`,
    columns: ['int4', 'text', 'json', 'int8', 'int8'],
    change: ([id, kid, publicKey, activeFrom, publishedUntil]) =>
      ({ kind: 'signingKey', id, state: { id, kid, publicKey, activeFrom, publishedUntil } }) as PolicyChange,
  },
  {
    // Access tokens live for minutes: the end of an older session tells nothing any more.
    sql: `SELECT id, ${EPOCH_MS('ended_at')} FROM ended_sessions WHERE ended_at > now() - interval '1 hour'`,
    columns: ['int4', 'int8'],
    change: ([id, endedAt]) => ({ kind: 'endedSession', id, state: { id, endedAt } }) as PolicyChange,
  },
]
