import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { type Static, Type } from 'typebox'

const ReadinessBody = Type.Object(
  {
    ready: Type.Boolean(),
    revision: Type.Optional(Type.Integer({ description: 'The policy revision that checks are answered from' })),
    ageSeconds: Type.Optional(
      Type.Number({
        description: 'How long ago that policy was last known to be the newest; bounded by MAX_STALENESS',
      }),
    ),
    reason: Type.Optional(Type.String({ description: 'Why the service is not ready' })),
  },
  { additionalProperties: false },
)
/** Whether checks can be answered, and from policy of which revision and age. */
export type Readiness = Static<typeof ReadinessBody>

/** `GET /healthz`: the process answers. `GET /readyz`: checks can be answered; 503 while not, or when shutting down. */
export const healthRoutes: FastifyPluginCallbackTypebox<{ readiness: () => Readiness }> = (app, options, done) => {
  let closing = false
  app.addHook('preClose', (closed) => {
    closing = true
    closed()
  })
  app.get(
    '/healthz',
    {
      config: { access: 'public' },
      schema: {
        operationId: 'getHealth',
        summary: 'Whether the process answers',
        tags: ['operation'],
        response: { 200: Type.Object({ status: Type.Literal('ok') }, { description: 'It does' }) },
      },
    },
    () => ({ status: 'ok' as const }),
  )
  app.get(
    '/readyz',
    {
      config: { access: 'public' },
      schema: {
        operationId: 'getReadiness',
        summary: 'Whether checks can be answered',
        tags: ['operation'],
        response: {
          200: { ...ReadinessBody, description: 'They can' },
          503: { ...ReadinessBody, description: 'They cannot, and why' },
        },
      },
    },
    (_request, reply) => {
      const readiness = closing ? { ready: false, reason: 'the service is shutting down' } : options.readiness()
      // Both statuses have the same body, which the types of a reply cannot say.
      reply.code((readiness.ready ? 200 : 503) as 200).send(readiness)
    },
  )
  done()
}
