/**
 * Measures a run over many accounts: 100,000 with 1,000 due by default, on the embedded PostgreSQL, while somebody else
 * changes accounts. Exits with 1 when the run took longer than 10 s, did not do what it should, or held somebody up.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { pino } from 'pino'
import { compose, type Parts } from '../src/compose.ts'
import { loadConfig } from '../src/config.ts'
import { migrate } from '../src/database/data-source.ts'

const { values: options } = parseArgs({
  options: { accounts: { type: 'string', default: '100000' }, due: { type: 'string', default: '1000' } },
})
const [ACCOUNTS, DUE] = [Number(options.accounts), Number(options.due)]
const LONGEST_RUN_SECONDS = 10
/** Far more than one account's transaction takes, far less than a run. */
const LONGEST_WAIT_MS = 500
const CONTEXT = { caller: 'command:measure', requestId: null, inPerson: null }

const dataDir = await mkdtemp(join(tmpdir(), 'gatehouse-run-'))
const parts = await compose(loadConfig({ DATA_DIR: dataDir }), pino({ level: 'silent' }))
try {
  await migrate(parts.database.dataSource)
  await makeAccounts(parts)
  await parts.keeper.start()
  const { seconds, longestWaitMs } = await measured(parts)
  const [left] = await parts.database.dataSource.query(
    `SELECT count(*) FILTER (WHERE deactivation_reason = 'inactivity') AS deactivated,
       (SELECT count(*) FROM mail_outbox WHERE kind = 'inactivity-deactivation') AS mails FROM users`,
  )
  console.log(`${DUE} of ${ACCOUNTS} accounts: ${seconds.toFixed(1)} s, at most ${LONGEST_RUN_SECONDS} s aimed at`)
  console.log(`deactivated ${left.deactivated}, mails queued ${left.mails}`)
  console.log(`longest that somebody who changes accounts meanwhile waited: ${longestWaitMs.toFixed(0)} ms`)
  const isRight = left.deactivated === DUE && left.mails === DUE
  process.exitCode = isRight && seconds <= LONGEST_RUN_SECONDS && longestWaitMs <= LONGEST_WAIT_MS ? 0 : 1
} finally {
  await parts.close()
  await rm(dataDir, { recursive: true, force: true })
}

async function makeAccounts({ database: { dataSource } }: Parts): Promise<void> {
  await dataSource.query(`INSERT INTO groups (id, name) VALUES (1000000, 'everybody')`)
  await dataSource.query(
    `INSERT INTO users (id, username, email, created_at, last_login_at)
     SELECT 1000000 + n, 'account' || n, 'account' || n || '@example.org', now() - interval '3 years',
       now() - CASE WHEN n % ($1::integer / $2::integer) = 0 THEN interval '2 years' ELSE interval '1 day' END
     FROM generate_series(1, $1::integer) n`,
    [ACCOUNTS, DUE],
  )
  await dataSource.query(`INSERT INTO memberships (user_id, group_id) SELECT id, 1000000 FROM users WHERE id > 1000000`)
  await dataSource.query(
    `INSERT INTO inactivity_periods (group_id, max_inactivity) VALUES (1000000, interval '1 year')`,
  )
  await dataSource.query('ANALYZE')
}

/** Runs, while somebody else changes one account after another, due ones too. */
async function measured({ inactivityRuns, database: { dataSource } }: Parts) {
  let over = false
  let longestWaitMs = 0
  const meanwhile = async () => {
    for (let n = 1; !over; n = (n % ACCOUNTS) + 7) {
      const begun = performance.now()
      await dataSource.query(`UPDATE users SET first_name = 'A' WHERE id = 1000000 + $1`, [n])
      longestWaitMs = Math.max(longestWaitMs, performance.now() - begun)
    }
  }
  const somebodyElse = meanwhile()
  const begun = performance.now()
  const started = await inactivityRuns.start(CONTEXT)
  await started?.finished
  const seconds = (performance.now() - begun) / 1000
  over = true
  await somebodyElse
  return { seconds, longestWaitMs }
}
