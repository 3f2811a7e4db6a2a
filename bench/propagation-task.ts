/** The process behind {@link propagation}: writes on time and watches meanwhile. */
import { answerTask } from './child-task.ts'
import { HttpConnection } from './http-connection.ts'
import { requestText } from './http-load.ts'
import type { Fault } from './measure.ts'
import type { PropagationResult, PropagationTask } from './propagation.ts'
import { at } from './random.ts'

/** Several, so that a write that takes long does not hold up the next one. */
const CONNECTIONS = 4
/** Longer than this is no propagation but a loss. */
const PATIENCE_MS = 5_000
const PERMISSION = 'can_browse'

/** A write on its way: `allowed` is what the watched replica will answer by it. */
type Write = { user: number; allowed: boolean; requested: number; answered: number; effective: number }

answerTask(async (task: PropagationTask): Promise<PropagationResult> => {
  const writer = new Writer(task)
  const watcher = new Watcher(task)
  await writer.open()
  await watcher.open()
  const writes = Array.from({ length: task.warmUp + task.writes }, (_, place) => ({
    user: at(task.users, place % task.users.length),
    allowed: Math.floor(place / task.users.length) % 2 === 0,
    requested: 0,
    answered: 0,
    effective: 0,
  }))
  const begun = performance.now()
  const watching = watcher.watch(writes)
  const writing: Promise<void>[] = []
  for (const [place, write] of writes.entries()) {
    const due = begun + (place * 1000) / task.writesASecond
    while (performance.now() < due) await pause()
    writing.push(writer.write(write))
  }
  await Promise.all(writing)
  await watching
  await writer.takeAllAway()
  writer.close()
  watcher.close()
  const settled = writes.slice(task.warmUp).filter(({ effective }) => effective > 0)
  return {
    fromRequest: settled.map(({ requested, effective }) => effective - requested),
    // The watched replica may answer by a write before the other one has said that it is done.
    fromAnswer: settled.map(({ answered, effective }) => Math.max(0, effective - answered)),
    polls: watcher.polls,
    faults: watcher.faults,
  }
})

/** About a millisecond: what is watched is asked no more often, so that asking does not take the time of working. */
const pause = () => new Promise((resolve) => setTimeout(resolve, 1))

class Writer {
  private readonly task: PropagationTask
  private connections: { connection: HttpConnection; last: Promise<unknown> }[] = []
  /** Ids of the grants that are there, by user. */
  private readonly grants = new Map<number, number>()

  constructor(task: PropagationTask) {
    this.task = task
  }

  async open(): Promise<void> {
    for (let n = 0; n < CONNECTIONS; n += 1) {
      this.connections.push({ connection: await HttpConnection.open(this.task.writingPort), last: Promise.resolve() })
    }
  }

  /** Writes of one user go by one connection, so that they stay in order. */
  async write(write: Write): Promise<void> {
    const line = at(this.connections, this.task.users.indexOf(write.user) % CONNECTIONS)
    const turn = line.last.then(async () => {
      write.requested = performance.now()
      await (write.allowed ? this.give(line.connection, write.user) : this.take(line.connection, write.user))
      write.answered = performance.now()
    })
    line.last = turn
    await turn
  }

  /** So that the next round finds nothing given. */
  async takeAllAway(): Promise<void> {
    const { connection } = at(this.connections, 0)
    for (const user of [...this.grants.keys()]) await this.take(connection, user)
  }

  close(): void {
    for (const { connection } of this.connections) connection.close()
  }

  private async give(connection: HttpConnection, user: number): Promise<void> {
    const body = { principal: { type: 'user', id: user }, permission: PERMISSION }
    const { id } = JSON.parse(await this.send(connection, 'POST', '', 201, body))
    this.grants.set(user, id)
  }

  private async take(connection: HttpConnection, user: number): Promise<void> {
    await this.send(connection, 'DELETE', `/${this.grants.get(user)}`, 200)
    this.grants.delete(user)
  }

  private async send(connection: HttpConnection, method: string, rest: string, expected: number, body?: object) {
    const { project, serviceKey } = this.task
    const path = `/v1/projects/${project}/grants${rest}`
    const text = requestText(method, path, body, { Authorization: `Bearer ${serviceKey}` })
    const answer = await connection.exchange(Buffer.from(text))
    if (answer.status !== expected) throw new Error(`${method} ${path} answered ${answer.status}: ${answer.body}`)
    return answer.body
  }
}

/**
 * Asks the other replica about all writes on their way in one batch, about once a millisecond, on one connection, and
 * nothing while none is on its way. WHY not `atLeastRevision`: a check that waits makes its replica ask for news.
 */
class Watcher {
  polls = 0
  readonly faults: Fault[] = []
  private readonly task: PropagationTask
  private connection: HttpConnection | undefined

  constructor(task: PropagationTask) {
    this.task = task
  }

  async open(): Promise<void> {
    this.connection = await HttpConnection.open(this.task.watchedPort)
  }

  /** Resolves once every write decides, or is given up. */
  async watch(writes: Write[]): Promise<void> {
    let done = 0
    while (done < writes.length) {
      await pause()
      const waiting = writes.slice(done).filter(({ requested, effective }) => requested > 0 && effective === 0)
      if (waiting.length === 0) continue
      const answers = await this.ask(waiting.map(({ user }) => user))
      const now = performance.now()
      for (const [place, write] of waiting.entries()) {
        if (answers[place] === write.allowed) write.effective = now
        else if (write.answered > 0 && now > write.answered + PATIENCE_MS) this.giveUp(write)
      }
      while (done < writes.length && at(writes, done).effective !== 0) done += 1
    }
  }

  close(): void {
    this.connection?.close()
  }

  private giveUp(write: Write): void {
    write.effective = -1
    const change = write.allowed ? 'a grant to' : 'the removal of the grant to'
    this.faults.push({ where: 'another replica', fault: `${change} user ${write.user} never decided there` })
  }

  private async ask(users: number[]): Promise<boolean[]> {
    const { project, serviceKey } = this.task
    const body = { project, permission: PERMISSION, checks: users.map((user) => ({ user })) }
    const text = requestText('POST', '/checks', body, { Authorization: `Bearer ${serviceKey}` })
    const answer = await this.connection?.exchange(Buffer.from(text))
    this.polls += 1
    if (answer?.status !== 200) throw new Error(`/checks answered ${answer?.status}: ${answer?.body}`)
    return JSON.parse(answer.body).results.map(({ allowed }: { allowed: boolean }) => allowed)
  }
}
