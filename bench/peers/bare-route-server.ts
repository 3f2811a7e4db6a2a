/**
 * A Fastify route with the schema of `POST /check` that reads the body, decides nothing and answers: what any service
 * on this framework pays before it does anything of its own. Started with the port as its only argument.
 */
import Fastify from 'fastify'
import { compiled } from '../compiled.ts'

const { CheckAnswer, CheckBody, CheckQuery } =
  await compiled<typeof import('../../src/decision/check-schemas.ts')>('decision/check-schemas.ts')
const app = Fastify({
  logger: false,
  ajv: { customOptions: { coerceTypes: false, removeAdditional: false, allowUnionTypes: true } },
})
app.get('/healthz', () => ({ status: 'ok' }))
app.post(
  '/check',
  { schema: { querystring: CheckQuery, body: CheckBody, response: { 200: CheckAnswer } } },
  (request) => ({ allowed: (request.body as { project: number }).project % 2 === 0, revision: 1 }),
)
await app.listen({ host: '127.0.0.1', port: Number(process.argv[2]) })
process.once('SIGTERM', () => void app.close())
