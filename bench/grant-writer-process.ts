/** The process of {@link GrantWriter}. */
import pg from 'pg'
import { PERMISSIONS } from '../src/decision/policy-state.ts'
import type { WriteOrder, WriterOrder, Written } from './grant-writer.ts'
import { cpuSecondsOf, nameOfProcess } from './process-figures.ts'
import { at } from './random.ts'

/** Several, so that a writer need not wait for the one before it; where these cannot keep up, fewer are written. */
const CONNECTIONS = 4
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
      process.send?.({ result: await writing.begin() })
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

  async begin(): Promise<object> {
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
    return {}
  }

  async end(): Promise<Written> {
    this.over = true
    await this.loop
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

  /** Each connection writes the next one that is due, when it has written the one before. */
  private async keepWriting(): Promise<void> {
    let issued = 0
    const due = () => ((performance.now() - this.begun) / 1000) * this.order.grantsASecond
    const isOver = () => this.over || this.failure !== undefined
    await Promise.all(
      this.connections.map(async (connection) => {
        while (!isOver()) {
          if (issued >= due()) {
            await new Promise((resolve) => setTimeout(resolve, 1))
          } else {
            issued += 1
            await this.write(connection)
          }
        }
      }),
    )
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
