import type { CheckRequest } from '../src/decision/decide.ts'
import type { PolicyModel } from '../src/decision/policy-model.ts'
import type { PolicyTables } from '../src/decision/policy-state.ts'
import type { Snapshot } from '../src/decision/snapshot.ts'
import { compiled } from './compiled.ts'
import { type Fault, type Measure, median, quantile } from './measure.ts'
import type { Load } from './peer.ts'
import { at } from './random.ts'

/** The engine as it is shipped, in this process. */
export class EngineFigures {
  readonly measures: Measure[] = []
  readonly faults: Fault[] = []
  private readonly load: Load
  private readonly passes: number
  private snapshot: Snapshot | undefined

  constructor(load: Load, passes: number) {
    this.load = load
    this.passes = passes
  }

  /** Rows in memory become a snapshot; what it holds is what remains after a collection of garbage. */
  async fill(model: PolicyModel): Promise<void> {
    const { snapshotOf } = await compiled<typeof import('../src/decision/snapshot.ts')>('decision/snapshot.ts')
    const before = bytesHeld()
    // A copy of the rows, dropped at once: what the snapshot shares with its rows is its own memory, as in the service.
    let rows: PolicyTables | undefined = structuredClone(this.load.tables)
    const begun = performance.now()
    this.snapshot = snapshotOf(model, rows, 1)
    this.note('snapshot filled', 's', [(performance.now() - begun) / 1000])
    rows = undefined
    this.note('snapshot memory', 'MB', [(bytesHeld() - before) / 1e6])
  }

  /**
   * Each question as the service meets it: parsed the moment before, so that no string has been hashed or seen before.
   * The decisions in a row are of questions that were all parsed beforehand, and have to be fetched from memory again.
   */
  async decide(): Promise<void> {
    const { decide } = await compiled<typeof import('../src/decision/decide.ts')>('decision/decide.ts')
    const { load } = this
    const snapshot = this.filled()
    const texts = load.questions.map(({ check }) => JSON.stringify(check))
    const expected = load.questions.filter((question) => question.expected.allowed).length
    const [medians, slow, rates, clock] = [[], [], [], []] as [number[], number[], number[], number[]]
    for (let pass = 0; pass < this.passes + 2; pass += 1) {
      const micros = new Float64Array(texts.length)
      const empty = new Float64Array(texts.length)
      texts.forEach((text, place) => {
        const request = JSON.parse(text) as CheckRequest
        const begun = performance.now()
        const { allowed } = decide(snapshot, request, load.instant)
        micros[place] = (performance.now() - begun) * 1000
        if (allowed !== at(load.questions, place).expected.allowed) this.wrong(place, allowed)
        const idle = performance.now()
        empty[place] = (performance.now() - idle) * 1000
      })
      const inARow = texts.map((text) => JSON.parse(text) as CheckRequest)
      const begun = performance.now()
      let allowed = 0
      for (const request of inARow) if (decide(snapshot, request, load.instant).allowed) allowed += 1
      const seconds = (performance.now() - begun) / 1000
      if (pass < 2) continue
      medians.push(median(micros))
      slow.push(quantile(micros, 0.99))
      clock.push(median(empty))
      rates.push(inARow.length / seconds)
      if (allowed !== expected)
        this.faults.push({ where: `engine in a row @ ${load.grants}`, fault: `${allowed} allowed` })
    }
    this.note('one decision, median', 'µs', medians)
    this.note('one decision, p99', 'µs', slow)
    this.note('reading the clock, median', 'µs', clock)
    this.note('decisions in a row', '/s', rates)
  }

  /** What D10 asks: the projects that a user sees. Each list is compared with checks one by one, as expected. */
  async list(): Promise<void> {
    const { projectsOf } =
      await compiled<typeof import('../src/decision/reverse-lookups.ts')>('decision/reverse-lookups.ts')
    const { load } = this
    const snapshot = this.filled()
    const users = load.tables.users.filter((_, place) => place % Math.ceil(load.tables.users.length / 300) === 0)
    const millis: number[] = []
    users.forEach(({ id }, place) => {
      const begun = performance.now()
      const found = projectsOf(snapshot, id, 'can_browse', 'session', load.instant)
      millis.push(performance.now() - begun)
      if (place % 60 !== 0) return
      const visible = load.tables.projects.filter(
        (project) => load.answers.of({ user: id, project: project.id, permission: 'can_browse' }).allowed,
      )
      if (found.length !== visible.length) {
        this.faults.push({
          where: `projects of a user @ ${load.grants}`,
          fault: `${found.length} for user ${id}, not ${visible.length}`,
        })
      }
    })
    this.note('projects of a user, median', 'ms', [median(millis)])
    this.note('projects of a user, p99', 'ms', [quantile(millis, 0.99)])
  }

  /** The snapshot made by {@link fill}. */
  filled(): Snapshot {
    if (!this.snapshot) throw new Error('nothing is filled')
    return this.snapshot
  }

  private note(what: string, unit: string, values: number[]): void {
    this.measures.push({ what, peer: 'engine', grants: this.load.grants, unit, values })
  }

  private wrong(place: number, allowed: boolean): void {
    if (this.faults.length >= 5) return
    const { check } = at(this.load.questions, place)
    this.faults.push({ where: `engine @ ${this.load.grants}`, fault: `${allowed} for ${JSON.stringify(check)}` })
  }
}

/** What the process holds on to, on the heap and beside it (array buffers count as external). */
function bytesHeld(): number {
  globalThis.gc?.()
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
