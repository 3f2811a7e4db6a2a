import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { ExpectedAnswers, Holdings } from '../expected.ts'
import { type Exchange, postText } from '../http-load.ts'
import { CONNECTIONS, type Contender, type Load } from '../peer.ts'
import type { Check, Question } from '../request-load.ts'
import { freePort, type ServerProcess, startServer } from '../server-process.ts'

const POLICY = fileURLToPath(new URL('cerbos-policy', import.meta.url))

/**
 * The Cerbos server of the npm package, quiet and without telemetry, on one fixed policy ({@link POLICY}).
 *
 * Started by its own binary, not through the `cerbos` command, which is a Node process around it.
 */
export async function startCerbos(): Promise<ServerProcess> {
  const [http, grpc] = [await freePort(), await freePort()]
  const settings = [
    `server.httpListenAddr=127.0.0.1:${http}`,
    `server.grpcListenAddr=127.0.0.1:${grpc}`,
    'storage.driver=disk',
    `storage.disk.directory=${POLICY}`,
    'storage.disk.watchForChanges=false',
    'telemetry.disabled=true',
  ]
  return await startServer({
    command: binary(),
    args: ['server', '--log-level=error', ...settings.map((setting) => `--set=${setting}`)],
    port: http,
    readyPath: '/_cerbos/health',
    env: { CERBOS_NO_TELEMETRY: '1' },
  })
}

/** The questions of a load as Cerbos is asked them. */
export function cerbosContender(server: ServerProcess, load: Load): Contender {
  return {
    peer: 'cerbos',
    grants: load.grants,
    port: server.port,
    pid: server.pid,
    shape: 'cerbos',
    connections: CONNECTIONS,
    exchanges: load.questions.map((question) => exchangeOf(question, load.answers)),
  }
}

/**
 * WHY only what the user holds on the asked project: it is the least a caller of Cerbos could send for a right answer,
 * so its server has the least to read. Finding that out, which Gatehouse does, is not charged to Cerbos.
 */
function exchangeOf({ check, expected }: Question, answers: ExpectedAnswers): Exchange {
  const body = {
    requestId: 'bench',
    principal: principalOf(answers.holdings(check)),
    resources: [{ actions: [check.permission], resource: resourceOf(check) }],
  }
  return { text: postText('/api/check/resources', body), expected: expected.allowed }
}

function principalOf({ user, allows, denies, groupNames }: Holdings) {
  const admitted = user.isActive && (!user.isAnonymous || user.generalPermissions.includes('can_browse'))
  const attr = {
    admitted,
    superuser: user.isSuperuser,
    anonymous: user.isAnonymous,
    allows,
    denies,
    groups: groupNames,
  }
  return { id: user.username, roles: ['user'], attr }
}

function resourceOf({ project, object, via }: Check) {
  return { kind: 'project', id: String(project), attr: { via: via ?? 'session', ...object } }
}

function binary(): string {
  const packages = createRequire(createRequire(import.meta.url).resolve('cerbos'))
  return packages.resolve(`@cerbos/cerbos-${process.platform}-${process.arch}`)
}
