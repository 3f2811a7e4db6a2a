/** The files on disk are what decides: a service started with edited ones answers as they say, or does not start. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { runCommand } from '../../src/cli/program.ts'
import { administrationOf } from '../harness/administration.ts'
import { testService } from '../harness/service.ts'
import type { PolicyText } from './casbin-reference.ts'
import { edited, policyAsShipped } from './policy-as-shipped.ts'

const SHIPPED = policyAsShipped()

/** Writes the policy into a folder of the test's own and gives the environment that points there. */
async function written(t: Test, policy: PolicyText): Promise<{ MODEL_FILE: string; POLICY_DIR: string }> {
  const folder = t.testdir({})
  await mkdir(join(folder, 'policies'))
  await writeFile(join(folder, 'model.conf'), policy.modelText)
  for (const { file, text } of policy.ruleFiles) await writeFile(join(folder, file), text)
  return { MODEL_FILE: join(folder, 'model.conf'), POLICY_DIR: join(folder, 'policies') }
}

/** A service with the policy, in which alice may annotate project 1 and bob may browse it. */
async function serviceWith(t: Test, policy: PolicyText) {
  const service = await testService(t, {
    env: await written(t, policy),
    prepare: async (query) => {
      await query(`INSERT INTO users (id, username) VALUES (101, 'alice'), (102, 'bob')`)
      await query(`INSERT INTO projects (id, title) VALUES (1, 'larva')`)
      await query(`INSERT INTO grants (user_id, project_id, permission)
        VALUES (101, 1, 'can_annotate'), (102, 1, 'can_browse')`)
    },
  })
  // Everything that is asked here takes the scope check.
  return administrationOf(t, { ...service, keys: { ...service.keys, admin: service.keys.check } })
}

t.test('can_annotate made to imply can_browse: checks and lists follow', async (t) => {
  const check = { user: 'alice', project: 1, permission: 'can_browse' }
  const asShipped = await serviceWith(t, SHIPPED)
  t.match(await asShipped.check(check, 0), { allowed: false })
  const service = await serviceWith(
    t,
    edited(
      SHIPPED,
      'policies/permissions.csv',
      'g2, can_administer, can_fork',
      'g2, can_administer, can_fork\ng2, can_annotate, can_browse',
    ),
  )
  t.match(await service.check(check, 0), { allowed: true })
  const projects = await service.expect(200, 'GET', '/v1/users/101/projects')
  t.same(
    projects.items.map(({ id }: { id: number }) => id),
    [1],
  )
})

t.test('the importer rule taken out: the importer may not edit any more', async (t) => {
  const check = { user: 'alice', project: 1, permission: 'can_annotate', object: { creator: 'bob', importer: 'alice' } }
  t.match(await (await serviceWith(t, SHIPPED)).check(check, 0), { allowed: true })
  const without = edited(SHIPPED, 'model.conf', ' imported(r.sub, r.obj.importer) ||', '')
  t.match(await (await serviceWith(t, without)).check(check, 0), { allowed: false })
})

t.test('a rule of its own in a file of its own', async (t) => {
  const rules = { file: 'policies/ours.csv', text: 'p, user:102, *, can_fork, allow, , \n' }
  const service = await serviceWith(t, { ...SHIPPED, ruleFiles: [...SHIPPED.ruleFiles, rules] })
  t.match(await service.check({ user: 'bob', project: 1, permission: 'can_fork' }, 0), { allowed: true })
  t.match(await service.check({ user: 'alice', project: 1, permission: 'can_fork' }, 0), { allowed: false })
})

t.test('a model that the index cannot narrow decides over HTTP too', async (t) => {
  const policy = edited(SHIPPED, 'model.conf', 'm = (p.dom', 'm = r.sub == "user:102" && active(r.sub) || (p.dom')
  const service = await serviceWith(t, policy)
  t.match(await service.check({ user: 'bob', project: 1, permission: 'can_import' }, 0), { allowed: true })
  t.match(await service.check({ user: 'alice', project: 1, permission: 'can_import' }, 0), { allowed: false })
  t.match(await service.check({ user: 'alice', project: 1, permission: 'can_annotate' }, 0), { allowed: true })
})

t.test('a policy with a fault stops the start, and the message says where', async (t) => {
  const line = (wanted: string) => SHIPPED.modelText.split('\n').findIndex((text) => text.includes(wanted)) + 1
  const faults: [PolicyText, RegExp][] = [
    [
      edited(SHIPPED, 'model.conf', '(p.dom == r.dom ||', '(p.dom == r.domain ||'),
      new RegExp(`model\\.conf:${line('m = ')}\\b.*r\\.domain`),
    ],
    [
      edited(SHIPPED, 'model.conf', 'active(r.sub)', '!banned(r.sub)'),
      new RegExp(`model\\.conf:${line('m = ')}\\b.*banned`),
    ],
    [
      edited(SHIPPED, 'policies/superusers.csv', 'everything, allow', 'everything, Allow'),
      /policies\/superusers\.csv:\d+\b.*Allow/,
    ],
  ]
  for (const [policy, message] of faults) {
    const told: string[] = []
    const tell = (text: string) => void told.push(text)
    // Nothing is opened before policy has been read: this database does not even exist.
    const env = { ...(await written(t, policy)), DATABASE_URL: 'postgres://127.0.0.1:1/none' }
    t.equal(await runCommand(['serve'], env, { out: tell, progress: tell }), 1)
    t.match(told.join('\n'), message)
  }
})
