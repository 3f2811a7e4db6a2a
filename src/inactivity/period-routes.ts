import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { writeContextOf } from '../http/authenticate.ts'
import { pageOf, pageQuery, pageRequestOf, pageSchema } from '../http/page.ts'
import { Revision } from '../http/write-schemas.ts'
import {
  CANDIDATE_SORTS,
  Candidate,
  NewPeriod,
  PERIOD_SORTS,
  Period,
  PeriodPatch,
  PeriodPath,
  periodFilters,
  previewFilters,
  WrittenPeriod,
} from './period-schemas.ts'
import type { PeriodService } from './period-service.ts'

const access = { scope: 'admin' } as const
const tags = ['inactivity']

type Routes = FastifyPluginCallbackTypebox<{ inactivityPeriods: PeriodService }>

/** `/v1/inactivity-periods`: how long members of a group may show no activity. */
export const periodRoutes: Routes = (app, options, done) => {
  app.register(listRoutes, options)
  app.register(showRoute, options)
  app.register(writeRoutes, options)
  done()
}

const listRoutes: Routes = (app, { inactivityPeriods }, done) => {
  app.get(
    '/v1/inactivity-periods',
    {
      config: { access, problems: ['invalid-cursor'] },
      schema: {
        operationId: 'listInactivityPeriods',
        summary: 'List inactivity periods',
        tags,
        querystring: pageQuery(PERIOD_SORTS, periodFilters),
        response: { 200: pageSchema(Period) },
      },
    },
    async (request) => {
      const { limit: _limit, cursor: _cursor, sort: _sort, ...filter } = request.query
      const page = pageRequestOf(request, PERIOD_SORTS)
      return pageOf(request, page, await inactivityPeriods.list(filter, page), (period) => period.id)
    },
  )
  app.get(
    '/v1/inactivity-periods/:id/preview',
    {
      config: { access, problems: ['not-found', 'invalid-cursor'] },
      schema: {
        operationId: 'previewInactivityPeriod',
        summary: 'List who is due when by this period: users to whom no shorter one applies',
        tags,
        params: PeriodPath,
        querystring: pageQuery(CANDIDATE_SORTS, previewFilters),
        response: { 200: pageSchema(Candidate) },
      },
    },
    async (request) => {
      const { at, isDue } = request.query
      const asked = { ...(at !== undefined && { at }), ...(isDue !== undefined && { isDue }) }
      const page = pageRequestOf({ url: request.url, query: { sort: 'dueAt', ...request.query } }, CANDIDATE_SORTS)
      const rows = await inactivityPeriods.preview(request.params.id, asked, page)
      return pageOf(request, page, rows, (row) => row[page.sort])
    },
  )
  done()
}

const showRoute: Routes = (app, { inactivityPeriods }, done) => {
  app.get(
    '/v1/inactivity-periods/:id',
    {
      config: { access, problems: ['not-found'] },
      schema: {
        operationId: 'getInactivityPeriod',
        summary: 'Show an inactivity period',
        tags,
        params: PeriodPath,
        response: { 200: Period },
      },
    },
    (request) => inactivityPeriods.get(request.params.id),
  )
  done()
}

const writeRoutes: Routes = (app, { inactivityPeriods }, done) => {
  app.post(
    '/v1/inactivity-periods',
    {
      config: { access },
      schema: {
        operationId: 'createInactivityPeriod',
        summary: 'Make an inactivity period',
        tags,
        body: NewPeriod,
        response: { 201: WrittenPeriod },
      },
    },
    async (request, reply) => {
      const { value, revision } = await inactivityPeriods.create(writeContextOf(request), request.body)
      return reply.code(201).send({ ...value, revision })
    },
  )
  app.patch(
    '/v1/inactivity-periods/:id',
    {
      config: { access, problems: ['not-found'] },
      schema: {
        operationId: 'updateInactivityPeriod',
        summary: 'Change an inactivity period',
        tags,
        params: PeriodPath,
        body: PeriodPatch,
        response: { 200: WrittenPeriod },
      },
    },
    async (request) => {
      const { value, revision } = await inactivityPeriods.update(
        writeContextOf(request),
        request.params.id,
        request.body,
      )
      return { ...value, revision }
    },
  )
  app.delete(
    '/v1/inactivity-periods/:id',
    {
      config: { access, problems: ['not-found'] },
      schema: {
        operationId: 'deleteInactivityPeriod',
        summary: 'Delete an inactivity period',
        tags,
        params: PeriodPath,
        response: { 200: Revision },
      },
    },
    async (request) => {
      const { revision } = await inactivityPeriods.delete(writeContextOf(request), request.params.id)
      return { revision }
    },
  )
  done()
}
