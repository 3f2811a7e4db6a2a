import { fileURLToPath } from 'node:url'
import { type Exchange, postText } from '../http-load.ts'
import { CONNECTIONS, type Contender, type Load } from '../peer.ts'
import { at } from '../random.ts'
import { type Question, questionsAbout } from '../request-load.ts'
import { freePort, type ServerProcess, startServer } from '../server-process.ts'

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const INSIDE = new URL('../inside-service.mjs', import.meta.url).href
const BATCH = 1_000
/** Enough to keep the server busy while the load process reads an answer. */
const BATCH_CONNECTIONS = 3

/** The service as it is shipped, on a PostgreSQL database that is filled already; ready when it says so. */
export async function startGatehouse(databaseUrl: string, dataDir: string): Promise<ServerProcess> {
  const port = await freePort()
  return await startServer({
    command: process.execPath,
    args: [`--import=${INSIDE}`, MAIN, 'serve'],
    port,
    readyPath: '/readyz',
    env: {
      DATABASE_URL: databaseUrl,
      DATA_DIR: dataDir,
      HOST: '127.0.0.1',
      PORT: String(port),
      NODE_ENV: 'production',
    },
    patience: 120,
  })
}

/** One question to the service that is not timed. @throws Error where it is not answered by a success */
export async function askService<Answer>(
  { port }: ServerProcess,
  serviceKey: string,
  path: string,
  body: object,
): Promise<Answer> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...bearer(serviceKey) },
    body: JSON.stringify(body),
  })
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`)
  return (await answer.json()) as Answer
}

/** `POST /check` by a caller with a service key. */
export function gatehouseContender(server: ServerProcess, load: Load, serviceKey: string): Contender {
  return {
    peer: 'gatehouse',
    grants: load.grants,
    port: server.port,
    pid: server.pid,
    shape: 'gatehouse',
    connections: CONNECTIONS,
    exchanges: load.questions.map(({ check, expected }) => ({
      text: postText('/check', check, bearer(serviceKey)),
      expected: expected.allowed,
    })),
  }
}

/** `POST /checks` with a thousand checks each, of random users. */
export function batchContender(server: ServerProcess, load: Load, serviceKey: string): Contender {
  const batches = Array.from({ length: Math.floor(load.questions.length / BATCH) }, (_, place) =>
    load.questions.slice(place * BATCH, (place + 1) * BATCH),
  )
  return {
    ...gatehouseContender(server, { ...load, questions: [] }, serviceKey),
    peer: 'gatehouse, batches of random users',
    shape: 'gatehouse-batch',
    connections: BATCH_CONNECTIONS,
    exchanges: batches.map((questions) =>
      batchOf({ checks: questions.map(({ check }) => check) }, questions, serviceKey),
    ),
  }
}

/** `POST /checks` with a thousand checks each, all about one user, who is the default of the batch. */
export function oneUserContender(server: ServerProcess, load: Load, serviceKey: string): Contender {
  const people = load.tables.users.filter((user) => user.isActive && !user.isAnonymous && !user.isSuperuser)
  const asked = Array.from({ length: 10 }, (_, place) => at(people, Math.floor((place * people.length) / 10)))
  return {
    ...gatehouseContender(server, { ...load, questions: [] }, serviceKey),
    peer: 'gatehouse, batches of one user',
    shape: 'gatehouse-batch',
    connections: BATCH_CONNECTIONS,
    exchanges: asked.map((user, place) => {
      const questions = questionsAbout(user, load.tables, load.answers, BATCH, place)
      const checks = questions.map(({ check: { user: _, ...rest } }) => rest)
      return batchOf({ user: user.username, checks }, questions, serviceKey)
    }),
  }
}

function batchOf(body: object, questions: Question[], serviceKey: string): Exchange {
  return {
    text: postText('/checks', body, bearer(serviceKey)),
    expected: questions.map(({ expected }) => expected.allowed),
  }
}

const bearer = (serviceKey: string) => ({ Authorization: `Bearer ${serviceKey}` })
