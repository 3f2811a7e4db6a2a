/** The process of {@link GrantWriter}. */
import pg from 'pg'
import { PERMISSIONS } from '../src/decision/policy-state.ts'
import type { WriteOrder, WriterOrder, Written } from './grant-writer.ts'
import { cpuSecondsOf, nameOfProcess } from './process-figures.ts'
import { at } from './random.ts'

/** Several, so that a writer does not wait for the one before it to be committed. */
const CONNECTIONS = 4
/** More than this on their way means that the database cannot keep up; then fewer are written, and counted. */
const MOST_ON_THE_WAY = 100
const LATEST = 1_000
const FAR_AHEAD = Date.UTC(2090, 0)

/** Counts on over all rounds, so that no grant is written twice: times that nobody reaches make each one different. */
let written = 0
/** The project made in each database, by the database's URL. */
const projects = new Map<string, number>()
let writing: Writing | undefined

process.on('message', async (order: WriterOrder) => {
  try {
    if (order.kind === 'begin') {
      writing = new Writing(order.order)
      await writing.begin()
      process.send?.({ result: {} })
    } else {
      process.send?.({ result: await writing?.end() })
    }
  } catch (cause) {
    process.send?.({ failed: String(cause) })
  }
})

class Writing {
  private readonly order: WriteOrder
  private readonly connections: pg.Client[]
  private readonly onTheWay = new Set<Promise<unknown>>()
  private readonly inForce: Written['inForce'] = []
  private project = 0
  private begun = 0
  private grants = 0
  private own = process.cpuUsage()
  private databaseCpu = 0
  private over = false
  private failure: unknown
  private loop: Promise<void> = Promise.resolve()

  constructor(order: WriteOrder) {
    this.order = order
    this.connections = Array.from({ length: CONNECTIONS }, () => new pg.Client(order.databaseUrl))
  }

  async begin(): Promise<void> {
    for (const connection of this.connections) await connection.connect()
    this.project = projects.get(this.order.databaseUrl) ?? (await this.createdProject())
    projects.set(this.order.databaseUrl, this.project)
    await Promise.all(this.connections.map((connection) => this.write(connection)))
    if (this.failure) throw this.failure
    this.databaseCpu = await this.databaseCpuSeconds()
    this.own = process.cpuUsage()
    this.begun = performance.now()
    this.grants = 0
    this.loop = this.keepWriting()
  }

  async end(): Promise<Written> {
    this.over = true
    await this.loop
    await Promise.all(this.onTheWay)
    if (this.failure) throw this.failure
    const seconds = (performance.now() - this.begun) / 1000
    const { user, system } = process.cpuUsage(this.own)
    const databaseCpuSeconds = (await this.databaseCpuSeconds()) - this.databaseCpu
    const { rows } = await at(this.connections, 0).query('SELECT revision::int FROM policy_head')
    for (const connection of this.connections) await connection.end()
    return {
      grants: this.grants,
      seconds,
      writerCpuSeconds: (user + system) / 1e6,
      databaseCpuSeconds,
      revision: rows[0].revision,
      inForce: this.inForce.slice(-LATEST),
    }
  }

  private async keepWriting(): Promise<void> {
    let issued = 0
    while (!this.over && !this.failure) {
      const due = ((performance.now() - this.begun) / 1000) * this.order.grantsASecond
      while (issued < due && this.onTheWay.size < MOST_ON_THE_WAY) {
        this.send(at(this.connections, issued % CONNECTIONS))
        issued += 1
      }
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }

  private send(connection: pg.Client): void {
    const sent = this.write(connection).finally(() => this.onTheWay.delete(sent))
    this.onTheWay.add(sent)
  }

  private async write(connection: pg.Client): Promise<void> {
    const { users, askedPairs } = this.order
    const place = written++
    const permission = at(PERMISSIONS, place % PERMISSIONS.length)
    const isOwn = place % 2 === 0 || askedPairs.length === 0
    const user = at(users, place % users.length)
    const [principal, project] = isOwn ? [user, this.project] : at(askedPairs, place % askedPairs.length)
    const unlike = new Date(FAR_AHEAD + place * 1000)
    const times = isOwn ? [null, unlike] : [unlike, null]
    try {
      await connection.query({ name: 'grant', text: INSERT, values: [principal, project, permission, ...times] })
      this.grants += 1
      if (isOwn) this.inForce.push({ user: principal, project, permission })
    } catch (cause) {
      this.failure ??= cause
    }
  }

  private async createdProject(): Promise<number> {
    const { rows } = await at(this.connections, 0).query<{ id: number }>(
      `INSERT INTO projects (title) VALUES ('Written meanwhile') RETURNING id`,
    )
    return at(rows, 0).id
  }

  /** Sessions that ended meanwhile are missed; those of the service's pool and the writers' stay. */
  private async databaseCpuSeconds(): Promise<number> {
    const { rows } = await at(this.connections, 0).query<{ pid: number }>(
      'SELECT pid FROM pg_stat_activity WHERE datname = current_database()',
    )
    const isHere = rows.every(({ pid }) => nameOfProcess(pid).startsWith('postgres'))
    return isHere ? rows.reduce((sum, { pid }) => sum + cpuSecondsOf(pid), 0) : Number.NaN
  }
}

const INSERT = `INSERT INTO grants (user_id, project_id, permission, valid_from, valid_until, granted_by)
  VALUES ($1, $2, $3, $4, $5, 'bench')`
