import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { writeContextOf } from '../http/authenticate.ts'
import { GRANTS_BODY_LIMIT } from '../http/limits.ts'
import { pageOf, pageQuery, pageRequestOf, pageSchema } from '../http/page.ts'
import { Revision } from '../http/write-schemas.ts'
import type { GrantBulkService } from './grant-bulk-service.ts'
import {
  GRANT_SORTS,
  Grant,
  GrantBulk,
  GrantPath,
  grantFilters,
  NewGrant,
  PermissionSet,
  PrincipalGrants,
  PrincipalPath,
  WrittenBulk,
  WrittenGrant,
} from './grant-schemas.ts'
import type { GrantService } from './grant-service.ts'
import { ProjectPath } from './project-schemas.ts'

const access = { scope: 'admin', orInPerson: 'project' } as const
const tags = ['grants']

type Routes = FastifyPluginCallbackTypebox<{ grants: GrantService; grantBulks: GrantBulkService }>

/** `/v1/projects/{id}/grants`: who is allowed or refused a permission on a project. */
export const grantRoutes: Routes = (app, options, done) => {
  app.register(readRoute, options)
  app.register(writeRoutes, options)
  app.register(bulkRoute, options)
  app.register(setRoute, options)
  done()
}

const readRoute: Routes = (app, { grants }, done) => {
  app.get(
    '/v1/projects/:id/grants',
    {
      config: { access, problems: ['invalid-cursor', 'not-found'] },
      schema: {
        operationId: 'listGrants',
        summary: 'List the grants on a project',
        tags,
        params: ProjectPath,
        querystring: pageQuery(GRANT_SORTS, grantFilters),
        response: { 200: pageSchema(Grant) },
      },
    },
    async (request) => {
      const { limit: _limit, cursor: _cursor, sort: _sort, ...filter } = request.query
      const page = pageRequestOf(request, GRANT_SORTS)
      const rows = await grants.list(request.params.id, filter, page)
      return pageOf(request, page, rows, (grant) => grant[page.sort])
    },
  )
  done()
}

const writeRoutes: Routes = (app, { grants }, done) => {
  app.post(
    '/v1/projects/:id/grants',
    {
      config: { access, problems: ['not-found', 'grant-exists', 'last-administrator', 'ids-exhausted', 'conflict'] },
      schema: {
        operationId: 'createGrant',
        summary: 'Allow or refuse a user or a group a permission on a project, for a time or for good',
        tags,
        params: ProjectPath,
        body: NewGrant,
        response: { 201: WrittenGrant },
      },
    },
    async (request, reply) => {
      const { value, revision } = await grants.create(writeContextOf(request), request.params.id, request.body)
      return reply.code(201).send({ ...value, revision })
    },
  )
  app.delete(
    '/v1/projects/:id/grants/:grantId',
    {
      config: { access, problems: ['not-found', 'last-administrator', 'conflict'] },
      schema: {
        operationId: 'deleteGrant',
        summary: 'Take a grant away',
        tags,
        params: GrantPath,
        response: { 200: Revision },
      },
    },
    async (request) => {
      const { id, grantId } = request.params
      const { revision } = await grants.delete(writeContextOf(request), id, grantId)
      return { revision }
    },
  )
  done()
}

const bulkRoute: Routes = (app, { grantBulks }, done) => {
  app.post(
    '/v1/projects/:id/grants/bulk',
    {
      bodyLimit: GRANTS_BODY_LIMIT,
      config: { access, problems: ['not-found', 'grant-exists', 'last-administrator', 'ids-exhausted', 'conflict'] },
      schema: {
        operationId: 'createGrants',
        summary: 'Make up to 100,000 grants at once, all or none',
        description:
          'Every grant that could not be made by itself, or is there twice, is an item of `errors` (the first hundred), by its place: `/grants/17/principal/id`.',
        tags,
        params: ProjectPath,
        body: GrantBulk,
        response: { 201: WrittenBulk },
      },
    },
    async (request, reply) => {
      const projectId = request.params.id
      const wanted = request.body.grants.map((grant) => ({ ...grant, projectId }))
      const options = { source: 'api', onProject: projectId, present: 'refuse' } as const
      const { value, revision } = await grantBulks.create(writeContextOf(request), wanted, options)
      return reply.code(201).send({ created: value.created, revision })
    },
  )
  done()
}

const setRoute: Routes = (app, { grants }, done) => {
  app.put(
    '/v1/projects/:id/grants/:principalType/:principalId',
    {
      config: { access, problems: ['not-found', 'last-administrator', 'ids-exhausted', 'conflict'] },
      schema: {
        operationId: 'setGrants',
        summary: 'Make exactly these the permissions that a user or a group is allowed for good on a project',
        tags,
        params: PrincipalPath,
        body: PermissionSet,
        response: { 200: PrincipalGrants },
      },
    },
    async (request) => {
      const { id: projectId, principalType: type, principalId: id } = request.params
      const principal = { type, id }
      const { permissions } = request.body
      const { value, revision } = await grants.set(writeContextOf(request), projectId, principal, permissions)
      return { projectId, principal, grants: value, revision }
    },
  )
  done()
}
