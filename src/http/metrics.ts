import { performance } from 'node:perf_hooks'
import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import type { FastifyInstance, RouteOptions } from 'fastify'
import { collectDefaultMetrics, type Metric, Registry } from 'prom-client'
import { Type } from 'typebox'
import { joinedFigures, type Peers } from './metrics-of-workers.ts'

/** Upper bounds in seconds: a check takes less than a millisecond, an import of grants up to seconds. */
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

type Labels = Record<string, string | number>
type Sample = { labels: Labels; value: number; metricName?: string }
/** What the snapshot says of itself when the metrics are asked for; undefined while there is none. */
export type PolicyFigures = { revision: number; ageSeconds: number; rows: Record<string, number> }

/** How many mails wait and how many failed. */
export type MailFigures = { queued: number; failed: number }

/**
 * Counts in plain numbers and names them only when somebody asks: prom-client's own counters look their labels up each
 * time, which a check would feel.
 */
export class Metrics {
  readonly registry = new Registry()
  /** Called for each decision with its reason (`allowed` for an allow). */
  readonly decisions = new DecisionTally()
  readonly #routes = new Map<string, RouteTally>()

  /** Where `mails` fails, the database is away, and its figures are left out. Every figure bears the worker's number. */
  constructor(policy: () => PolicyFigures | undefined, mails: () => Promise<MailFigures>, worker?: number) {
    if (worker !== undefined) this.registry.setDefaultLabels({ worker: String(worker) })
    collectDefaultMetrics({ register: this.registry })
    this.#add('counter', 'gatehouse_decisions_total', 'Decisions made', () => this.decisions.samples())
    this.#add('counter', 'gatehouse_http_requests_total', 'Requests answered', () =>
      [...this.#routes.values()].flatMap((route) => route.countSamples()),
    )
    this.#add('histogram', 'gatehouse_http_request_duration_seconds', 'From request to answer', () =>
      [...this.#routes.values()].flatMap((route) => route.durationSamples()),
    )
    const figure = (name: string, help: string, value: (figures: PolicyFigures) => Sample[]) =>
      this.#add('gauge', name, help, () => {
        const figures = policy()
        return figures === undefined ? [] : value(figures)
      })
    figure('gatehouse_snapshot_revision', 'Policy revision that checks are answered from', ({ revision }) => [
      { labels: {}, value: revision },
    ])
    figure('gatehouse_snapshot_age_seconds', 'Since that policy was last known to be the newest', ({ ageSeconds }) => [
      { labels: {}, value: ageSeconds },
    ])
    figure('gatehouse_policy_rows', 'Rows of policy in memory', ({ rows }) =>
      Object.entries(rows).map(([kind, value]) => ({ labels: { kind }, value })),
    )
    this.#add('gauge', 'gatehouse_mails', 'Mails in the outbox that wait or failed', async () => {
      const figures = await mails().catch(() => ({}))
      return Object.entries(figures).map(([state, value]) => ({ labels: { state }, value }))
    })
  }

  /** Where the answers of one route are counted. */
  route(method: string, route: string): RouteTally {
    const name = `${method} ${route}`
    const tally = this.#routes.get(name) ?? new RouteTally({ method, route })
    this.#routes.set(name, tally)
    return tally
  }

  #add(
    type: 'counter' | 'gauge' | 'histogram',
    name: string,
    help: string,
    values: () => Sample[] | Promise<Sample[]>,
  ): void {
    const metric = { name, help, get: async () => ({ name, help, type, values: await values(), aggregator: 'sum' }) }
    this.registry.registerMetric(metric as unknown as Metric)
  }
}

/** Decisions by their reason. */
export class DecisionTally {
  readonly #counts = new Map<string, { value: number }>()

  /** One decision was made with this reason. */
  counted(reason: string): void {
    const count = this.#counts.get(reason)
    if (count === undefined) this.#counts.set(reason, { value: 1 })
    else count.value += 1
  }

  samples(): Sample[] {
    return [...this.#counts].map(([reason, { value }]) => ({
      labels: { outcome: reason === 'allowed' ? 'allow' : 'deny', reason },
      value,
    }))
  }
}

/** Answers of one route by status, and how long they took. */
export class RouteTally {
  readonly #labels: Labels
  readonly #byStatus = new Map<number, { value: number }>()
  readonly #buckets = new Float64Array(BUCKETS.length + 1)
  #sum = 0

  constructor(labels: Labels) {
    this.#labels = labels
  }

  /** One answer with this status, after this many seconds. */
  answered(status: number, seconds: number): void {
    const count = this.#byStatus.get(status)
    if (count === undefined) this.#byStatus.set(status, { value: 1 })
    else count.value += 1
    let bucket = 0
    while (bucket < BUCKETS.length && seconds > (BUCKETS[bucket] ?? 0)) bucket++
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1
    this.#sum += seconds
  }

  countSamples(): Sample[] {
    return [...this.#byStatus].map(([status, { value }]) => ({ labels: { ...this.#labels, status }, value }))
  }

  durationSamples(): Sample[] {
    if (this.#byStatus.size === 0) return []
    const name = 'gatehouse_http_request_duration_seconds'
    let below = 0
    const buckets = [...this.#buckets].map((count, bucket) => {
      below += count
      return { labels: { ...this.#labels, le: BUCKETS[bucket] ?? '+Inf' }, value: below, metricName: `${name}_bucket` }
    })
    return [
      ...buckets,
      { labels: this.#labels, value: this.#sum, metricName: `${name}_sum` },
      { labels: this.#labels, value: below, metricName: `${name}_count` },
    ]
  }
}

declare module 'fastify' {
  interface FastifyRequest {
    /** When its headers had arrived; monotonic milliseconds. */
    receivedAt: number
  }
}

/** Notes when each request arrived. */
export function timeRequests(app: FastifyInstance): void {
  app.decorateRequest('receivedAt', 0)
  app.addHook('onRequest', (request, _reply, done) => {
    request.receivedAt = performance.now()
    done()
  })
}

/**
 * Counts and times the answers of every route that is registered from here on, until they are handed to the socket:
 * waiting for them to be written would cost a check as much as deciding it.
 */
export function measureRoutes(app: FastifyInstance, metrics: Metrics): void {
  app.addHook('onRoute', (route: RouteOptions) => {
    const tally = metrics.route([route.method].flat().join(','), route.url)
    const measured: RouteOptions['onSend'] = (request, reply, payload, done) => {
      tally.answered(reply.statusCode, (performance.now() - request.receivedAt) / 1000)
      done(null, payload)
    }
    route.onSend = [measured, ...[route.onSend ?? []].flat()]
  })
}

type MetricsRoutesOptions = { metrics: Metrics; peers?: Peers | undefined }

/**
 * `GET /metrics` in the text format of Prometheus, for callers with the scope `metrics`; where several processes share
 * the port, the figures of all of them, whichever is asked.
 */
export const metricsRoutes: FastifyPluginCallbackTypebox<MetricsRoutesOptions> = (app, { metrics, peers }, done) => {
  peers?.answer(() => metrics.registry.metrics())
  app.get(
    '/metrics',
    {
      config: { access: { scope: 'metrics' } },
      schema: {
        operationId: 'getMetrics',
        summary: 'Figures for Prometheus, of all processes that share the port',
        tags: ['operation'],
        response: {
          200: { description: 'Prometheus text format', content: { 'text/plain': { schema: Type.String() } } },
        },
      },
    },
    async (_request, reply) => {
      reply.type(metrics.registry.contentType)
      return peers === undefined ? metrics.registry.metrics() : joinedFigures(await peers.ask())
    },
  )
  done()
}
