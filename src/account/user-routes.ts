import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { writeContextOf } from '../http/authenticate.ts'
import { pageOf, pageQuery, pageRequestOf, pageSchema } from '../http/page.ts'
import { Revision } from '../http/write-schemas.ts'
import {
  Deactivation,
  NewUser,
  USER_SORTS,
  User,
  UserPatch,
  UserPath,
  userFilters,
  WrittenUser,
} from './user-schemas.ts'
import type { UserService } from './user-service.ts'

const access = { scope: 'admin' } as const
const tags = ['users']

type Routes = FastifyPluginCallbackTypebox<{ users: UserService }>

/** `/v1/users`: accounts. */
export const userRoutes: Routes = (app, options, done) => {
  app.register(readRoutes, options)
  app.register(createRoute, options)
  app.register(changeRoutes, options)
  app.register(deactivationRoutes, options)
  done()
}

const readRoutes: Routes = (app, { users }, done) => {
  app.get(
    '/v1/users',
    {
      config: { access, problems: ['invalid-cursor'] },
      schema: {
        operationId: 'listUsers',
        summary: 'List users; deleted ones are not among them',
        tags,
        querystring: pageQuery(USER_SORTS, userFilters),
        response: { 200: pageSchema(User) },
      },
    },
    async (request) => {
      const { limit: _limit, cursor: _cursor, sort: _sort, ...filter } = request.query
      const page = pageRequestOf(request, USER_SORTS)
      return pageOf(request, page, await users.list(filter, page), (user) => user[page.sort])
    },
  )
  app.get(
    '/v1/users/:id',
    {
      config: { access, problems: ['not-found'] },
      schema: {
        operationId: 'getUser',
        summary: 'Show a user',
        tags,
        params: UserPath,
        response: { 200: User },
      },
    },
    (request) => users.get(request.params.id),
  )
  done()
}

const createRoute: Routes = (app, { users }, done) => {
  app.post(
    '/v1/users',
    {
      config: { access, problems: ['name-taken', 'name-carries-edit-rights', 'ids-exhausted', 'conflict'] },
      schema: {
        operationId: 'createUser',
        summary: 'Make a user, and a group of the same name',
        tags,
        body: NewUser,
        response: { 201: WrittenUser },
      },
    },
    async (request, reply) => {
      const { value, revision } = await users.create(writeContextOf(request), request.body)
      return reply
        .code(201)
        .header('location', `/v1/users/${value.id}`)
        .send({ ...value, revision })
    },
  )
  done()
}

const changeRoutes: Routes = (app, { users }, done) => {
  app.patch(
    '/v1/users/:id',
    {
      config: {
        access,
        problems: [
          'not-found',
          'name-taken',
          'name-carries-edit-rights',
          'anonymous-user',
          'last-superuser',
          'conflict',
        ],
      },
      schema: {
        operationId: 'updateUser',
        summary: 'Change a user; a new login renames the group of the old one along',
        tags,
        params: UserPath,
        body: UserPatch,
        response: { 200: WrittenUser },
      },
    },
    async (request) => {
      const { value, revision } = await users.update(writeContextOf(request), request.params.id, request.body)
      return { ...value, revision }
    },
  )
  app.delete(
    '/v1/users/:id',
    {
      config: { access, problems: ['not-found', 'anonymous-user', 'last-superuser', 'conflict'] },
      schema: {
        operationId: 'deleteUser',
        summary: 'Delete a user; the login stays reserved, and known as a creator',
        tags,
        params: UserPath,
        response: { 200: Revision },
      },
    },
    async (request) => {
      const { revision } = await users.delete(writeContextOf(request), request.params.id)
      return { revision }
    },
  )
  done()
}

const deactivationRoutes: Routes = (app, { users }, done) => {
  const written = { tags, params: UserPath, response: { 200: WrittenUser } }
  app.put(
    '/v1/users/:id/deactivation',
    {
      config: { access, problems: ['not-found', 'last-superuser', 'conflict'] },
      schema: {
        operationId: 'deactivateUser',
        summary: 'Deactivate a user by hand, or change the message of a deactivation; sessions end at once',
        ...written,
        body: Deactivation,
      },
    },
    async (request) => {
      const { value, revision } = await users.deactivate(writeContextOf(request), request.params.id, request.body)
      return { ...value, revision }
    },
  )
  app.delete(
    '/v1/users/:id/deactivation',
    {
      config: { access, problems: ['not-found', 'conflict'] },
      schema: {
        operationId: 'reactivateUser',
        summary: 'Reactivate a user, whatever had made the account inactive; ended sessions stay ended',
        ...written,
      },
    },
    async (request) => {
      const { value, revision } = await users.reactivate(writeContextOf(request), request.params.id)
      return { ...value, revision }
    },
  )
  done()
}
