import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { writeContextOf } from '../http/authenticate.ts'
import { pageOf, pageQuery, pageRequestOf, pageSchema } from '../http/page.ts'
import {
  KEY_ID,
  MadeServiceKey,
  NewServiceKey,
  SERVICE_KEY_SORTS,
  ServiceKey,
  serviceKeyFilters,
} from './service-key-schemas.ts'
import type { ServiceKeyService } from './service-key-service.ts'

const access = { scope: 'admin' } as const
const tags = ['service-keys']
const params = Type.Object({ id: Type.Integer(KEY_ID) })

type Routes = FastifyPluginCallbackTypebox<{ serviceKeys: ServiceKeyService }>

/** `/v1/service-keys`: who may call this service, and for what. */
export const serviceKeyRoutes: Routes = (app, options, done) => {
  app.register(readRoutes, options)
  app.register(writeRoutes, options)
  done()
}

const writeRoutes: Routes = (app, { serviceKeys }, done) => {
  app.post(
    '/v1/service-keys',
    {
      config: { access, problems: ['name-taken'] },
      schema: {
        operationId: 'createServiceKey',
        summary: 'Make a service key',
        tags,
        body: NewServiceKey,
        response: { 201: MadeServiceKey },
      },
    },
    async (request, reply) => {
      const { value, revision } = await serviceKeys.create(writeContextOf(request), request.body)
      return reply.code(201).send({ ...value, revision })
    },
  )
  app.delete(
    '/v1/service-keys/:id',
    {
      config: { access, problems: ['not-found'] },
      schema: {
        operationId: 'deleteServiceKey',
        summary: 'End a service key at once',
        tags,
        params,
        response: { 200: Type.Object({ revision: Type.Integer() }) },
      },
    },
    async (request) => {
      const { revision } = await serviceKeys.delete(writeContextOf(request), request.params.id)
      return { revision }
    },
  )
  done()
}

const readRoutes: Routes = (app, { serviceKeys }, done) => {
  app.get(
    '/v1/service-keys',
    {
      config: { access, problems: ['invalid-cursor'] },
      schema: {
        operationId: 'listServiceKeys',
        summary: 'List service keys',
        tags,
        querystring: pageQuery(SERVICE_KEY_SORTS, serviceKeyFilters),
        response: { 200: pageSchema(ServiceKey) },
      },
    },
    async (request) => {
      const page = pageRequestOf(request, SERVICE_KEY_SORTS)
      const rows = await serviceKeys.list(request.query, page)
      return pageOf(request, page, rows, (row) => row[page.sort])
    },
  )
  app.get(
    '/v1/service-keys/:id',
    {
      config: { access, problems: ['not-found'] },
      schema: {
        operationId: 'getServiceKey',
        summary: 'Read what is known of a service key',
        tags,
        params,
        response: { 200: ServiceKey },
      },
    },
    (request) => serviceKeys.get(request.params.id),
  )
  done()
}
