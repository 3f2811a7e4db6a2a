import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { DomainError } from '../errors.ts'
import { type Caller, type CallerOf, isSiteAdministrator } from '../http/authenticate.ts'
import { readJson } from '../http/json-body.ts'
import { CHECKS_BODY_LIMIT } from '../http/limits.ts'
import { viaOfOwnQuestion } from '../http/own-question.ts'
import { bodyReadBefore, type PlainRoute } from '../http/plain-requests.ts'
import { schemaChecks } from '../http/schema-check.ts'
import { CheckAnswer, CheckBody, CheckQuery, ChecksAnswer, ChecksBody, MAX_OBJECTS_IN_BATCH } from './check-schemas.ts'
import { type CheckRequest, decide, userOf } from './decide.ts'
import { explain } from './explain.ts'
import { toldToOneself } from './own-explanation.ts'
import type { ReasonCode } from './reasons.ts'
import type { Snapshot } from './snapshot.ts'
import type { SnapshotKeeper } from './snapshot-keeper.ts'

/** `decided` is told the reason of every decision; `now` gives epoch milliseconds. */
export type CheckRoutesOptions = { keeper: SnapshotKeeper; decided: (reason: ReasonCode) => void; now: () => number }

/** The two results of a check in a batch. */
const ALLOWED = Object.freeze({ allowed: true })
const DENIED = Object.freeze({ allowed: false })

/** `POST /check` and `POST /checks`: one instant and one snapshot a request, taken once. */
export const checkRoutes: FastifyPluginCallbackTypebox<CheckRoutesOptions> = (app, options, done) => {
  const { keeper, decided, now } = options
  app.post(
    '/check',
    {
      config: { access: { scope: 'check' }, problems: ['revision-not-reached', 'via-mismatch'] },
      preParsing: bodyReadBefore,
      schema: {
        operationId: 'check',
        summary: 'May this user do this, in this project, to this object?',
        tags: ['check'],
        querystring: CheckQuery,
        body: CheckBody,
        response: { 200: CheckAnswer },
      },
    },
    ({ body, query, caller }) => {
      refuseMisplacedObjects(body, '')
      if (caller.user !== null) fixVia(caller, body, keeper.snapshot(), '')
      const answer = (snapshot: Snapshot) => {
        if (query.explain === true) {
          const explanation = explain(snapshot, body, now())
          decided(explanation.reason.code)
          return caller.user === null || isSiteAdministrator(caller) ? explanation : toldToOneself(explanation)
        }
        const { allowed, reason } = decide(snapshot, body, now())
        decided(reason)
        return { allowed, revision: snapshot.revision }
      }
      return answeredAt(keeper, body.atLeastRevision, answer)
    },
  )
  app.post(
    '/checks',
    {
      bodyLimit: CHECKS_BODY_LIMIT,
      config: { access: { scope: 'check' }, problems: ['revision-not-reached', 'via-mismatch'], batch: true },
      schema: {
        operationId: 'checkMany',
        summary: 'Up to 10,000 checks at once, decided from one revision',
        tags: ['check'],
        body: ChecksBody,
        response: { 200: ChecksAnswer },
      },
    },
    ({ body, caller }) => {
      const requests = requestsOf(body)
      if (caller.user !== null) {
        for (const [at, request] of requests.entries()) fixVia(caller, request, keeper.snapshot(), `/checks/${at}`)
      }
      return answeredAt(keeper, body.atLeastRevision, (snapshot) => {
        const instant = now()
        const results = requests.map((request) => {
          const { allowed, reason } = decide(snapshot, request, instant)
          decided(reason)
          return allowed ? ALLOWED : DENIED
        })
        return { revision: snapshot.revision, results }
      })
    },
  )
  done()
}

/**
 * Answers a plain check by a service key before the framework sees it; whatever else it is, or may be wrong with it, is
 * for the route `/check`.
 */
export function plainCheck({ keeper, decided, now }: CheckRoutesOptions, callerOf: CallerOf): PlainRoute['answer'] {
  const { accepts } = schemaChecks()(CheckBody)
  return (bytes, authorization) => {
    const caller = callerOf(authorization)
    if (caller.user !== null || !caller.scopes.has('check')) return undefined
    const body = readJson(bytes, { asking: true, batch: false }) as CheckBody
    if (!accepts(body)) return undefined
    refuseMisplacedObjects(body, '')
    const snapshot = snapshotAt(keeper, body.atLeastRevision)
    if (snapshot === undefined) return undefined
    const { allowed, reason } = decide(snapshot, body, now())
    decided(reason)
    return `{"allowed":${allowed},"revision":${snapshot.revision}}`
  }
}

/** Answers at once where the snapshot has the revision already, which is how nearly every check is answered. */
function answeredAt<Answer>(
  keeper: SnapshotKeeper,
  revision: number | undefined,
  answer: (snapshot: Snapshot) => Answer,
): Answer | Promise<Answer> {
  const snapshot = snapshotAt(keeper, revision)
  if (snapshot !== undefined) return answer(snapshot)
  return keeper.atLeast(revision as number).then(answer)
}

function snapshotAt(keeper: SnapshotKeeper, revision: number | undefined): Snapshot | undefined {
  return revision === undefined ? keeper.snapshot() : keeper.snapshotWith(revision)
}

/** The checks of a batch with the defaults filled in. */
function requestsOf({ checks, ...defaults }: ChecksBody): CheckRequest[] {
  let objects = 0
  return checks.map((check, index) => {
    const request = requestOf(check, defaults)
    for (const field of ['user', 'project', 'permission'] as const) {
      if (request[field] === undefined)
        throw faultIn(`/checks/${index}/${field}`, 'is missing, and there is no default')
    }
    if (request.object !== undefined || request.objects !== undefined) {
      refuseMisplacedObjects(request, `/checks/${index}`)
      objects += request.objects?.length ?? 0
    }
    if (objects > MAX_OBJECTS_IN_BATCH) {
      throw faultIn(`/checks/${index}/objects`, `a batch may hold at most ${MAX_OBJECTS_IN_BATCH} objects altogether`)
    }
    return request
  })
}

type Question = ChecksBody['checks'][number]

/**
 * One check of a batch: its own fields, or else the default's; its own object or objects stand in place of both.
 *
 * WHY field by field: spreading two objects of ever other shapes took longer than deciding.
 */
function requestOf(check: Question, defaults: Question): CheckRequest {
  const { object, objects } = check.object === undefined && check.objects === undefined ? defaults : check
  return {
    user: check.user === undefined ? defaults.user : check.user,
    project: check.project ?? defaults.project,
    permission: check.permission ?? defaults.permission,
    object,
    objects,
    via: check.via ?? defaults.via,
  } as CheckRequest
}

/** A user in person asks about themselves, and comes as their credential says. */
function fixVia(caller: Caller, request: CheckRequest, snapshot: Snapshot, at: string): void {
  request.via = viaOfOwnQuestion(caller, userOf(snapshot, request.user)?.id, request.via, `${at}/via`)
}

function refuseMisplacedObjects({ object, objects, permission }: CheckRequest, at: string): void {
  if (object === undefined && objects === undefined) return
  const field = objects === undefined ? 'object' : 'objects'
  if (object !== undefined && objects !== undefined) throw faultIn(`${at}/objects`, 'stands beside `object`; send one')
  if (permission !== 'can_annotate') throw faultIn(`${at}/${field}`, 'goes with the permission can_annotate only')
}

function faultIn(pointer: string, detail: string): DomainError {
  return new DomainError('invalid-request', 'the check is not one', { faults: [{ pointer, detail }] })
}
