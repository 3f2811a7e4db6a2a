import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { DomainError } from '../errors.ts'
import { viaOfOwnQuestion } from '../http/own-question.ts'
import { pageOf, pageQuery, pageRequestOf, pageSchema } from '../http/page.ts'
import type { PageRequest } from '../page.ts'
import type { Via } from './decide.ts'
import { Permissions, PermittedProject, PermittedUser, permissionFilter, VIA } from './reverse-lookup-schemas.ts'
import { permissionsOf, projectsOf, type Range, usersOf } from './reverse-lookups.ts'
import type { Snapshot } from './snapshot.ts'
import type { SnapshotKeeper } from './snapshot-keeper.ts'

const SORTS = { id: 'integer' } as const
const id = Type.Integer()
const revision = Type.Integer({ description: 'The policy revision that this page was made from' })
const listOf = <Row extends Parameters<typeof pageSchema>[0]>(row: Row) =>
  Type.Object({ ...pageSchema(row).properties, revision })

/** Where the lists are read from; `now` gives epoch milliseconds. */
export type ReverseLookupOptions = { keeper: SnapshotKeeper; now: () => number }
type Routes = FastifyPluginCallbackTypebox<ReverseLookupOptions>

/** The lists that answer many checks: each equals the set made by checking one by one (D10). */
export const reverseLookupRoutes: Routes = (app, options, done) => {
  app.register(projectsOfUser, options)
  app.register(permissionsOfUser, options)
  app.register(usersOfProject, options)
  done()
}

const projectsOfUser: Routes = (app, { keeper, now }, done) => {
  app.get(
    '/v1/users/:id/projects',
    {
      config: { access: { scope: 'check' }, problems: ['not-found', 'invalid-cursor', 'via-mismatch'] },
      schema: {
        operationId: 'listProjectsOfUser',
        summary: 'On which projects has the user the permission?',
        tags: ['check'],
        params: Type.Object({ id }),
        querystring: pageQuery(SORTS, { ...VIA, permission: Type.Optional(permissionFilter('can_browse')) }),
        response: { 200: listOf(PermittedProject) },
      },
    },
    (request) => {
      const { permission = 'can_browse' } = request.query
      const snapshot = keeper.snapshot()
      const via = viaOf(request)
      const page = pageRequestOf(request, SORTS)
      const user = existingUser(snapshot, request.params.id)
      const rows = projectsOf(snapshot, user, permission, via, now(), rangeOf(page))
      return { ...pageOf(request, page, rows, (row) => row.id), revision: snapshot.revision }
    },
  )
  done()
}

const permissionsOfUser: Routes = (app, { keeper, now }, done) => {
  app.get(
    '/v1/users/:id/projects/:project/permissions',
    {
      config: { access: { scope: 'check' }, problems: ['not-found', 'via-mismatch'] },
      schema: {
        operationId: 'listPermissionsOfUser',
        summary: 'What may the user do in the project?',
        tags: ['check'],
        params: Type.Object({ id, project: id }),
        querystring: Type.Object(VIA, { additionalProperties: false }),
        response: { 200: Permissions },
      },
    },
    (request) => {
      const { params } = request
      const snapshot = keeper.snapshot()
      const via = viaOf(request)
      const user = existingUser(snapshot, params.id)
      const project = existingProject(snapshot, params.project)
      const permissions = permissionsOf(snapshot, user, project, via, now())
      return { permissions, revision: snapshot.revision }
    },
  )
  done()
}

const usersOfProject: Routes = (app, { keeper, now }, done) => {
  app.get(
    '/v1/projects/:id/users',
    {
      config: { access: { scope: 'check', orInPerson: 'project' }, problems: ['not-found', 'invalid-cursor'] },
      schema: {
        operationId: 'listUsersOfProject',
        summary: 'Who has the permission on the project, and through what?',
        tags: ['check'],
        params: Type.Object({ id }),
        querystring: pageQuery(SORTS, { ...VIA, permission: permissionFilter() }),
        response: { 200: listOf(PermittedUser) },
      },
    },
    (request) => {
      const { permission, via = 'session' } = request.query
      const snapshot = keeper.snapshot()
      const page = pageRequestOf(request, SORTS)
      const project = existingProject(snapshot, request.params.id)
      const rows = usersOf(snapshot, project, permission, via, now(), rangeOf(page))
      return { ...pageOf(request, page, rows, (row) => row.id), revision: snapshot.revision }
    },
  )
  done()
}

type AboutUser = Pick<FastifyRequest, 'caller'> & { params: { id: number }; query: { via?: Via } }

/** How the user whom the path names is taken to come. */
function viaOf({ caller, params, query }: AboutUser): Via {
  return caller.user === null ? (query.via ?? 'session') : viaOfOwnQuestion(caller, params.id, query.via, '?via')
}

/** One row more than is shown tells whether another page follows. */
export function rangeOf({ limit, after, descending }: PageRequest): Range {
  return { limit: limit + 1, after: after?.id ?? null, descending }
}

function existingUser(snapshot: Snapshot, id: number): number {
  if (snapshot.users.get(id)?.isDeleted === false) return id
  throw new DomainError('not-found', `there is no user ${id}`)
}

/** @throws DomainError `not-found` */
export function existingProject(snapshot: Snapshot, id: number): number {
  if (snapshot.projects.has(id)) return id
  throw new DomainError('not-found', `there is no project ${id}`)
}
