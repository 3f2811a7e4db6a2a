import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compiled } from './compiled.ts'
import { type BenchServer, benchServer } from './database.ts'
import { Findings } from './findings.ts'
import { GrantWriter } from './grant-writer.ts'
import { LoadDriver } from './load-driver.ts'
import { loadOf } from './loads.ts'
import type { Load } from './peer.ts'
import { startGatehouse } from './peers/gatehouse.ts'
import type { Options, Plan } from './plan.ts'
import type { ServerProcess } from './server-process.ts'

const NO_POLICY = { users: [], groups: [], projects: [], memberships: [], grants: [], serviceKeys: [] }

/** The service on a database that was filled with one load. */
export type Service = { load: Load; databaseUrl: string; server: ServerProcess }

/** What the parts of a run share: what was started for them, and what they found. */
export class Stage {
  readonly plan: Plan
  readonly findings = new Findings()
  readonly loads: Load[] = []
  readonly services: Service[] = []
  /** Times in the load count at this instant, epoch milliseconds. */
  readonly instant = Date.now()
  readonly progress: (text: string) => void
  private readonly databaseUrl: string | undefined
  private readonly endings: (() => unknown)[] = []
  private opened: { database: BenchServer; dataDir: string; serviceKey: string } | undefined
  private driving: LoadDriver | undefined
  private writing: GrantWriter | undefined
  private readonly emptyDatabases = new Map<string, Promise<string>>()

  constructor({ plan, databaseUrl }: Pick<Options, 'plan' | 'databaseUrl'>, progress: (text: string) => void) {
    this.plan = plan
    this.databaseUrl = databaseUrl
    this.progress = progress
  }

  /** Makes ready where databases and services can be made. */
  async open(): Promise<void> {
    const { newServiceKey } = await compiled<typeof import('../src/session/service-key.ts')>('session/service-key.ts')
    const database = await benchServer(this.databaseUrl)
    this.endings.push(() => database.close())
    const dataDir = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'))
    this.endings.push(() => rmSync(dataDir, { recursive: true, force: true }))
    this.opened = { database, dataDir, serviceKey: newServiceKey() }
  }

  /** What every service takes for `check`, `admin` and `metrics`. */
  get serviceKey(): string {
    return this.atHand().serviceKey
  }

  /** The process that makes load on HTTP servers; one at a time. */
  get driver(): LoadDriver {
    if (!this.driving) {
      const driver = new LoadDriver()
      this.endings.push(() => driver.stop())
      this.driving = driver
    }
    return this.driving
  }

  /** The process that writes grants; one for the run, because it knows what it has written already. */
  get writer(): GrantWriter {
    if (!this.writing) {
      const writer = new GrantWriter()
      this.endings.push(() => writer.stop())
      this.writing = writer
    }
    return this.writing
  }

  /** The service with the most grants; what does not depend on the size is measured there. */
  get largest(): Service {
    const [first, ...rest] = this.services
    if (!first) throw new Error('no service has been started')
    return rest.reduce((most, service) => (service.load.grants > most.load.grants ? service : most), first)
  }

  /** The load of a size, and a database that holds it, by its URL. */
  async filled(grants: number): Promise<{ load: Load; databaseUrl: string }> {
    const load = loadOf(grants, this.plan.questions, this.plan.seed, this.instant)
    this.loads.push(load)
    const { database, serviceKey } = this.atHand()
    return { load, databaseUrl: await database.filled(`of_${grants}`, load.tables, serviceKey) }
  }

  /** URL of a database that has the schema and no policy, one for each purpose. */
  emptyDatabase(purpose: string): Promise<string> {
    const { database, serviceKey } = this.atHand()
    const made = this.emptyDatabases.get(purpose) ?? database.filled(purpose, NO_POLICY, serviceKey)
    this.emptyDatabases.set(purpose, made)
    return made
  }

  /** Starts the service on a database; it ends with the run, if not before. */
  startService(databaseUrl: string): Promise<ServerProcess> {
    const { dataDir } = this.atHand()
    return this.kept(startGatehouse(databaseUrl, dataDir))
  }

  /** Sees to it that a server ends with the run. */
  async kept(starting: Promise<ServerProcess>): Promise<ServerProcess> {
    const server = await starting
    this.endings.push(() => server.stop())
    return server
  }

  /** Puts away what was started, the last first. */
  async end(): Promise<void> {
    for (const ending of this.endings.splice(0).reverse()) await ending()
  }

  private atHand() {
    if (!this.opened) throw new Error('the stage is not open')
    return this.opened
  }
}
