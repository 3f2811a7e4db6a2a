import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { pageOf, pageQuery, pageRequestOf, pageSchema } from '../http/page.ts'
import { AUDIT_EVENT_SORTS, AuditEvent, auditEventFilters } from './audit-event-schemas.ts'
import type { AuditEventService } from './audit-event-service.ts'

/** `/v1/audit-events`: who changed what, newest first. */
export const auditEventRoutes: FastifyPluginCallbackTypebox<{ auditEvents: AuditEventService }> = (
  app,
  { auditEvents },
  done,
) => {
  app.get(
    '/v1/audit-events',
    {
      config: { access: { scope: 'admin' }, problems: ['invalid-cursor'] },
      schema: {
        operationId: 'listAuditEvents',
        summary: 'List writes, newest first',
        tags: ['audit-events'],
        querystring: pageQuery(AUDIT_EVENT_SORTS, auditEventFilters),
        response: { 200: pageSchema(AuditEvent) },
      },
    },
    async (request) => {
      const { limit: _limit, cursor: _cursor, sort: _sort, ...filter } = request.query
      const page = pageRequestOf(request, AUDIT_EVENT_SORTS)
      return pageOf(request, page, await auditEvents.list(filter, page), (event) => event.id)
    },
  )
  done()
}
