import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import pg from 'pg'
import { askService } from './peers/gatehouse.ts'
import type { Stage } from './stage.ts'

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url))
const GRANTS = 100_000
const PERMISSIONS = ['can_browse', 'can_annotate', 'can_import', 'can_fork', 'can_queue_compute_task']
/** As many users as take all five on one project each. */
const USERS = GRANTS / PERMISSIONS.length
const FIRST_USER = 1000

/**
 * Brings 100,000 grants into a running service: in one request by the API, and from a CSV file by the command, which is
 * timed from its start to its end. How many were made is what the answers say and what the service then counts.
 */
export async function importOfGrants(stage: Stage): Promise<void> {
  stage.progress(`importing ${GRANTS} grants, by the API and by the command`)
  const databaseUrl = await stage.emptyDatabase('import')
  await peopleIn(databaseUrl)
  const server = await stage.startService(databaseUrl)
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-bench-'))
  try {
    const began = performance.now()
    const grants = rows().map(([id, permission]) => ({ principal: { type: 'user', id }, permission }))
    const { created, revision } = await askService<{ created: number; revision: number }>(
      server,
      stage.serviceKey,
      '/v1/projects/1/grants/bulk',
      { grants },
    )
    note(stage, 'API', began)
    const file = join(folder, 'grants.csv')
    const lines = rows().map(([id, permission]) => `2,user,person-${id},${permission}`)
    await writeFile(file, ['project,principalType,principal,permission', ...lines].join('\n'))
    const env = { ...process.env, DATABASE_URL: databaseUrl, DATA_DIR: folder }
    const begun = performance.now()
    const { stdout } = await promisify(execFile)(process.execPath, [MAIN, 'import', 'grants', file, '--json'], { env })
    note(stage, 'command', begun)
    const report = JSON.parse(stdout) as { created: number; revision: number }
    const last = { user: `person-${FIRST_USER + USERS - 1}`, permission: 'can_fork' }
    for (const [project, atLeastRevision] of [
      [1, revision],
      [2, report.revision],
    ]) {
      const check = { ...last, project, atLeastRevision }
      const { allowed } = await askService<{ allowed: boolean }>(server, stage.serviceKey, '/check', check)
      if (!allowed)
        stage.findings.add({
          measures: [],
          faults: [{ where: `import into project ${project}`, fault: 'not in force' }],
        })
    }
    if (created !== GRANTS || report.created !== GRANTS) {
      stage.findings.add({
        measures: [],
        faults: [{ where: 'import', fault: `${created} and ${report.created} grants made` }],
      })
    }
  } finally {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

const rows = () =>
  Array.from({ length: USERS }, (_, place) => FIRST_USER + place).flatMap((id) =>
    PERMISSIONS.map((permission) => [id, permission] as const),
  )

async function peopleIn(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  await client.query(
    `INSERT INTO users (id, username) SELECT id, 'person-' || id FROM generate_series($1::int, $1 + $2 - 1) AS id
       ON CONFLICT DO NOTHING`,
    [FIRST_USER, USERS],
  )
  await client.query(
    `INSERT INTO projects (id, title) VALUES (1, 'by the API'), (2, 'by the command') ON CONFLICT DO NOTHING`,
  )
  await client.query('DELETE FROM grants')
  await client.end()
}

function note({ findings, largest }: Stage, way: string, began: number): void {
  const values = [(performance.now() - began) / 1000]
  const what = `import of 100,000 grants by the ${way}`
  findings.add({ measures: [{ what, peer: 'gatehouse', grants: largest.load.grants, unit: 's', values }] })
}
