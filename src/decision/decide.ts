import { type Evaluation, evaluationOf, type Witness } from './evaluation.ts'
import { ABSENT } from './id-index.ts'
import { NO_OBJECT, type ObjectContext } from './matcher-compiler.ts'
import type { ProjectRecord, UserRecord } from './policy-records.ts'
import { PERMISSIONS, permissionPlace } from './policy-state.ts'
import { DECISIONS, type Decision } from './reasons.ts'
import type { ResolvedRequest } from './resolved-request.ts'
import type { Snapshot } from './snapshot.ts'

/** A user as a request names it: login (exactly), id, or null for the anonymous user. */
export type UserRef = string | number | null
/** An object as a request names it (D9). */
export type ObjectRef = { creator: UserRef; importer?: string | number | undefined }
/** How the user came to the caller. */
export type Via = 'session' | 'token'
/** One check. `object` and `objects` are asked with can_annotate only, one or the other. */
export type CheckRequest = {
  user: UserRef
  project: number
  permission: string
  object?: ObjectRef | undefined
  objects?: readonly ObjectRef[] | undefined
  via?: Via | undefined
}

/**
 * Decides one check by D1 to D9: a pure function of snapshot, request and instant (epoch milliseconds).
 *
 * Never throws: a fault is a denial with the reason `fault`, told to the snapshot's `onFault`.
 */
export function decide(snapshot: Snapshot, request: CheckRequest, instant: number): Decision {
  return decideWitnessed(snapshot, request, instant, null)
}

/** As {@link decide}, telling a witness what the evaluation met; the very same evaluation, for explanations. */
export function decideWitnessed(
  snapshot: Snapshot,
  request: CheckRequest,
  instant: number,
  witness: Witness | null,
): Decision {
  try {
    const user = ordinalOf(snapshot, request.user)
    if (user === ABSENT) return DECISIONS.unknown_user
    return evaluationFor(snapshot).decide(resolve(snapshot, user, request, instant), witness)
  } catch (cause) {
    snapshot.onFault(cause)
    return DECISIONS.fault
  }
}

/** The projects outside of which everything is denied to the user, for lists; null where it may be any project. */
export function projectsWithin(snapshot: Snapshot, user: UserRecord): Iterable<ProjectRecord> | null {
  return evaluationFor(snapshot).projectsWithin(user)
}

/** The user that a request names; undefined when there never was one. */
export function userOf(snapshot: Snapshot, ref: UserRef): UserRecord | undefined {
  const ordinal = ordinalOf(snapshot, ref)
  return ordinal === ABSENT ? undefined : snapshot.users.at(ordinal)
}

/** The same by ordinal, or {@link ABSENT}. */
function ordinalOf({ users }: Snapshot, ref: UserRef): number {
  if (ref === null) return users.anonymous?.ordinal ?? ABSENT
  return typeof ref === 'number' ? users.ordinalOf(ref) : users.ordinalNamed(ref)
}

/** A request of the user of this ordinal, with its project and objects looked up. */
export function resolve(snapshot: Snapshot, user: number, request: CheckRequest, now: number): ResolvedRequest {
  const permission = permissionPlace(request.permission)
  return {
    user,
    projectId: request.project,
    project: snapshot.projectOrdinal(request.project),
    permission,
    // WHY not as it was sent: every comparison then finds the very same text.
    act: PERMISSIONS[permission] ?? request.permission,
    objects: objectsOf(snapshot, request),
    via: request.via ?? 'session',
    now,
  }
}

const WITHOUT_OBJECT: readonly ObjectContext[] = [NO_OBJECT]

function objectsOf(snapshot: Snapshot, { object, objects }: CheckRequest): readonly ObjectContext[] {
  if (objects !== undefined) {
    if (objects.length === 0) throw new Error('a request with objects names at least one')
    return objects.map((ref) => objectContext(snapshot, ref))
  }
  return object === undefined ? WITHOUT_OBJECT : [objectContext(snapshot, object)]
}

function objectContext(snapshot: Snapshot, { creator, importer }: ObjectRef): ObjectContext {
  return {
    given: true,
    creator: ordinalOf(snapshot, creator),
    importer: importer === undefined ? ABSENT : ordinalOf(snapshot, importer),
  }
}

const evaluations = new WeakMap<Snapshot, Evaluation>()
let last: { snapshot: Snapshot; evaluation: Evaluation } | undefined

/**
 * A snapshot's model is compiled once, when the snapshot is first asked.
 *
 * WHY the last one beside the map: a service has one snapshot at a time, and looking it up costs as much as a condition.
 */
function evaluationFor(snapshot: Snapshot): Evaluation {
  if (last?.snapshot === snapshot) return last.evaluation
  const evaluation = evaluations.get(snapshot) ?? evaluationOf(snapshot)
  evaluations.set(snapshot, evaluation)
  last = { snapshot, evaluation }
  return evaluation
}
