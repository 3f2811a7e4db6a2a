import { DomainError } from '../errors.ts'
import { refuseBadNames } from '../names.ts'
import type { PageRequest } from '../page.ts'
import type { Committed, PolicyWrite, WriteContext } from './policy-write.ts'
import {
  MAX_TITLE_LENGTH,
  type NewProject,
  type PROJECT_SORTS,
  type Project,
  type ProjectFilter,
  type ProjectPatch,
} from './project-schemas.ts'

/** How a list of projects is asked for. */
export type ProjectPage = PageRequest<keyof typeof PROJECT_SORTS>

/** Reads projects. */
export interface ProjectReader {
  find(id: number): Promise<Project | null>
  /** Up to `limit + 1` projects, see {@link PageRequest}. */
  list(filter: ProjectFilter, page: ProjectPage): Promise<Project[]>
}

/** What a write about projects needs, in its transaction. */
export interface ProjectStore extends ProjectReader {
  /** Reads a project and keeps others from changing it or giving anything on it until the transaction ends. */
  hold(id: number): Promise<Project | null>
  /**
   * With an id of the caller's, later ids that are given out are larger than it; other writes that make projects wait
   * until this one ends.
   */
  add(project: NewProject): Promise<Project>
  retitle(id: number, title: string): Promise<void>
  /** Removes a project with its grants and the memberships limited to it, and tells how many of each went. */
  remove(id: number): Promise<{ memberships: number; grants: number }>
}

type Stores = { projects: ProjectStore }

/** Projects: what permissions are given on. */
export class ProjectService {
  readonly #write: PolicyWrite<Stores>
  readonly #projects: ProjectReader

  constructor(write: PolicyWrite<Stores>, projects: ProjectReader) {
    this.#write = write
    this.#projects = projects
  }

  /** @throws DomainError `not-found` */
  async get(id: number): Promise<Project> {
    return known(id, await this.#projects.find(id))
  }

  /** Up to `limit + 1` projects, see {@link PageRequest}. */
  list(filter: ProjectFilter, page: ProjectPage): Promise<Project[]> {
    return this.#projects.list(filter, page)
  }

  /** @throws DomainError `invalid-request`, `id-taken` */
  create(context: WriteContext, input: NewProject): Promise<Committed<Project>> {
    refuseBadTitle(input.title)
    return this.#write(context, async ({ projects }, audit) => {
      if (input.id !== undefined && (await projects.find(input.id))) throw idTaken()
      const project = await projects.add(input)
      audit({ action: 'project.create', target: `project:${project.id}`, after: project })
      return project
    })
  }

  /** @throws DomainError `not-found`, `invalid-request` */
  update(context: WriteContext, id: number, { title }: ProjectPatch): Promise<Committed<Project>> {
    return this.#write(context, async ({ projects }, audit) => {
      const project = known(id, await projects.hold(id))
      if (title === undefined || title === project.title) return project
      refuseBadTitle(title)
      await projects.retitle(id, title)
      audit({ action: 'project.update', target: `project:${id}`, before: { title: project.title }, after: { title } })
      return { ...project, title }
    })
  }

  /**
   * Deletes a project with its grants and the memberships limited to it. Its id is not given out again, except to a
   * caller who asks for it.
   *
   * @throws DomainError `not-found`
   */
  delete(context: WriteContext, id: number): Promise<Committed<void>> {
    return this.#write(context, async ({ projects }, audit) => {
      const project = known(id, await projects.hold(id))
      const went = await projects.remove(id)
      audit({ action: 'project.delete', target: `project:${id}`, before: { ...project, ...went } })
    })
  }
}

function known(id: number, project: Project | null): Project {
  if (project === null) throw new DomainError('not-found', `there is no project ${id}`)
  return project
}

function refuseBadTitle(title: string): void {
  refuseBadNames([{ pointer: '/title', value: title, limit: MAX_TITLE_LENGTH, empty: false }])
}

function idTaken(): DomainError {
  const detail = 'another project has this id'
  return new DomainError('id-taken', detail, { faults: [{ pointer: '/id', detail }] })
}
