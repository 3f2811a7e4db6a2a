/** `npm run bench`: measures this service beside its peers, on one machine in one run. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compiled } from './compiled.ts'
import { type BenchServer, benchServer } from './database.ts'
import { measureInProcess } from './in-process.ts'
import { LoadDriver } from './load-driver.ts'
import { loadOf } from './loads.ts'
import type { Fault, Measure } from './measure.ts'
import type { Contender, Load } from './peer.ts'
import { bareContender, startBareRoute } from './peers/bare-route.ts'
import { cerbosContender, startCerbos } from './peers/cerbos.ts'
import { batchContender, gatehouseContender, oneUserContender, startGatehouse } from './peers/gatehouse.ts'
import { type Options, optionsOf, type Plan, USAGE } from './plan.ts'
import { residentBytesOf } from './process-figures.ts'
import { reportOf } from './report.ts'
import { circumstances, keep, type Results } from './results.ts'
import { measureRounds, verify } from './rounds.ts'
import type { ServerProcess } from './server-process.ts'
import { verdictsOf } from './targets.ts'

const NO_POLICY = { users: [], groups: [], projects: [], memberships: [], grants: [], serviceKeys: [] }

/** One run: what it found so far, and what has to be put away when it ends, however it ends. */
class Run {
  readonly measures: Measure[] = []
  readonly faults: Fault[] = []
  readonly loads: Load[] = []
  private readonly plan: Plan
  private readonly databaseUrl: string | undefined
  private readonly instant = Date.now()
  private readonly endings: (() => unknown)[] = []
  private readonly services = new Map<number, ServerProcess>()
  private serviceKey = ''

  constructor({ plan, databaseUrl }: Options) {
    this.plan = plan
    this.databaseUrl = databaseUrl
  }

  /** The engine and node-casbin's, one size after the other. */
  async inProcess(): Promise<void> {
    const { seed, questions, passes, casbinSeconds } = this.plan
    for (const grants of this.plan.sizes) {
      progress(`in process, ${grants} grants`)
      const task = { grants, seed, questions, passes, casbinSeconds, instant: this.instant }
      const { measures, faults } = await measureInProcess(task)
      this.measures.push(...measures)
      this.faults.push(...faults)
    }
  }

  /** Every server under load, in turns. Nothing is measured where an answer is wrong. */
  async overHttp(): Promise<void> {
    const driver = new LoadDriver()
    this.endings.push(() => driver.stop())
    const contenders = [...(await this.startedServices()), ...(await this.peers())]
    progress('asking everything once, comparing answers')
    this.faults.push(...(await verify(driver, contenders)))
    if (this.faults.length > 0) return
    const { measures, faults } = await measureRounds(driver, contenders, this.plan, progress)
    this.measures.push(...measures)
    this.faults.push(...faults)
    for (const [grants, { pid }] of this.services) this.note('memory after the load', grants, 'MB', megabytesOf(pid))
  }

  /** Puts away what was started, the last first. */
  async end(): Promise<void> {
    for (const ending of this.endings.splice(0).reverse()) await ending()
  }

  private async startedServices(): Promise<Contender[]> {
    const { newServiceKey } = await compiled<typeof import('../src/session/service-key.ts')>('session/service-key.ts')
    this.serviceKey = newServiceKey()
    const database = await benchServer(this.databaseUrl)
    this.endings.push(() => database.close())
    const dataDir = mkdtempSync(join(tmpdir(), 'gatehouse-bench-'))
    this.endings.push(() => rmSync(dataDir, { recursive: true, force: true }))
    const empty = await startGatehouse(await database.filled('empty', NO_POLICY, this.serviceKey), dataDir)
    this.endings.push(() => empty.stop())
    const contenders: Contender[] = []
    for (const grants of this.plan.sizes) contenders.push(...(await this.service(database, grants, empty, dataDir)))
    await empty.stop()
    return contenders
  }

  private async service(database: BenchServer, grants: number, empty: ServerProcess, dataDir: string) {
    progress(`filling a database with ${grants} grants`)
    const load = loadOf(grants, this.plan.questions, this.plan.seed, this.instant)
    this.loads.push(load)
    const url = await database.filled(`of_${grants}`, load.tables, this.serviceKey)
    progress(`starting the service on ${grants} grants`)
    const server = await startGatehouse(url, dataDir)
    this.endings.push(() => server.stop())
    this.services.set(grants, server)
    this.note('start to ready', grants, 's', server.readySeconds)
    this.note('memory above the empty service', grants, 'MB', megabytesOf(server.pid) - megabytesOf(empty.pid))
    const single = gatehouseContender(server, load, this.serviceKey)
    if (!this.isLargest(load)) return [single]
    return [single, batchContender(server, load, this.serviceKey), oneUserContender(server, load, this.serviceKey)]
  }

  private async peers(): Promise<Contender[]> {
    progress('starting the peers')
    const [bare, control, cerbos] = [await startBareRoute(), await startBareRoute(), await startCerbos()]
    for (const server of [bare, control, cerbos]) this.endings.push(() => server.stop())
    const largest = this.loads.filter((load) => this.isLargest(load))
    return [
      ...largest.map((load) => bareContender('bare route', bare, load)),
      ...largest.map((load) => bareContender('bare route, control', control, load)),
      ...this.loads.map((load) => cerbosContender(cerbos, load)),
    ]
  }

  /** What does not depend on the size, or is aimed at for the largest only, is measured there. */
  private isLargest({ grants }: Load): boolean {
    return grants === Math.max(...this.plan.sizes)
  }

  private note(what: string, grants: number, unit: string, value: number): void {
    this.measures.push({ what, peer: 'gatehouse', grants, unit, values: [value] })
  }
}

async function main(): Promise<void> {
  const options = optionsOf(process.argv.slice(2))
  const begun = circumstances()
  const run = new Run(options)
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void run.end().then(() => process.exit(1)))
  try {
    await run.inProcess()
    await run.overHttp()
  } finally {
    await run.end()
  }
  const { measures, faults } = run
  const results: Results = {
    format: 1,
    ...begun,
    quick: options.quick,
    plan: options.plan,
    loads: run.loads.map(({ properties }) => properties),
    measures,
    verdicts: verdictsOf(measures, options.plan.sizes),
    faults,
  }
  const path = keep(results)
  console.log(options.json ? JSON.stringify(results, null, 2) : reportOf(results))
  progress(`kept in ${path}`)
  for (const { where, fault } of faults) console.error(`WRONG: ${where}: ${fault}`)
  if (faults.length > 0) process.exitCode = 1
}

function progress(text: string): void {
  process.stderr.write(`${(performance.now() / 1000).toFixed(0).padStart(4)} s  ${text}\n`)
}

const megabytesOf = (pid: number) => residentBytesOf(pid) / 1e6

try {
  await main()
} catch (cause) {
  console.error(cause instanceof Error ? (cause.stack ?? cause.message) : cause)
  if (String((cause as { code?: string }).code).startsWith('ERR_PARSE_ARGS')) console.error(USAGE)
  process.exitCode = 2
}
