import { fileURLToPath } from 'node:url'
import { postText } from '../http-load.ts'
import { CONNECTIONS, type Contender, type Load } from '../peer.ts'
import { freePort, type ServerProcess, startServer } from '../server-process.ts'

const SCRIPT = fileURLToPath(new URL('bare-route-server.ts', import.meta.url))

/** Starts one bare Fastify route; two of them show how far two equal servers lie apart on this machine today. */
export async function startBareRoute(): Promise<ServerProcess> {
  const port = await freePort()
  return await startServer({
    command: process.execPath,
    args: ['--import=tsx', SCRIPT, String(port)],
    port,
    readyPath: '/healthz',
  })
}

/** The bodies of a load sent to a bare route; its answers mean nothing, only their status is looked at. */
export function bareContender(peer: string, server: ServerProcess, load: Load): Contender {
  return {
    peer,
    grants: load.grants,
    port: server.port,
    pid: server.pid,
    shape: 'gatehouse',
    connections: CONNECTIONS,
    exchanges: load.questions.map(({ check }) => ({ text: postText('/check', check), expected: 'any' })),
  }
}
