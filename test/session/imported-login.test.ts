import { readFileSync } from 'node:fs'
import t from 'tap'
import { testService } from '../harness/service.ts'
import { callWithoutToken } from '../harness/sign-in.ts'
import { catmaidDatabase } from '../import/catmaid-database.ts'
import { runImport } from '../import/import-run.ts'

type Passwords = Record<string, { plain: string | null; scheme: string }>
const truth = JSON.parse(readFileSync(new URL('../data/catmaid-site.truth.json', import.meta.url), 'utf8')) as {
  passwords: Passwords
}

t.test('users of the imported site log in with the passwords that they had, and are upgraded by it', async (t) => {
  const service = await testService(t)
  const site = await catmaidDatabase(t)
  await runImport(site.url, service.databaseUrl, {})
  const login = async (name: string, password: string) => {
    await service.query('DELETE FROM throttles')
    return callWithoutToken(service, 'POST', '/v1/sessions', { login: name, password })
  }
  const account = async (name: string) => {
    const rows = await service.query<{ hash: string; active: boolean }>(
      'SELECT password_hash AS hash, is_active AS active FROM users WHERE username = $1',
      [name],
    )
    return rows[0]
  }
  for (const [name, { plain, scheme }] of Object.entries(truth.passwords)) {
    const before = await account(name)
    const { status, body } = await login(name, plain ?? 'there is none that fits')
    const what = `${name}, ${scheme}`
    if (plain === null || ['sha1', 'unsalted'].includes(scheme)) {
      t.match(body, { status: 401, code: 'invalid-credentials' }, what)
      t.equal((await account(name))?.hash, before?.hash, what)
    } else if (before?.active === false) {
      t.match(body, { status: 403, code: 'account-inactive', reason: 'import' }, what)
    } else {
      t.equal(status, 201, what)
      t.match((await account(name))?.hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/, what)
      t.equal((await login(name, plain)).status, 201, `${what}, again`)
      t.equal((await login(name, `${plain}x`)).status, 401, `${what}, wrong`)
    }
  }
})

t.test('names that differ in case alone are told apart', async (t) => {
  t.not(truth.passwords.kepler?.plain, truth.passwords.Kepler?.plain)
})
