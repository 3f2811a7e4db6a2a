import { answerOf, type ConnectionOptions, type OwnClient, openClient } from '../database/connection.ts'
import { type ColumnType, streamRows } from '../database/row-stream.ts'
import {
  type ChangeSet,
  HistoryLostError,
  type LostRevisions,
  PERMISSIONS,
  type PolicyChange,
  type PolicySource,
} from '../decision/policy-state.ts'
import { MARKS_KEPT, type Marked, RevisionMarks } from './revision-marks.ts'

const CHANNEL = 'gatehouse_policy'
/**
 * Each question to the feed is a few steps down an index. WHY it is said: where statistics are old or missing, as on a new
 * database, PostgreSQL expects millions of rows, reads the whole log to join it, and compiles the query: 400 ms each time.
 */
const BY_INDEX = 'SET jit = off; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off'
const PATIENCE_MS = 10_000

/**
 * {@link PolicySource} of a PostgreSQL database; every call fails with the database's own error, or when nothing is heard
 * for `patienceMs`.
 *
 * WHY connections of its own: one of the pool may be in use by writers for long, or hang.
 */
export class PolicySourceStore implements PolicySource {
  readonly #connection: ConnectionOptions
  readonly #patienceMs: number
  readonly #marks = new RevisionMarks()
  #feed: Promise<OwnClient> | undefined

  constructor({ connection }: { connection: ConnectionOptions }, { patienceMs = PATIENCE_MS } = {}) {
    this.#connection = { ...connection, connectionTimeoutMillis: patienceMs }
    this.#patienceMs = patienceMs
  }

  async readAll(receive: (batch: PolicyChange[]) => void): Promise<{ revision: number; lost: LostRevisions | null }> {
    let broken: unknown
    const client = await openClient(this.#connection, (cause) => {
      broken = cause
    })
    try {
      return await answerOf(client, this.#patienceMs, async (heard) => {
        await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
        const { rows } = await client.query<Head>('SELECT revision, mark, lost_after, lost_up_to FROM policy_head')
        const { rows: before } = await client.query<Marked>(
          `SELECT revision, mark FROM policy_change_sets WHERE revision < (SELECT revision FROM policy_head)
             ORDER BY revision DESC LIMIT $1`,
          [MARKS_KEPT],
        )
        for (const { sql, columns, change } of TABLES) {
          await streamRows(client, sql, columns, (batch) => {
            heard()
            receive(batch.map(change))
          })
        }
        await client.query('COMMIT')
        const [head] = rows
        if (!head) throw new Error('the row of policy_head is missing')
        this.#marks.startAt([...before.reverse(), head])
        return { revision: head.revision, lost: lostOf(head) }
      })
    } catch (error) {
      throw broken ?? error
    } finally {
      await client.end().catch(() => undefined)
    }
  }

  async changesSince(revision: number, limit: number): Promise<ChangeSet[] | null> {
    const rows = await this.#ask<ChangeRow>(
      `WITH sets AS (
         SELECT id, revision, mark, follows FROM policy_change_sets WHERE revision > $1 ORDER BY revision LIMIT $2)
       SELECT head.revision AS head, head.mark AS head_mark, sets.revision, sets.mark, follows, kind, row_id AS id, state
         FROM (SELECT revision, mark FROM policy_head WHERE only_row) AS head
         LEFT JOIN sets ON true LEFT JOIN policy_changes ON change_set = sets.id
         ORDER BY sets.revision, policy_changes.id`,
      [revision, limit],
    )
    const head = rows[0]?.head ?? -1
    const sets = changeSetsOf(rows)
    if (this.#isOtherHistory(revision, rows)) throw new HistoryLostError(await this.#lostUpTo(revision))
    const consecutive = sets.every((set, place) => set.revision === revision + 1 + place)
    const reached = Math.min(head, revision + limit)
    if (!consecutive || revision + sets.length !== reached) return null
    for (const row of rows) if (row.revision !== null) this.#marks.follow(row)
    return sets
  }

  async keepLost({ after, upTo }: LostRevisions): Promise<void> {
    // A change of no kind and no row asks every replica to read everything, and takes a revision that nobody has seen.
    await this.#ask(
      `WITH kept AS (
         UPDATE policy_head SET lost_after = least(lost_after, $1), lost_up_to = greatest(lost_up_to, $2),
             revision = greatest(revision, $2)
           WHERE only_row AND (lost_up_to IS NULL OR lost_up_to < $2 OR lost_after > $1)
           RETURNING 1)
       INSERT INTO policy_changes (change_set, kind) SELECT policy_change_set(), 'history' FROM kept`,
      [after, upTo],
    )
  }

  async listen(onNotice: () => void, onLost: (cause: unknown) => void): Promise<{ stop(): Promise<void> }> {
    let pulse: NodeJS.Timeout | undefined
    const client = await openClient(this.#connection, (cause) => {
      clearInterval(pulse)
      onLost(cause)
    })
    // A connection that is dead without having been closed brings no notice: only by asking does one find out.
    pulse = setInterval(() => {
      answerOf(client, this.#patienceMs, () => client.query('SELECT 1')).catch(() => undefined)
    }, this.#patienceMs)
    client.on('notification', onNotice)
    const stop = () => {
      clearInterval(pulse)
      return client.end()
    }
    try {
      await answerOf(client, this.#patienceMs, () => client.query(`LISTEN ${CHANNEL}`))
    } catch (error) {
      await stop().catch(() => undefined)
      throw error
    }
    return { stop }
  }

  async close(): Promise<void> {
    const feed = await this.#feed?.catch(() => undefined)
    this.#feed = undefined
    await feed?.end()
  }

  #isOtherHistory(revision: number, [first]: ChangeRow[]): boolean {
    const mark = this.#marks.of(revision)
    if (mark === undefined || first === undefined) return false
    if (first.head < revision) return true
    if (first.head === revision) return first.head_mark !== mark
    return first.revision === revision + 1 && first.follows !== null && first.follows !== mark
  }

  /** What is lost of the revisions up to this one, which is: all after the last that both sides know. */
  async #lostUpTo(revision: number): Promise<LostRevisions> {
    const { revisions, marks } = this.#marks.all()
    const [common] = await this.#ask<{ revision: number | null }>(
      `SELECT max(revision) AS revision FROM unnest($1::bigint[], $2::uuid[]) AS seen (revision, mark) WHERE mark IN (
         (SELECT mark FROM policy_head),
         (SELECT mark FROM policy_change_sets kept WHERE kept.revision = seen.revision),
         (SELECT follows FROM policy_change_sets next WHERE next.revision = seen.revision + 1))`,
      [revisions, marks],
    )
    return { after: common?.revision ?? 0, upTo: revision }
  }

  async #openFeed(): Promise<OwnClient> {
    const client = await openClient(this.#connection, () => {
      this.#feed = undefined
    })
    try {
      await answerOf(client, this.#patienceMs, () => client.query(BY_INDEX))
      return client
    } catch (error) {
      await client.end().catch(() => undefined)
      throw error
    }
  }

  /** Asks on the connection that is kept for the feed; one that fails is given up, and the next question opens another. */
  async #ask<Row>(sql: string, values: unknown[]): Promise<Row[]> {
    this.#feed ??= this.#openFeed()
    const opening = this.#feed
    try {
      const client = await opening
      const { rows } = await answerOf(client, this.#patienceMs, () => client.query(sql, values))
      return rows as Row[]
    } catch (error) {
      if (this.#feed === opening) this.#feed = undefined
      opening.then((client) => client.end()).catch(() => undefined)
      throw error
    }
  }
}

type Head = Marked & { lost_after: number | null; lost_up_to: number | null }

const lostOf = ({ lost_after, lost_up_to }: Head): LostRevisions | null =>
  lost_after === null || lost_up_to === null ? null : { after: lost_after, upTo: lost_up_to }

type ChangeRow = PolicyChange & { head: number; head_mark: string } & (
    | { revision: number; mark: string; follows: string | null }
    | { revision: null; follows: null }
  )

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
