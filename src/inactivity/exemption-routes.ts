import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { writeContextOf } from '../http/authenticate.ts'
import { Revision } from '../http/write-schemas.ts'
import { ExemptUserPath, NewExemption, WrittenExemption } from './exemption-schemas.ts'
import type { ExemptionService } from './exemption-service.ts'

const config = { access: { scope: 'admin' }, problems: ['not-found'] } as const
const tags = ['inactivity']

/** `/v1/users/{id}/inactivity-exemption`: users whom no run deactivates. */
export const exemptionRoutes: FastifyPluginCallbackTypebox<{ inactivityExemptions: ExemptionService }> = (
  app,
  { inactivityExemptions },
  done,
) => {
  app.put(
    '/v1/users/:id/inactivity-exemption',
    {
      config,
      schema: {
        operationId: 'setInactivityExemption',
        summary: 'Exempt a user from deactivation for inactivity',
        tags,
        params: ExemptUserPath,
        body: NewExemption,
        response: { 200: WrittenExemption },
      },
    },
    async (request) => {
      const { value, revision } = await inactivityExemptions.put(
        writeContextOf(request),
        request.params.id,
        request.body,
      )
      return { ...value, revision }
    },
  )
  app.delete(
    '/v1/users/:id/inactivity-exemption',
    {
      config,
      schema: {
        operationId: 'deleteInactivityExemption',
        summary: 'End the exemption of a user',
        tags,
        params: ExemptUserPath,
        response: { 200: Revision },
      },
    },
    async (request) => {
      const { revision } = await inactivityExemptions.delete(writeContextOf(request), request.params.id)
      return { revision }
    },
  )
  done()
}
