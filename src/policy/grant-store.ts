import type { EntityManager } from 'typeorm'
import { type GrantRow, Grants } from '../database/entities.ts'
import { readPage } from '../database/page-query.ts'
import type { Grant, GrantFilter, Principal } from './grant-schemas.ts'
import type { GrantFields, GrantPage, GrantReader, GrantStore, NamedId, Sought } from './grant-service.ts'
import type { AuditHead } from './policy-write.ts'

/** Grants in PostgreSQL. */
export class PgGrantStore implements GrantReader, GrantStore {
  readonly #manager: EntityManager

  constructor(manager: EntityManager) {
    this.#manager = manager
  }

  hasProject(projectId: number): Promise<boolean> {
    return this.#any('SELECT FROM projects WHERE id = $1', projectId)
  }

  async list(projectId: number, filter: GrantFilter, page: GrantPage): Promise<Grant[]> {
    const query = this.#manager.createQueryBuilder(Grants, 'grants').where({ ...filter, projectId })
    const rows = await readPage(query, page)
    return rows.map(shown)
  }

  async expectMany(): Promise<void> {
    await this.#manager.query(BY_INDEX)
  }

  async holdProjects(projectIds: readonly number[]): Promise<number[]> {
    const rows = await this.#manager.query<{ id: number }[]>(
      'SELECT id FROM projects WHERE id = ANY ($1) ORDER BY id FOR KEY SHARE',
      [projectIds],
    )
    return rows.map(({ id }) => id)
  }

  holdPrincipals(type: Principal['type'], { ids, names }: Sought): Promise<NamedId[]> {
    return this.#manager.query(HOLD_PRINCIPALS[type], [ids, names])
  }

  async projectsWithGrants(projectIds: readonly number[]): Promise<number[]> {
    const rows = await this.#inBulk<{ id: number }[]>(
      `SELECT given.id FROM unnest($1::integer[]) AS given(id)
       WHERE EXISTS (SELECT FROM grants WHERE grants.project_id = given.id)`,
      [projectIds],
    )
    return rows.map(({ id }) => id)
  }

  async present(grants: readonly GrantFields[]): Promise<number[]> {
    const rows = await this.#inBulk<{ place: number }[]>(PRESENT, columnsOf(grants))
    return rows.map(({ place }) => place - 1)
  }

  async addAll(grants: readonly GrantFields[]): Promise<number[]> {
    const [first] = grants
    if (first === undefined) return []
    const rows = await this.#inBulk<{ id: number }[]>(ADD_ALL, [...columnsOf(grants), first.source, first.grantedBy])
    return rows.map(({ id }) => id)
  }

  async auditCreation(grantIds: readonly number[], { caller, requestId, revision }: AuditHead): Promise<void> {
    await this.#inBulk(AUDIT_CREATION, [caller, requestId, revision, grantIds])
  }

  async add({ principal, ...fields }: GrantFields): Promise<Grant | null> {
    const { raw } = await this.#manager
      .createQueryBuilder()
      .insert()
      .into(Grants)
      .values({ ...fields, ...holder(principal) })
      .orIgnore()
      .returning('id')
      .execute()
    const [inserted] = raw as { id: number }[]
    if (inserted === undefined) return null
    return shown(await this.#manager.findOneByOrFail(Grants, { id: inserted.id }))
  }

  async remove(projectId: number, grantId: number): Promise<Grant | null> {
    const row = await this.#manager.findOneBy(Grants, { id: grantId, projectId })
    const { affected } = await this.#manager.delete(Grants, { id: grantId, projectId })
    return row !== null && affected === 1 ? shown(row) : null
  }

  async ofPrincipal(projectId: number, principal: Principal): Promise<Grant[]> {
    const rows = await this.#manager.find(Grants, { where: { projectId, ...held(principal) }, order: { id: 'ASC' } })
    return rows.map(shown)
  }

  async #inBulk<Rows>(statement: string, parameters: unknown[]): Promise<Rows> {
    try {
      return await this.#manager.query<Rows>(statement, parameters)
    } catch (error) {
      throw withoutParameters(error)
    }
  }

  async #any(sql: string, id: number): Promise<boolean> {
    const found = await this.#manager.query<object[]>(sql, [id])
    return found.length > 0
  }
}

/** In the order of their ids, so that two bulks do not wait for each other. */
const HOLD_PRINCIPALS = {
  user: `SELECT id, username AS name FROM users
    WHERE (id = ANY ($1::integer[]) OR username = ANY ($2::text[])) AND deleted_at IS NULL
    ORDER BY id FOR NO KEY UPDATE`,
  group: `SELECT id, name FROM groups WHERE id = ANY ($1::integer[]) OR name = ANY ($2::text[])
    ORDER BY id FOR NO KEY UPDATE`,
} as const

/**
 * Grants as a table of SQL, from the parameters that {@link columnsOf} gives.
 *
 * WHY arrays and not JSON: PostgreSQL sees how many there are and plans for that many; of JSON it expects a hundred.
 */
const GIVEN = `unnest($1::integer[], $2::integer[], $3::integer[], $4::text[], $5::text[], $6::timestamptz[],
  $7::timestamptz[])`
const COLUMNS = 'project_id, user_id, group_id, permission, effect, valid_from, valid_until'

/**
 * Holds for the rest of the transaction, which asks by keys only; plans that the connection keeps are made anew.
 *
 * WHY it is said: beside many grants PostgreSQL sorted them all for each ten thousand that were asked about, and a
 * connection from when there were few users read all users for each foreign key: 1 ms a grant among 25,000 of them.
 */
const BY_INDEX = `SET LOCAL jit = off; SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off;
  SET LOCAL enable_mergejoin = off; DISCARD PLANS`

/** Users and groups apart, each by the first columns of the unique index. */
const PRESENT = `
  WITH given AS MATERIALIZED (SELECT * FROM ${GIVEN} WITH ORDINALITY AS given(${COLUMNS}, place))
  ${[
    ['given.user_id IS NOT NULL', 'given.user_id = grants.user_id'],
    ['given.group_id IS NOT NULL', 'grants.user_id IS NULL AND given.group_id = grants.group_id'],
  ]
    .map(
      ([kind, sameHolder]) => `
  SELECT given.place::integer FROM given JOIN grants ON given.project_id = grants.project_id AND ${sameHolder}
    AND given.permission = grants.permission AND given.effect = grants.effect
    AND given.valid_from IS NOT DISTINCT FROM grants.valid_from
    AND given.valid_until IS NOT DISTINCT FROM grants.valid_until
  WHERE ${kind}`,
    )
    .join(' UNION ALL ')}`

const ADD_ALL = `
  INSERT INTO grants (${COLUMNS}, source, granted_by) SELECT given.*, $8, $9 FROM ${GIVEN} AS given(${COLUMNS})
  RETURNING id`

/** SQL for a time as JSON, as the API shows it. */
const jsonTime = (column: string) =>
  `coalesce(to_char(${column} AT TIME ZONE 'UTC', '\\"YYYY-MM-DD"T"HH24:MI:SS.MS"Z"\\"'), 'null')`

/**
 * `after` is a grant as the API shows it, see {@link shown}.
 *
 * WHY as text: to build it of its parts took three times as long, a tenth of the whole bulk.
 */
const AUDIT_CREATION = `
  INSERT INTO audit_events (caller, request_id, revision, action, target, after)
  SELECT $1, $2, $3, 'grant.create', 'grant:' || id,
    format('{"id":%s,"projectId":%s,"principal":{"type":"%s","id":%s},"permission":"%s","effect":"%s","validFrom":%s,'
        '"validUntil":%s,"source":%s,"grantedBy":%s,"createdAt":%s}',
      id, project_id, CASE WHEN user_id IS NULL THEN 'group' ELSE 'user' END, coalesce(user_id, group_id), permission,
      effect, ${jsonTime('valid_from')}, ${jsonTime('valid_until')}, to_json(source), to_json(granted_by),
      ${jsonTime('created_at')})::jsonb
  FROM grants WHERE id = ANY ($4::integer[]) ORDER BY id`

/** WHY as text: pg would quote each of 70,000 values, none of which is a text that anybody made up. */
function columnsOf(grants: readonly GrantFields[]): string[] {
  return [
    arrayOf(grants.map(({ projectId }) => projectId)),
    arrayOf(grants.map(({ principal }) => (principal.type === 'user' ? principal.id : null))),
    arrayOf(grants.map(({ principal }) => (principal.type === 'group' ? principal.id : null))),
    arrayOf(grants.map(({ permission }) => permission)),
    arrayOf(grants.map(({ effect }) => effect)),
    arrayOf(grants.map(({ validFrom }) => validFrom?.toISOString() ?? null)),
    arrayOf(grants.map(({ validUntil }) => validUntil?.toISOString() ?? null)),
  ]
}

/** An array of PostgreSQL; words must hold neither quotes nor commas nor braces. */
const arrayOf = (words: readonly (string | number | null)[]) => `{${words.map((word) => word ?? 'NULL').join()}}`

/** WHY: the error of a query carries its parameters, thousands of grants, and some errors are logged. */
function withoutParameters(error: unknown): unknown {
  if (error instanceof Error && 'parameters' in error) error.parameters = []
  return error
}

const held = ({ type, id }: Principal) => (type === 'user' ? { userId: id } : { groupId: id })

const holder = ({ type, id }: Principal) =>
  type === 'user' ? { userId: id, groupId: null } : { userId: null, groupId: id }

function shown({ userId, groupId, validFrom, validUntil, createdAt, ...row }: GrantRow): Grant {
  return {
    ...row,
    principal: userId === null ? { type: 'group', id: groupId ?? 0 } : { type: 'user', id: userId },
    validFrom: validFrom?.toISOString() ?? null,
    validUntil: validUntil?.toISOString() ?? null,
    createdAt: createdAt.toISOString(),
  }
}
