/** The process that makes the load, apart from servers and from the report. Takes {@link LoadOrder}s, sends back. */
import { HttpConnection } from './http-connection.ts'
import type { AnswerShape, Expectation, LoadOrder, Round } from './http-load.ts'
import { cpuSecondsOf } from './process-figures.ts'
import { at } from './random.ts'

type Prepared = {
  port: number
  pid: number
  shape: AnswerShape
  requests: Buffer[]
  expected: Expectation[]
  next: number
}
const prepared = new Map<string, Prepared>()

process.on('message', async (order: LoadOrder) => {
  try {
    if (order.kind === 'run') process.send?.({ round: await run(order) })
    else process.send?.({ prepared: prepare(order) })
  } catch (cause) {
    process.send?.({ failed: String(cause) })
  }
})

function prepare({ name, port, pid, shape, exchanges }: LoadOrder & { kind: 'prepare' }): string {
  const requests = exchanges.map(({ text }) => Buffer.from(text))
  prepared.set(name, { port, pid, shape, requests, expected: exchanges.map(({ expected }) => expected), next: 0 })
  return name
}

async function run({ name, connections, seconds }: LoadOrder & { kind: 'run' }): Promise<Round> {
  const load = prepared.get(name)
  if (!load) throw new Error(`nothing is prepared for ${name}`)
  const open = await Promise.all(Array.from({ length: connections }, () => HttpConnection.open(load.port)))
  const watch = new Watch()
  await Promise.all(open.map((connection) => ask(connection, load, watch)))
  watch.start()
  const [serverCpu, loadCpu, begun] = [cpuSecondsOf(load.pid), process.cpuUsage(), performance.now()]
  let left = seconds === 'each once' ? load.requests.length : Number.POSITIVE_INFINITY
  const until = seconds === 'each once' ? Number.POSITIVE_INFINITY : begun + seconds * 1000
  await Promise.all(
    open.map(async (connection) => {
      while (left > 0 && performance.now() < until) {
        left -= 1
        await ask(connection, load, watch)
      }
    }),
  )
  const ended = performance.now()
  const [serverCpuEnd, used] = [cpuSecondsOf(load.pid), process.cpuUsage(loadCpu)]
  for (const connection of open) connection.close()
  return {
    ...watch.figures(),
    seconds: (ended - begun) / 1000,
    serverCpuSeconds: serverCpuEnd - serverCpu,
    loadCpuSeconds: (used.user + used.system) / 1e6,
  }
}

async function ask(connection: HttpConnection, load: Prepared, watch: Watch): Promise<void> {
  const place = load.next
  load.next = (place + 1) % load.requests.length
  const expected = at(load.expected, place)
  const sent = performance.now()
  const { status, body } = await connection.exchange(at(load.requests, place))
  watch.took(performance.now() - sent)
  const fault = faultOf(load.shape, status, body, expected)
  if (fault)
    watch.wrong(`${fault}\n  request ${at(load.requests, place).toString().split('\r\n\r\n')[1]?.slice(0, 400)}`)
}

/** Says what is wrong with an answer, or nothing. */
function faultOf(shape: AnswerShape, status: number, body: string, expected: Expectation): string | undefined {
  if (status !== 200) return `answered ${status}: ${body.slice(0, 300)}`
  if (expected === 'any') return
  const found = decisionIn(shape, JSON.parse(body))
  const [answers, right] = [[found].flat(), [expected].flat()]
  if (answers.length !== right.length) return `answered ${answers.length} checks, not ${right.length}`
  const place = right.findIndex((allowed, index) => answers[index] !== allowed)
  if (place >= 0)
    return `answered ${answers[place]}, not ${right[place]}${right.length > 1 ? `, to check ${place}` : ''}`
}

type Answered = { allowed: boolean; results: { allowed: boolean; actions: Record<string, string> }[] }

function decisionIn(shape: AnswerShape, body: Answered): boolean | boolean[] {
  if (shape === 'gatehouse') return body.allowed
  if (shape === 'gatehouse-batch') return body.results.map(({ allowed }) => allowed)
  return Object.values(at(body.results, 0).actions).every((effect) => effect === 'EFFECT_ALLOW')
}

class Watch {
  private milliseconds: number[] = []
  private readonly faults: string[] = []
  private wrongAnswers = 0

  /** Forgets the times so far; a wrong answer is never forgotten. */
  start(): void {
    this.milliseconds = []
  }

  took(milliseconds: number): void {
    this.milliseconds.push(milliseconds)
  }

  wrong(fault: string): void {
    this.wrongAnswers += 1
    if (this.faults.length < 5) this.faults.push(fault)
  }

  figures() {
    const sorted = Float64Array.from(this.milliseconds).sort()
    const quantile = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN
    return {
      requests: sorted.length,
      latency: { p50: quantile(0.5), p99: quantile(0.99) },
      wrong: this.wrongAnswers,
      faults: this.faults,
    }
  }
}
