import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { testService } from '../harness/service.ts'

const run = promisify(execFile)
const project = join(import.meta.dirname, '..', '..')
const client = join(project, 'test/client')
const tool = (name: string) => join(client, 'node_modules/.bin', name)

t.before(async () => {
  await mkdir(join(client, 'generated'), { recursive: true })
  await run(tool('openapi-typescript'), ['openapi.yaml', '-o', 'test/client/generated/gatehouse.ts'], { cwd: project })
})

t.test('a program written against the generated client fits its types, and a misspelt one does not', async (t) => {
  await t.resolves(run(tool('tsc'), ['-p', 'test/client'], { cwd: project }))
})

t.test(
  'the generated client makes user, group, project, membership and grant, and gets the checks expected',
  async (t) => {
    const { url, keys } = await testService(t)
    const script = join(client, 'first-steps.ts')
    const { stdout } = await run(process.execPath, ['--import=tsx', script, url, keys.admin, keys.check], {
      cwd: project,
    })
    const told = JSON.parse(stdout)
    t.match(told, {
      user: { username: 'ada', email: 'ada@example.org', isActive: true },
      membership: { projectId: null },
      grant: { permission: 'can_annotate', effect: 'allow' },
      annotate: { allowed: true, revision: told.grant.revision, reason: { code: 'allowed' } },
      fork: { allowed: false },
      batch: { revision: told.grant.revision, results: [{ allowed: true }, { allowed: false }] },
      visible: { items: [{ title: 'Larval brain' }] },
      refused: { codes: ['name-taken', 'insufficient-scope', 'invalid-request'] },
    })
    t.equal(told.membership.userId, told.user.id)
  },
)
