import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { writeContextOf } from '../http/authenticate.ts'
import { pageOf, pageQuery, pageRequestOf, pageSchema } from '../http/page.ts'
import { RUN_SORTS, Run, RunAccount, RunPath, runFilters } from './run-schemas.ts'
import { goingOn, type RunService } from './run-service.ts'

const access = { scope: 'admin' } as const
const tags = ['inactivity']

type Routes = FastifyPluginCallbackTypebox<{ inactivityRuns: RunService }>

/** `/v1/inactivity-runs`: who was deactivated for inactivity, and the way back. */
export const runRoutes: Routes = (app, options, done) => {
  app.register(readRoutes, options)
  app.register(writeRoutes, options)
  done()
}

const readRoutes: Routes = (app, { inactivityRuns }, done) => {
  app.get(
    '/v1/inactivity-runs',
    {
      config: { access, problems: ['invalid-cursor'] },
      schema: {
        operationId: 'listInactivityRuns',
        summary: 'List runs, newest first',
        tags,
        querystring: pageQuery(RUN_SORTS, runFilters),
        response: { 200: pageSchema(Run) },
      },
    },
    async (request) => {
      const page = pageRequestOf(request, RUN_SORTS)
      return pageOf(request, page, await inactivityRuns.list(page), (run) => run.id)
    },
  )
  app.get(
    '/v1/inactivity-runs/:id',
    {
      config: { access, problems: ['not-found'] },
      schema: {
        operationId: 'getInactivityRun',
        summary: 'Show a run',
        tags,
        params: RunPath,
        response: { 200: Run },
      },
    },
    (request) => inactivityRuns.get(request.params.id),
  )
  app.get(
    '/v1/inactivity-runs/:id/accounts',
    {
      config: { access, problems: ['not-found', 'invalid-cursor'] },
      schema: {
        operationId: 'listInactivityRunAccounts',
        summary: 'List the accounts that were due in a run',
        tags,
        params: RunPath,
        querystring: pageQuery(RUN_SORTS, {}),
        response: { 200: pageSchema(RunAccount) },
      },
    },
    async (request) => {
      const page = pageRequestOf(request, RUN_SORTS)
      const rows = await inactivityRuns.accounts(request.params.id, page)
      return pageOf(request, page, rows, (account) => account.id)
    },
  )
  done()
}

const writeRoutes: Routes = (app, { inactivityRuns }, done) => {
  app.post(
    '/v1/inactivity-runs',
    {
      config: { access, problems: ['inactivity-run-state'] },
      schema: {
        operationId: 'startInactivityRun',
        summary: 'Start a run; it goes on after the answer',
        tags,
        response: { 202: Run },
      },
    },
    async (request, reply) => {
      const started = await inactivityRuns.start(writeContextOf(request))
      if (started === null) throw goingOn()
      return reply.code(202).send(started.run)
    },
  )
  app.post(
    '/v1/inactivity-runs/:id/approval',
    {
      config: { access, problems: ['not-found', 'inactivity-run-state'] },
      schema: {
        operationId: 'approveInactivityRun',
        summary: 'Let a run go on that would deactivate many',
        tags,
        params: RunPath,
        response: { 202: Run },
      },
    },
    async (request, reply) => {
      const { run } = await inactivityRuns.approve(writeContextOf(request), request.params.id)
      return reply.code(202).send(run)
    },
  )
  app.delete(
    '/v1/inactivity-runs/:id',
    {
      config: { access, problems: ['not-found', 'inactivity-run-state'] },
      schema: {
        operationId: 'undoInactivityRun',
        summary: 'Undo a run as a whole: whom it deactivated is active again',
        tags,
        params: RunPath,
        response: { 200: Type.Object({ ...Run.properties, revision: Type.Integer() }) },
      },
    },
    async (request) => {
      const { value, revision } = await inactivityRuns.undo(writeContextOf(request), request.params.id)
      return { ...value, revision }
    },
  )
  done()
}
