import t from 'tap'
import type { CheckRequest } from '../../src/decision/decide.ts'
import { decide } from '../../src/decision/decide.ts'
import { explain } from '../../src/decision/explain.ts'
import { type GrantState, PERMISSIONS, type Permission, type PolicyTables } from '../../src/decision/policy-state.ts'
import { REASON_CODES } from '../../src/decision/reasons.ts'
import { snapshotOf } from '../../src/decision/snapshot.ts'
import { modelOf, policyAsShipped } from './policy-as-shipped.ts'
import { Chance, INSTANT, randomRequest, randomTables } from './random-world.ts'

const model = modelOf(policyAsShipped())
const person = { isActive: true, isSuperuser: false, isAnonymous: false, generalPermissions: [], isDeleted: false }

const grant = (
  id: number,
  to: { userId?: number; groupId?: number },
  permission: Permission,
  more = {},
): GrantState => ({
  id,
  userId: null,
  groupId: null,
  projectId: 3,
  permission,
  effect: 'allow',
  validFrom: null,
  validUntil: null,
  ...to,
  ...more,
})

const LABORATORY: PolicyTables = {
  users: [
    { ...person, id: 1, username: 'anonymous', isAnonymous: true },
    { ...person, id: 2, username: 'alice' },
    { ...person, id: 3, username: 'bob' },
    { ...person, id: 4, username: 'carol' },
    { ...person, id: 5, username: 'idle', isActive: false },
    { ...person, id: 6, username: 'gone', isActive: false, isDeleted: true },
    { ...person, id: 7, username: 'root', isSuperuser: true },
    { ...person, id: 8, username: 'dora' },
  ],
  groups: [
    { id: 1, name: 'tracers' },
    { id: 2, name: 'bob' },
    { id: 3, name: 'guests' },
  ],
  projects: [
    { id: 3, title: 'Fly brain' },
    { id: 4, title: 'Mouse' },
  ],
  memberships: [
    { id: 1, userId: 2, groupId: 1, projectId: null },
    { id: 2, userId: 8, groupId: 1, projectId: 4 },
    { id: 3, userId: 4, groupId: 1, projectId: null },
    { id: 4, userId: 4, groupId: 2, projectId: null },
    { id: 5, userId: 2, groupId: 3, projectId: null },
  ],
  grants: [
    grant(11, { groupId: 1 }, 'can_annotate'),
    grant(12, { userId: 3 }, 'can_administer'),
    grant(13, { userId: 4 }, 'can_annotate_with_token'),
    grant(14, { groupId: 3 }, 'can_fork', { effect: 'deny' }),
    grant(15, { userId: 8 }, 'can_browse', { validUntil: INSTANT }),
    grant(16, { userId: 8 }, 'can_import', { validFrom: INSTANT + 1000 }),
  ],
  serviceKeys: [],
}
const snapshot = snapshotOf(model, LABORATORY, 42)
const told = (request: CheckRequest) => explain(snapshot, request, INSTANT)
const annotate = (user: string, more: Partial<CheckRequest> = {}) => ({
  user,
  project: 3,
  permission: 'can_annotate',
  ...more,
})

const SENTENCES: [CheckRequest, string][] = [
  [annotate('alice'), 'alice may annotate in project 3 through group `tracers` (grant 11)'],
  [annotate('bob'), 'bob may annotate in project 3 by grant 12 of can_administer'],
  [annotate('root'), 'root may annotate in project 3 as superuser'],
  [
    annotate('carol', { via: 'token' }),
    'carol may annotate in project 3 through group `tracers` (grant 11), and may write by token there by grant 13',
  ],
  [
    annotate('alice', { object: { creator: 'alice' } }),
    'alice may annotate in project 3 through group `tracers` (grant 11), and created this object',
  ],
  [
    annotate('carol', { object: { creator: 'bob' } }),
    'carol may annotate in project 3 through group `tracers` (grant 11), and is in group `bob`, and bob created this object',
  ],
  [
    annotate('carol', { object: { creator: 'ghost', importer: 'bob' } }),
    'carol may annotate in project 3 through group `tracers` (grant 11), and is in group `bob`, and bob imported this object',
  ],
  [
    annotate('alice', { object: { creator: 'bob' } }),
    'alice may annotate in project 3 through group `tracers` (grant 11), but bob created this object and alice is not in group `bob`',
  ],
  [
    annotate('alice', { object: { creator: 'bob', importer: 'carol' } }),
    'alice may annotate in project 3 through group `tracers` (grant 11), but bob created this object and alice is not in group `bob`, carol imported this object and there is no group `carol`',
  ],
  [
    annotate('alice', { object: { creator: 'ghost' } }),
    'alice may annotate in project 3 through group `tracers` (grant 11), but nobody knows `ghost`, who created this object',
  ],
  [
    annotate('alice', { objects: [{ creator: 'alice' }, { creator: 'bob' }] }),
    'alice may annotate in project 3 through group `tracers` (grant 11), but bob created this object and alice is not in group `bob` (object 2 of 2)',
  ],
  [
    annotate('alice', { via: 'token' }),
    'alice may annotate in project 3 through group `tracers` (grant 11), but not by token: no grant of can_annotate_with_token counts there; alice holds can_annotate here',
  ],
  [
    { user: 'alice', project: 3, permission: 'can_fork' },
    'alice is refused can_fork in project 3 through group `guests` (grant 14)',
  ],
  [
    annotate('dora'),
    'dora may not annotate in project 3: no grant of can_annotate counts there; dora is in group `tracers`, which has can_annotate here, but only in project 4',
  ],
  [
    { user: 'dora', project: 3, permission: 'can_browse' },
    `dora may not browse project 3: no grant of can_browse counts there; grant 15 of can_browse to dora ended at ${new Date(INSTANT).toISOString()}`,
  ],
  [
    { user: 'dora', project: 3, permission: 'can_import' },
    `dora may not import into project 3: no grant of can_import counts there; grant 16 of can_import to dora begins at ${new Date(INSTANT + 1000).toISOString()}`,
  ],
  [
    annotate('root', { user: 3, permission: 'can_annotate_with_token' }),
    'bob may not write by token in project 3: no grant of can_annotate_with_token counts there; bob holds can_administer here',
  ],
  [annotate('zoe'), 'there is no user `zoe`'],
  [annotate('idle'), 'the account idle is not active'],
  [annotate('gone'), 'the account gone was deleted'],
  [annotate('alice', { project: 99 }), 'there is no project 99'],
  [annotate('alice', { permission: 'fly' }), `\`fly\` is not a permission; permissions are ${PERMISSIONS.join(', ')}`],
  [
    { user: null, project: 3, permission: 'can_browse' },
    'anonymous is the anonymous user, whose settings lack the general permission can_browse',
  ],
  [
    { user: null, project: 3, permission: 'can_browse', via: 'token' },
    'anonymous is the anonymous user, which has no token',
  ],
]

for (const [request, sentence] of SENTENCES) {
  t.test(`explains: ${sentence}`, async (t) => {
    t.equal(told(request).reason.text, sentence)
  })
}

t.test('an explanation names the grants that made the decision, and what an allow would need', async (t) => {
  const principal = { type: 'group' as const, id: 1, name: 'tracers' }
  t.same(told(annotate('alice', { object: { creator: 'bob' } })), {
    allowed: false,
    revision: 42,
    reason: {
      code: 'not_creator_group',
      text: told(annotate('alice', { object: { creator: 'bob' } })).reason.text,
      grants: [{ id: 11, rule: null, principal, permission: 'can_annotate', effect: 'allow' }],
      missing: ['membership in group bob'],
    },
  })
  t.same(
    told(annotate('carol', { via: 'token' })).reason.grants.map(({ id }) => id),
    [11, 13],
  )
  t.same(told(annotate('root')).reason.grants[0]?.rule, 'policies/superusers.csv:4')
  t.same(told({ user: 'alice', project: 3, permission: 'can_fork' }).reason.grants[0]?.id, 14)
})

t.test(
  'an explanation decides as the check does, gives every allow its rules and every denial a sentence',
  async (t) => {
    const chance = new Chance(5)
    const wrong: unknown[] = []
    const seen = new Set<string>()
    for (let world = 0; world < 300; world += 1) {
      const tables = randomTables(chance)
      const random = snapshotOf(model, tables, 1)
      for (let check = 0; check < 20; check += 1) {
        const { request, instant } = randomRequest(chance, tables)
        const decision = decide(random, request, instant)
        const { allowed, reason } = explain(random, request, instant)
        seen.add(reason.code)
        const agrees = allowed === decision.allowed && reason.code === decision.reason
        if (!agrees || reason.text === '' || (allowed && reason.grants.length === 0)) wrong.push({ request, reason })
      }
    }
    t.same(wrong, [])
    t.same([...seen].sort(), REASON_CODES.filter((code) => code !== 'fault').sort(), 'every reason came up')
  },
)

t.test('a fault inside a decision is a denial, and is told', async (t) => {
  const faults: unknown[] = []
  const broken = snapshotOf(model, LABORATORY, 1)
  Object.defineProperty(broken, 'onFault', { value: (cause: unknown) => faults.push(cause) })
  Object.defineProperty(broken, 'grants', { get: () => undefined })
  t.same(decide(broken, annotate('alice'), INSTANT), { allowed: false, reason: 'fault' })
  t.match(explain(broken, annotate('alice'), INSTANT), { allowed: false, reason: { code: 'fault', grants: [] } })
  t.equal(faults.length, 2)
})
