import type { MatchedRule } from './candidates.ts'
import { type CheckRequest, type ObjectRef, type UserRef, userOf } from './decide.ts'
import type { MatcherNode } from './matcher-syntax.ts'
import { nameOf } from './near-misses.ts'
import { UserRecord } from './policy-records.ts'
import type { ReasonCode } from './reasons.ts'
import type { Snapshot } from './snapshot.ts'

/** All that an explanation is told from. */
export type Story = {
  snapshot: Snapshot
  request: CheckRequest
  code: ReasonCode
  userName: string
  /** The rules that matched with the effect that counted, in words. */
  rules: readonly string[]
  /** The rules that let the user write by token (D8), in words. */
  tokenRules: readonly string[]
  /** How each object may be edited, in words. */
  ownership: readonly string[]
  /** Places of the objects that may not be edited. */
  refusedObjects: readonly number[]
  misses: readonly string[]
}

const DEEDS: Record<string, string> = {
  can_administer: 'administer',
  can_annotate: 'annotate in',
  can_browse: 'browse',
  can_import: 'import into',
  can_queue_compute_task: 'queue compute tasks in',
  can_annotate_with_token: 'write by token in',
  can_fork: 'fork',
}
/** A sentence about more objects than this is no longer read. */
const MOST_OBJECTS = 3

/** The sentence that explains a decision, and what an allow would need. */
export function storyText(story: Story): { text: string; missing: string[] } {
  const tell = TELLERS[story.code]
  return tell(story)
}

type Teller = (story: Story) => { text: string; missing: string[] }

const TELLERS: Record<ReasonCode, Teller> = {
  allowed: (story) => {
    const byToken = story.tokenRules.map((rule) => `may write by token there ${rule}`).slice(0, 1)
    return { text: [mayText(story), ...byToken, ...story.ownership].join(', and '), missing: [] }
  },
  unknown_user: ({ request }) => ({
    text: request.user === null ? 'there is no anonymous user' : `there is no user ${quoted(request.user)}`,
    missing: ['an account'],
  }),
  inactive: ({ snapshot, request, userName }) => {
    const isDeleted = userOf(snapshot, request.user)?.isDeleted === true
    return {
      text: isDeleted ? `the account ${userName} was deleted` : `the account ${userName} is not active`,
      missing: isDeleted ? [] : [`activation of the account ${userName}`],
    }
  },
  unknown_project: ({ request }) => ({ text: `there is no project ${request.project}`, missing: [] }),
  unknown_permission: ({ request }) => ({
    text: `${quoted(request.permission)} is not a permission; permissions are ${Object.keys(DEEDS).join(', ')}`,
    missing: [],
  }),
  denied: (story) => ({
    text: `${story.userName} is refused ${story.request.permission} in project ${story.request.project} ${listed(story.rules)}`,
    missing: ['removal of what refuses it'],
  }),
  anonymous_not_admitted: ({ request, userName }) =>
    request.via === 'token'
      ? { text: `${userName} is the anonymous user, which has no token`, missing: [] }
      : {
          text: `${userName} is the anonymous user, whose settings lack the general permission can_browse`,
          missing: [`general permission can_browse for ${userName}`],
        },
  no_grant: (story) =>
    grantMissing(
      story,
      story.request.permission,
      `${story.userName} may not ${deedOf(story)}: no grant of ${story.request.permission} counts there`,
    ),
  token_not_granted: (story) =>
    grantMissing(
      story,
      'can_annotate_with_token',
      `${mayText(story)}, but not by token: no grant of can_annotate_with_token counts there`,
    ),
  unknown_creator: (story) => objectsRefused(story),
  not_creator_group: (story) => objectsRefused(story),
  fault: () => ({ text: 'the decision failed inside the service, so it is a denial; the log says more', missing: [] }),
}

function grantMissing({ userName, request, misses }: Story, permission: string, text: string) {
  return {
    text: [text, ...misses].join('; '),
    missing: [`grant of ${permission} in project ${request.project} to ${userName} or to a group of ${userName}`],
  }
}

function objectsRefused(story: Story): { text: string; missing: string[] } {
  const { snapshot, request, refusedObjects, userName } = story
  const objects = objectsOf(request)
  const told = refusedObjects.slice(0, MOST_OBJECTS).map((index) => {
    const object = objects[index] as ObjectRef
    const { text, missing } = objectRefused(snapshot, request, object, userName)
    return { text: objects.length === 1 ? text : `${text} (object ${index + 1} of ${objects.length})`, missing }
  })
  const more = refusedObjects.length - told.length
  const texts = [...told.map(({ text }) => text), ...(more > 0 ? [`${more} more objects are refused likewise`] : [])]
  return {
    text: `${mayText(story)}, but ${texts.join('; ')}`,
    missing: [...new Set(told.flatMap(({ missing }) => missing))],
  }
}

function objectRefused(snapshot: Snapshot, request: CheckRequest, object: ObjectRef, userName: string) {
  const owners: [string, UserRef][] = [['created', object.creator]]
  if (object.importer !== undefined) owners.push(['imported', object.importer])
  const told = owners.map(([did, ref]) => {
    const owner = userOf(snapshot, ref)
    if (owner === undefined) return { text: `nobody knows ${quoted(ref)}, who ${did} this object`, missing: [] }
    return {
      text: `${owner.username} ${did} this object and ${notInGroup(snapshot, request, owner.username, userName)}`,
      missing: [`membership in group ${owner.username}`],
    }
  })
  return { text: told.map(({ text }) => text).join(', '), missing: told.flatMap(({ missing }) => missing) }
}

function notInGroup(snapshot: Snapshot, request: CheckRequest, group: string, userName: string): string {
  const record = snapshot.groupNamed(group)
  if (record === undefined) return `there is no group \`${group}\``
  const user = userOf(snapshot, request.user)
  const elsewhere = user && snapshot.membershipsOf(user).find((membership) => membership.group === record)
  if (elsewhere !== undefined) return `${userName} is in group \`${group}\` in project ${elsewhere.dom} only`
  return `${userName} is not in group \`${group}\``
}

/** How an alternative of the matcher lets the user edit an object, in words. */
export function ownershipText(snapshot: Snapshot, request: CheckRequest, index: number, path: MatcherNode): string {
  const object = objectsOf(request)[index] as ObjectRef
  const name = path.type === 'call' ? path.name : ''
  const owner = path.type === 'call' ? path.args.find((arg) => arg.type === 'object-field') : undefined
  const isImporter = owner?.type === 'object-field' && owner.name === 'importer'
  const ownerName = userOf(snapshot, isImporter ? (object.importer ?? null) : object.creator)?.username
  const which = objectsOf(request).length === 1 ? 'this object' : `object ${index + 1}`
  if (name === 'superuser') return `superusers edit everybody's objects`
  if (name === 'created') return `created ${which}`
  if (name === 'imported') return `imported ${which}`
  if (name === 'inGroupNamedLike') {
    return `is in group \`${ownerName}\`, and ${ownerName} ${isImporter ? 'imported' : 'created'} ${which}`
  }
  return `a rule of model.conf opens ${which}`
}

function objectsOf({ object, objects }: CheckRequest): readonly ObjectRef[] {
  return objects ?? (object === undefined ? [] : [object])
}

function mayText(story: Story): string {
  return [story.userName, 'may', deedOf(story), ...(story.rules.length === 0 ? [] : [listed(story.rules)])].join(' ')
}

function deedOf({ request }: Story): string {
  return `${DEEDS[request.permission] ?? request.permission} project ${request.project}`
}

/** A matched rule in a person's words: how it gives, or refuses, the permission that was asked for. */
export function ruleText(matched: MatchedRule, asked: string): string {
  if (matched.source === 'file') {
    return matched.rule.sub === 'role:superuser' ? 'as superuser' : `by rule ${matched.rule.place}`
  }
  const { id, principal, permission } = matched
  const grant = permission === asked ? `grant ${id}` : `grant ${id} of ${permission}`
  return principal instanceof UserRecord ? `by ${grant}` : `through ${nameOf(principal)} (${grant})`
}

function listed(rules: readonly string[]): string {
  const shown = rules.slice(0, MOST_OBJECTS)
  return [...shown, ...(rules.length > shown.length ? [`${rules.length - shown.length} more`] : [])].join(' and ')
}

function quoted(value: UserRef): string {
  return value === null ? 'the anonymous user' : typeof value === 'number' ? `with id ${value}` : `\`${value}\``
}
