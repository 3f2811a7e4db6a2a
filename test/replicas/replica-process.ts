import { pino } from 'pino'
import { buildApp } from '../../src/app.ts'
import { compose } from '../../src/compose.ts'
import { loadConfig } from '../../src/config.ts'

/**
 * The service as a process of its own that is never too busy to answer: one that was paused would refuse its first
 * requests as overloaded, whatever its policy. It prints its address and goes on until it is killed.
 */
const parts = await compose(loadConfig(process.env), pino({ level: 'silent' }))
await parts.start()
const app = await buildApp(parts, { eventLoopDelay: 0 })
process.stdout.write(`${await app.listen({ host: '127.0.0.1', port: 0 })}\n`)
