import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { writeContextOf } from '../http/authenticate.ts'
import { pageOf, pageQuery, pageRequestOf, pageSchema } from '../http/page.ts'
import { Revision } from '../http/write-schemas.ts'
import {
  NewProject,
  PROJECT_SORTS,
  Project,
  ProjectPatch,
  ProjectPath,
  projectFilters,
  WrittenProject,
} from './project-schemas.ts'
import type { ProjectService } from './project-service.ts'

const access = { scope: 'admin' } as const
const ofProject = { scope: 'admin', orInPerson: 'project' } as const
const tags = ['projects']

type Routes = FastifyPluginCallbackTypebox<{ projects: ProjectService }>

/** `/v1/projects`: what permissions are given on. */
export const projectRoutes: Routes = (app, options, done) => {
  app.register(readRoutes, options)
  app.register(createRoute, options)
  app.register(changeRoutes, options)
  done()
}

const readRoutes: Routes = (app, { projects }, done) => {
  app.get(
    '/v1/projects',
    {
      config: { access, problems: ['invalid-cursor'] },
      schema: {
        operationId: 'listProjects',
        summary: 'List projects',
        tags,
        querystring: pageQuery(PROJECT_SORTS, projectFilters),
        response: { 200: pageSchema(Project) },
      },
    },
    async (request) => {
      const { limit: _limit, cursor: _cursor, sort: _sort, ...filter } = request.query
      const page = pageRequestOf(request, PROJECT_SORTS)
      return pageOf(request, page, await projects.list(filter, page), (project) => project[page.sort])
    },
  )
  app.get(
    '/v1/projects/:id',
    {
      config: { access: ofProject, problems: ['not-found'] },
      schema: {
        operationId: 'getProject',
        summary: 'Show a project',
        tags,
        params: ProjectPath,
        response: { 200: Project },
      },
    },
    (request) => projects.get(request.params.id),
  )
  done()
}

const createRoute: Routes = (app, { projects }, done) => {
  app.post(
    '/v1/projects',
    {
      config: { access, problems: ['id-taken', 'ids-exhausted', 'conflict'] },
      schema: {
        operationId: 'createProject',
        summary: 'Make a project, with an id of your own or the next one',
        tags,
        body: NewProject,
        response: { 201: WrittenProject },
      },
    },
    async (request, reply) => {
      const { value, revision } = await projects.create(writeContextOf(request), request.body)
      return reply
        .code(201)
        .header('location', `/v1/projects/${value.id}`)
        .send({ ...value, revision })
    },
  )
  done()
}

const changeRoutes: Routes = (app, { projects }, done) => {
  app.patch(
    '/v1/projects/:id',
    {
      config: { access: ofProject, problems: ['not-found', 'conflict'] },
      schema: {
        operationId: 'updateProject',
        summary: 'Give a project another title',
        tags,
        params: ProjectPath,
        body: ProjectPatch,
        response: { 200: WrittenProject },
      },
    },
    async (request) => {
      const { value, revision } = await projects.update(writeContextOf(request), request.params.id, request.body)
      return { ...value, revision }
    },
  )
  app.delete(
    '/v1/projects/:id',
    {
      config: { access, problems: ['not-found', 'conflict'] },
      schema: {
        operationId: 'deleteProject',
        summary: 'Delete a project with its grants and the memberships limited to it',
        tags,
        params: ProjectPath,
        response: { 200: Revision },
      },
    },
    async (request) => {
      const { revision } = await projects.delete(writeContextOf(request), request.params.id)
      return { revision }
    },
  )
  done()
}
