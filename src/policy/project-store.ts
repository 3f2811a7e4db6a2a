import type { EntityManager } from 'typeorm'
import { type ProjectRow, Projects } from '../database/entities.ts'
import { readPage } from '../database/page-query.ts'
import type { NewProject, Project, ProjectFilter } from './project-schemas.ts'
import type { ProjectPage, ProjectReader, ProjectStore } from './project-service.ts'

/** Chosen once, so that it collides with no other advisory lock of this service. */
const PROJECT_IDS_LOCK = 5_370_002

/** Projects in PostgreSQL. */
export class PgProjectStore implements ProjectReader, ProjectStore {
  readonly #manager: EntityManager

  constructor(manager: EntityManager) {
    this.#manager = manager
  }

  async find(id: number): Promise<Project | null> {
    const row = await this.#manager.findOneBy(Projects, { id })
    return row === null ? null : shown(row)
  }

  async list(filter: ProjectFilter, page: ProjectPage): Promise<Project[]> {
    const rows = await readPage(this.#manager.createQueryBuilder(Projects, 'projects').where(filter), page)
    return rows.map(shown)
  }

  async hold(id: number): Promise<Project | null> {
    const row = await this.#manager.findOne(Projects, { where: { id }, lock: { mode: 'pessimistic_write' } })
    return row === null ? null : shown(row)
  }

  async add(project: NewProject): Promise<Project> {
    await this.#manager.query('SELECT pg_advisory_xact_lock($1)', [PROJECT_IDS_LOCK])
    if (project.id !== undefined) return this.#addWithId(project.id, project.title)
    const { identifiers, generatedMaps } = await this.#manager.insert(Projects, project)
    return shown({ ...project, ...identifiers[0], ...generatedMaps[0] } as ProjectRow)
  }

  async retitle(id: number, title: string): Promise<void> {
    await this.#manager.update(Projects, { id }, { title })
  }

  async remove(id: number): Promise<{ memberships: number; grants: number }> {
    const [counts] = await this.#manager.query<{ memberships: number; grants: number }[]>(
      `WITH membership AS (DELETE FROM memberships WHERE project_id = $1 RETURNING id),
            "grant" AS (DELETE FROM grants WHERE project_id = $1 RETURNING id)
       SELECT (SELECT count(*)::integer FROM membership) AS memberships,
              (SELECT count(*)::integer FROM "grant") AS grants`,
      [id],
    )
    await this.#manager.delete(Projects, { id })
    return counts ?? { memberships: 0, grants: 0 }
  }

  async #addWithId(id: number, title: string): Promise<Project> {
    const [row] = await this.#manager.query<ProjectRow[]>(ADD_WITH_ID, [id, title])
    if (row === undefined) throw new Error('an inserted project was not given back')
    await this.#manager.query(MOVE_SEQUENCE, [id])
    return shown(row)
  }
}

/** TypeORM leaves an id out that the database could make. */
const ADD_WITH_ID = `
  INSERT INTO projects (id, title) VALUES ($1, $2) RETURNING id, title, created_at AS "createdAt"
`

/** Never moves it back; it is no part of the transaction, so a gap may stay when the transaction fails. */
const MOVE_SEQUENCE = `
  SELECT setval('projects_id_seq', $1::bigint) FROM projects_id_seq
    WHERE last_value < $1::bigint OR (last_value = $1::bigint AND NOT is_called)
`

const shown = ({ createdAt, ...row }: ProjectRow): Project => ({ ...row, createdAt: createdAt.toISOString() })
