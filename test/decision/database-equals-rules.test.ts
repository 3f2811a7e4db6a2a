/**
 * Random policies and random changes of them, written to PostgreSQL as a hand in psql would: the snapshot that follows
 * the change feed, the casbin_rule view, and the rules over plain tables give one answer.
 */
import { newModelFromString } from 'casbin'
import t from 'tap'
import type { PolicyChange, PolicyTables } from '../../src/decision/policy-state.ts'
import { SnapshotKeeper } from '../../src/decision/snapshot-keeper.ts'
import { PolicyAdapter } from '../../src/policy/casbin-adapter.ts'
import { PolicySourceStore } from '../../src/policy/policy-source-store.ts'
import { type TestDatabase, testDatabase } from '../harness/database.ts'
import { tableRows } from './casbin-reference.ts'
import { firstDisagreement, randomChecks } from './engine-comparison.ts'
import { modelOf, policyAsShipped } from './policy-as-shipped.ts'
import { Chance, randomChange, randomTables } from './random-world.ts'

/** RANDOM_SEED repeats a run; without it every run tries other policies. */
const SEED = Number(process.env.RANDOM_SEED ?? Date.now() % 2 ** 31)
const WORLDS = 6
const TRANSACTIONS = 12

t.test('policy that changes in the database: feed, view and rules give one answer', async (t) => {
  t.comment(`RANDOM_SEED=${SEED}`)
  const policy = policyAsShipped()
  const model = modelOf(policy)
  const database = await testDatabase(t)
  const log = { info: () => {}, warn: () => {}, error: (details: object) => t.fail('the feed did not fit', details) }
  const keeper = new SnapshotKeeper({ source: new PolicySourceStore(database), model, maxStalenessMs: 600_000, log })
  await keeper.start()
  t.teardown(() => keeper.stop())
  const chance = new Chance(SEED)
  for (let world = 0; world < WORLDS; world++) {
    const tables = randomTables(chance)
    await written(database, [...emptied(), ...changesOf(tables)])
    for (let transaction = 0; transaction < TRANSACTIONS; transaction++) {
      const where = `RANDOM_SEED=${SEED}, policy ${world}, transaction ${transaction}`
      const [head] = await database.query<{ revision: string }>('SELECT revision FROM policy_head')
      const snapshot = await keeper.atLeast(Number(head?.revision))
      const checks = randomChecks(chance, tables, 40)
      const disagreement = await firstDisagreement({ policy, model, tables, snapshot }, checks)
      if (disagreement !== null) return t.fail(`${where}: ${disagreement}`)
      const casbin = newModelFromString(policy.modelText)
      await new PolicyAdapter(database).loadPolicy(casbin)
      const cells = (section: 'p' | 'g') => casbin.model.get(section)?.get(section)?.policy.map(String).sort()
      const rows = tableRows(casbin, tables)
      for (const section of ['p', 'g'] as const) {
        const wanted = rows.filter(({ ptype }) => ptype === section).map((row) => String(row.cells))
        t.same(cells(section), wanted.sort(), `${where}: ${section} in casbin_rule`)
      }
      const changes = Array.from({ length: chance.between(1, 4) }, () => randomChange(chance, tables)).flat()
      await written(database, changes)
    }
  }
})

const KINDS = ['user', 'group', 'project', 'membership', 'grant'] as const

function changesOf(tables: PolicyTables): PolicyChange[] {
  return KINDS.flatMap((kind) =>
    tables[`${kind}s`].map((state) => ({ kind, id: state.id, state }) as unknown as PolicyChange),
  )
}

/** Statements that take everything away. */
function emptied(): string[] {
  return KINDS.map((kind) => `DELETE FROM ${kind}s`)
}

/** Makes the changes, each a statement, in one transaction. */
async function written({ connected }: TestDatabase, changes: readonly (PolicyChange | string)[]): Promise<void> {
  await connected(async (client) => {
    await client.query('BEGIN')
    for (const change of changes) {
      if (typeof change === 'string') await client.query(change)
      else if (change.state === null) await client.query(`DELETE FROM ${change.kind}s WHERE id = $1`, [change.id])
      else await client.query(...upsertOf(change))
    }
    await client.query('COMMIT')
  })
}

function upsertOf(change: PolicyChange): [sql: string, values: unknown[]] {
  const columns = Object.entries(columnsOf(change))
  const names = columns.map(([name]) => name)
  const places = names.map((_, place) => `$${place + 1}`)
  const updates = names.map((name) => `${name} = excluded.${name}`)
  return [
    `INSERT INTO ${change.kind}s (${names}) VALUES (${places}) ON CONFLICT (id) DO UPDATE SET ${updates}`,
    columns.map(([, value]) => value),
  ]
}

function columnsOf({ kind, id, state }: PolicyChange): Record<string, unknown> {
  const time = (epochMs: number | null) => (epochMs === null ? null : new Date(epochMs))
  switch (state && kind) {
    case 'user': {
      const user = state as PolicyTables['users'][number]
      return {
        id,
        username: user.username,
        is_active: user.isActive,
        is_superuser: user.isSuperuser,
        is_anonymous: user.isAnonymous,
        general_permissions: user.generalPermissions,
        deleted_at: user.isDeleted ? new Date() : null,
      }
    }
    case 'group':
      return { id, name: (state as PolicyTables['groups'][number]).name }
    case 'project':
      return { id, title: (state as PolicyTables['projects'][number]).title }
    case 'membership': {
      const { userId, groupId, projectId } = state as PolicyTables['memberships'][number]
      return { id, user_id: userId, group_id: groupId, project_id: projectId }
    }
    default: {
      const grant = state as PolicyTables['grants'][number]
      return {
        id,
        user_id: grant.userId,
        group_id: grant.groupId,
        project_id: grant.projectId,
        permission: grant.permission,
        effect: grant.effect,
        valid_from: time(grant.validFrom),
        valid_until: time(grant.validUntil),
      }
    }
  }
}
