import type { EntityManager } from 'typeorm'
import { GroupMaintainers, Groups, Memberships } from '../database/entities.ts'
import { readPage } from '../database/page-query.ts'
import type { Group, GroupFilter, MemberFilter, Membership } from './group-schemas.ts'
import type { GroupPage, GroupReader, GroupStore, MemberPage, MembershipPlace } from './group-service.ts'

/** Groups, memberships and maintainers in PostgreSQL. */
export class PgGroupStore implements GroupReader, GroupStore {
  readonly #manager: EntityManager

  constructor(manager: EntityManager) {
    this.#manager = manager
  }

  async find(id: number): Promise<Group | null> {
    const row = await this.#manager.findOneBy(Groups, { id })
    return row === null ? null : this.#shownOne(row)
  }

  async list({ name, memberId, maintainerId }: GroupFilter, page: GroupPage): Promise<Group[]> {
    const query = this.#manager.createQueryBuilder(Groups, 'groups')
    if (name !== undefined) query.andWhere('groups.name = :name', { name })
    if (memberId !== undefined) query.andWhere(`groups.id IN (${GROUPS_OF_MEMBER})`, { memberId })
    if (maintainerId !== undefined) query.andWhere(`groups.id IN (${GROUPS_OF_MAINTAINER})`, { maintainerId })
    return this.#shown(await readPage(query, page))
  }

  async members(groupId: number, { userId, project }: MemberFilter, page: MemberPage): Promise<Membership[]> {
    const query = this.#manager.createQueryBuilder(Memberships, 'memberships').where({ groupId })
    if (userId !== undefined) query.andWhere('memberships.userId = :userId', { userId })
    if (project !== undefined) query.andWhere('memberships.projectId = :project', { project })
    const rows = await readPage(query, page)
    const names = await this.#usernames(rows.map((row) => row.userId))
    return rows.map((row) => shownMembership(row, names.get(row.userId) ?? ''))
  }

  async hold(id: number): Promise<Group | null> {
    const row = await this.#manager.findOne(Groups, { where: { id }, lock: { mode: 'for_no_key_update' } })
    return row === null ? null : this.#shownOne(row)
  }

  async add(name: string): Promise<Group> {
    const { identifiers, generatedMaps } = await this.#manager.insert(Groups, { name })
    const row = { name, ...identifiers[0], ...generatedMaps[0] } as Row
    return { ...row, createdAt: row.createdAt.toISOString(), maintainers: [] }
  }

  async rename(id: number, name: string): Promise<void> {
    await this.#manager.update(Groups, { id }, { name })
  }

  async remove(id: number): Promise<{ memberships: number; grants: number }> {
    const [counts] = await this.#manager.query<{ memberships: number; grants: number }[]>(
      `WITH membership AS (DELETE FROM memberships WHERE group_id = $1 RETURNING id),
            "grant" AS (DELETE FROM grants WHERE group_id = $1 RETURNING id)
       SELECT (SELECT count(*)::integer FROM membership) AS memberships,
              (SELECT count(*)::integer FROM "grant") AS grants`,
      [id],
    )
    await this.#manager.delete(Groups, { id })
    return counts ?? { memberships: 0, grants: 0 }
  }

  async holdUser(id: number): Promise<{ username: string; isAnonymous: boolean } | null> {
    const [user] = await this.#manager.query<{ username: string; isAnonymous: boolean }[]>(
      'SELECT username, is_anonymous AS "isAnonymous" FROM users WHERE id = $1 AND deleted_at IS NULL FOR SHARE',
      [id],
    )
    return user ?? null
  }

  async holdProject(id: number): Promise<boolean> {
    const found = await this.#manager.query<object[]>('SELECT FROM projects WHERE id = $1 FOR KEY SHARE', [id])
    return found.length > 0
  }

  async membership({ groupId, userId, projectId }: MembershipPlace): Promise<Membership | null> {
    const [row] = await this.#manager
      .createQueryBuilder(Memberships, 'memberships')
      .where({ groupId, userId })
      .andWhere('memberships.projectId IS NOT DISTINCT FROM :projectId', { projectId })
      .getMany()
    if (row === undefined) return null
    const names = await this.#usernames([userId])
    return shownMembership(row, names.get(userId) ?? '')
  }

  async isMaintainer(groupId: number, userId: number): Promise<boolean> {
    return this.#manager.existsBy(GroupMaintainers, { groupId, userId })
  }

  async isNamedLikeLogin(groupId: number): Promise<boolean> {
    const found = await this.#manager.query<object[]>(
      'SELECT FROM groups g JOIN users u ON u.username = g.name WHERE g.id = $1',
      [groupId],
    )
    return found.length > 0
  }

  async addMembership(place: MembershipPlace): Promise<Membership> {
    await this.#manager.insert(Memberships, place)
    const membership = await this.membership(place)
    if (membership === null) throw new Error('a membership that was just added is not there')
    return membership
  }

  async removeMembership(id: number): Promise<void> {
    await this.#manager.delete(Memberships, { id })
  }

  async addMaintainer(groupId: number, userId: number): Promise<boolean> {
    const added = await this.#manager.query<object[]>(
      'INSERT INTO group_maintainers VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING group_id',
      [groupId, userId],
    )
    return added.length > 0
  }

  async removeMaintainer(groupId: number, userId: number): Promise<boolean> {
    const { affected } = await this.#manager.delete(GroupMaintainers, { groupId, userId })
    return affected === 1
  }

  async #usernames(ids: readonly number[]): Promise<Map<number, string>> {
    const rows = await this.#manager.query<{ id: number; username: string }[]>(
      'SELECT id, username FROM users WHERE id = ANY ($1)',
      [[...new Set(ids)]],
    )
    return new Map(rows.map(({ id, username }) => [id, username]))
  }

  async #shownOne(row: Row): Promise<Group> {
    const [group] = await this.#shown([row])
    if (group === undefined) throw new Error('one row gave no group')
    return group
  }

  async #shown(rows: readonly Row[]): Promise<Group[]> {
    const maintainers = await this.#manager.query<(Group['maintainers'][number] & { groupId: number })[]>(
      `SELECT m.group_id AS "groupId", u.id AS "userId", u.username FROM group_maintainers m
       JOIN users u ON u.id = m.user_id WHERE m.group_id = ANY ($1) ORDER BY u.id`,
      [rows.map((row) => row.id)],
    )
    return rows.map(({ createdAt, ...row }) => ({
      ...row,
      maintainers: maintainers
        .filter(({ groupId }) => groupId === row.id)
        .map(({ userId, username }) => ({ userId, username })),
      createdAt: createdAt.toISOString(),
    }))
  }
}

type Row = { id: number; name: string; createdAt: Date }

const GROUPS_OF_MEMBER = 'SELECT m.group_id FROM memberships m WHERE m.user_id = :memberId'
const GROUPS_OF_MAINTAINER = 'SELECT m.group_id FROM group_maintainers m WHERE m.user_id = :maintainerId'

type MembershipRow = Omit<Membership, 'createdAt' | 'username'> & { createdAt: Date }

function shownMembership({ createdAt, ...row }: MembershipRow, username: string): Membership {
  return { ...row, username, createdAt: createdAt.toISOString() }
}
