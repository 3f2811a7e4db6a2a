import { pino } from 'pino'
import { compose } from '../../src/compose.ts'
import { loadConfig } from '../../src/config.ts'

/** A service key with all scopes, made as the command makes it: without the HTTP interface. */
export async function keyOf(databaseUrl: string, name = 'test'): Promise<{ id: number; key: string }> {
  const parts = await compose(loadConfig({ DATABASE_URL: databaseUrl }), pino({ level: 'silent' }))
  try {
    const context = { caller: 'command:test', requestId: null, inPerson: null }
    const { value } = await parts.serviceKeys.create(context, { name, scopes: ['check', 'admin', 'metrics'] })
    return { id: value.id, key: value.key }
  } finally {
    await parts.close()
  }
}
