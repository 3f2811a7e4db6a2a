import type { EntityManager } from 'typeorm'
import { type GrantRow, Grants } from '../database/entities.ts'
import { readPage } from '../database/page-query.ts'
import type { Grant, GrantFilter, Principal } from './grant-schemas.ts'
import type { GrantFields, GrantPage, GrantReader, GrantStore } from './grant-service.ts'

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

  holdProject(projectId: number): Promise<boolean> {
    return this.#any('SELECT FROM projects WHERE id = $1 FOR KEY SHARE', projectId)
  }

  holdPrincipal({ type, id }: Principal): Promise<boolean> {
    return type === 'user'
      ? this.#any('SELECT FROM users WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE', id)
      : this.#any('SELECT FROM groups WHERE id = $1 FOR NO KEY UPDATE', id)
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

  async #any(sql: string, id: number): Promise<boolean> {
    const found = await this.#manager.query<object[]>(sql, [id])
    return found.length > 0
  }
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
