import type { Test } from 'tap'
import { type ConnectionOptions, connectionOptions } from '../../src/database/connection.ts'
import { decide } from '../../src/decision/decide.ts'
import type { PolicySource } from '../../src/decision/policy-state.ts'
import { SnapshotKeeper } from '../../src/decision/snapshot-keeper.ts'
import { PolicySourceStore } from '../../src/policy/policy-source-store.ts'
import { modelOf, policyAsShipped } from '../decision/policy-as-shipped.ts'

const log = { info: () => {}, warn: () => {}, error: () => {} }
const BROWSE = { user: 'alice', project: 3, permission: 'can_browse' }

/** SQL of a policy in which alice (7) may browse project 3. */
export const ALICE_MAY_BROWSE = `
  INSERT INTO users (id, username) VALUES (7, 'alice');
  INSERT INTO projects (id, title) VALUES (3, 'three');
  INSERT INTO grants (user_id, project_id, permission) VALUES (7, 3, 'can_browse');`

export type Followed = {
  keeper: SnapshotKeeper
  /** How often everything was read, news were got, and it was begun to listen. */
  counts: { whole: number; news: number; listens: number }
  /** What alice is answered now; throws as the keeper does. */
  reason(): string
}

/** A keeper that follows the database at this address, with less patience than the real one. */
export async function followed(
  t: Test,
  target: string | ConnectionOptions,
  { patienceMs = 10_000, maxStalenessMs = 60_000 } = {},
): Promise<Followed> {
  const connection = typeof target === 'string' ? connectionOptions(target) : target
  const { source, counts } = counting(new PolicySourceStore({ connection }, { patienceMs }))
  const keeper = new SnapshotKeeper({ source, model: modelOf(policyAsShipped()), log, maxStalenessMs })
  await keeper.start()
  t.teardown(() => keeper.stop())
  // All its connections are open from here on.
  await until(() => counts.news > 0)
  return { keeper, counts, reason: () => decide(keeper.snapshot(), BROWSE, Date.now()).reason }
}

function counting(source: PolicySource) {
  const counts = { whole: 0, news: 0, listens: 0 }
  const counted: PolicySource = {
    readAll: (receive) => {
      counts.whole += 1
      return source.readAll(receive)
    },
    changesSince: async (revision, limit) => {
      const changeSets = await source.changesSince(revision, limit)
      counts.news += 1
      return changeSets
    },
    keepLost: (lost) => source.keepLost(lost),
    listen: (onNotice, onLost) => {
      counts.listens += 1
      return source.listen(onNotice, onLost)
    },
    close: () => source.close(),
  }
  return { source: counted, counts }
}

/** Waits until something holds; tap's own timeout ends a wait for what never comes. What throws does not hold yet. */
export async function until(holds: () => boolean): Promise<void> {
  for (;;) {
    try {
      if (holds()) return
    } catch {}
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
