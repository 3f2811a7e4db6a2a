import type { Parts } from '../compose.ts'
import { compareWithCasbin } from '../decision/casbin-comparison.ts'
import { FullEnforcer } from '../decision/full-enforcer.ts'
import { PolicyAdapter } from '../policy/casbin-adapter.ts'
import type { Terminal } from './command-parts.ts'

const PROGRESS_EVERY_MS = 2000

/**
 * `gatehouse policy test --live CHECKS`: asks random checks about the policy in the configured database of the index,
 * which reads the tables, and of Casbin's own enforcer, which reads the view `casbin_rule` through our Casbin adapter.
 *
 * @returns the exit code: 0 when all answers agree, 1 when one differs
 * @throws whatever reading the database throws
 */
export async function policyLiveTest(
  { keeper, database }: Pick<Parts, 'keeper' | 'database'>,
  options: { live: number; json?: boolean },
  { out, progress }: Terminal,
): Promise<0 | 1> {
  await keeper.start()
  const { snapshot, casbin } = await readTwice({ keeper, database })
  let told = performance.now()
  const onCheck = (done: number) => {
    if (performance.now() - told < PROGRESS_EVERY_MS) return
    told = performance.now()
    progress(`${done} of ${options.live} checks`)
  }
  const instant = Date.now()
  const { checks, allowed, differences } = compareWithCasbin(snapshot, casbin, options.live, {
    chance: Math.random,
    instant,
    onCheck,
  })
  const result = { revision: snapshot.revision, checks, allowed, differences }
  out(options.json === true ? JSON.stringify(result, null, 2) : text(result))
  return differences.length === 0 ? 0 : 1
}

/** Reads policy in both ways until no write has come between them. */
async function readTwice({ keeper, database }: Pick<Parts, 'keeper' | 'database'>) {
  for (;;) {
    const snapshot = keeper.snapshot()
    const { revision } = snapshot
    const casbin = await FullEnforcer.through(snapshot, new PolicyAdapter(database))
    const [head] = await database.dataSource.query<{ revision: number }[]>('SELECT revision FROM policy_head')
    if (head === undefined || head.revision === revision) return { snapshot, casbin }
    await keeper.atLeast(head.revision)
  }
}

function text({ revision, checks, allowed, differences }: { revision: number } & ReturnType<typeof compareWithCasbin>) {
  return [
    ...differences.map((it) => `FAIL  ${JSON.stringify(it.request)}: allowed ${it.allowed}, Casbin ${!it.allowed}`),
    `revision ${revision}: ${checks} checks, ${allowed} allowed, ${differences.length} answered otherwise by Casbin`,
  ].join('\n')
}
