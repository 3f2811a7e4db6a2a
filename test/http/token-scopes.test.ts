import t from 'tap'
import type { NewApiToken } from '../../src/account/api-token-schemas.ts'
import { callWith, usersOf } from '../harness/in-person.ts'
import { testService } from '../harness/service.ts'

type Scope = NewApiToken['scopes'][number]
type Operation = { security: { user?: string[]; serviceKey?: string[] }[] }
/** An operation of the running service: what opens it to users in person, or that nothing does. */
type Route = { method: string; path: string; needs: 'nobody' | 'session' | 'anybody' | Scope }

const SCOPES: Scope[] = ['check', 'account', 'projects', 'admin']
const NOBODY = 2_000_000_000
const service = await testService(t)
const { admin, user, tokenOf, project, group, administers } = usersOf(t, service)
const document = (await (await fetch(`${service.url}/openapi.json`)).json()) as {
  paths: Record<string, Record<string, Operation>>
}
const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, { security }]): Route => {
    const inPerson = security.find((scheme) => scheme.user !== undefined)?.user
    const needs = security.length === 0 ? 'anybody' : inPerson === undefined ? 'nobody' : (inPerson[0] ?? 'session')
    return { method: method.toUpperCase(), path, needs: needs as Route['needs'] }
  }),
)

/** A path with what is the caller's own in it, so that only the credential can close the route. */
const filled = (path: string, own: { user: number; project: number; group: number }) =>
  path
    .replace('/users/{id}', `/users/${own.user}`)
    .replace('/projects/{id}', `/projects/${own.project}`)
    .replace('/groups/{id}', `/groups/${own.group}`)
    .replace(/\{[^}]+\}/g, String(NOBODY))
/** `permission` is the one parameter that a list cannot do without. */
const asked = (path: string) => (path.endsWith('/projects/{id}/users') ? '?permission=can_browse' : '')

const CLOSED = ['unauthenticated', 'insufficient-scope', 'not-permitted', 'reauthentication-required']
/** The code that closes a route to the credential, or null when it is open, whatever else the answer says. */
async function closing(token: string, { method, path }: Route, own: Parameters<typeof filled>[1]) {
  const { status, body } = await callWith(service.url, token, method, filled(path, own) + asked(path))
  t.ok(status < 500, `${method} ${path} ${status}`)
  return CLOSED.includes(body?.code) ? (body.code as string) : null
}

/** A user who administers a project and maintains a group. */
async function entitled(username: string, superuser: boolean) {
  const { id } = await user(username, { superuser })
  const own = { user: id, project: await project(`of ${username}`), group: await group(`group of ${username}`) }
  await administers({ id }, own.project)
  await admin.expect(201, 'PUT', `/v1/groups/${own.group}/maintainers/${id}`)
  return own
}

t.test('the document knows routes of every kind', (t) => {
  for (const kind of ['nobody', 'session', 'anybody', ...SCOPES]) {
    t.ok(
      routes.some(({ needs }) => needs === kind),
      kind,
    )
  }
  t.end()
})

t.test('a token opens what its scope names and nothing else, route by route (C13)', async (t) => {
  const root = await entitled('root', true)
  const plain = await entitled('plain', false)
  for (const scope of SCOPES) {
    const ofRoot = (await tokenOf(root.user, [scope])).token
    const ofPlain = scope === 'admin' ? undefined : (await tokenOf(plain.user, [scope])).token
    for (const route of routes) {
      const name = `${scope}: ${route.method} ${route.path} (${route.needs})`
      const { needs } = route
      // With the scope admin everything is open, so it gets to see only what is not there.
      const nothing = { user: NOBODY, project: NOBODY, group: NOBODY }
      const byProject = needs === 'projects' && scope === 'admin'
      const opens = needs === 'anybody' || needs === scope || byProject
      const found = await closing(ofRoot, route, scope === 'admin' ? nothing : root)
      if (opens) t.equal(found, null, name)
      else t.match(found, /^(insufficient-scope|not-permitted)$/, name)
      if (ofPlain === undefined) continue
      const foundPlain = await closing(ofPlain, route, plain)
      if (opens) t.equal(foundPlain, null, `plain ${name}`)
      else t.match(foundPlain, /^(insufficient-scope|not-permitted)$/, `plain ${name}`)
    }
  }
})

t.test('no token of a user opens anything about another user, their projects or their groups', async (t) => {
  const [mine, others] = [await entitled('mine', false), await entitled('other', false)]
  const { token } = await tokenOf(mine.user)
  const named = routes.filter(({ path }) => /\/(users|projects|groups)\/\{/.test(path))
  t.ok(named.length > 20)
  for (const route of named) {
    for (const own of [others, { user: NOBODY, project: NOBODY, group: NOBODY }]) {
      t.match(await closing(token, route, own), /^(insufficient-scope|not-permitted)$/, `${route.method} ${route.path}`)
    }
  }
})

t.test('a superuser who is one no more opens what any user does', async (t) => {
  const former = await entitled('former', true)
  const { token } = await tokenOf(former.user, SCOPES)
  await admin.expect(200, 'PATCH', `/v1/users/${former.user}`, { isSuperuser: false })
  for (const route of routes.filter(({ needs }) => needs === 'admin')) {
    t.equal(await closing(token, route, former), 'not-permitted', `${route.method} ${route.path}`)
  }
})

t.test('a token that ended, or whose user did, opens no route (C1)', async (t) => {
  const own = await entitled('owner', true)
  const [deactivated, deleted] = [await entitled('deactivated', true), await entitled('deleted', true)]
  const make = async (id: number) => (await tokenOf(id, SCOPES)).token
  const [revoked, expired, rotated] = [await tokenOf(own.user), await tokenOf(own.user), await tokenOf(own.user)]
  const dead = {
    'of a deactivated user': await make(deactivated.user),
    'of a deleted user': await make(deleted.user),
    revoked: revoked.token,
    expired: expired.token,
    rotated: rotated.token,
  }
  for (const token of Object.values(dead)) {
    t.equal((await callWith(service.url, token, 'GET', '/v1/me/api-tokens')).status, 200, 'it was alive')
  }
  const context = { caller: 'test', requestId: null, inPerson: own.user }
  await service.query('UPDATE api_tokens SET expires_at = now() WHERE id = $1', [expired.id])
  await service.parts.apiTokens.rotate(context, own.user, rotated.id, 0)
  await service.parts.apiTokens.delete(context, own.user, revoked.id)
  await admin.expect(200, 'PATCH', `/v1/users/${deactivated.user}`, { isActive: false })
  await admin.expect(200, 'DELETE', `/v1/users/${deleted.user}`)
  for (const route of routes.filter(({ needs }) => needs !== 'anybody')) {
    for (const [why, token] of Object.entries(dead)) {
      t.equal(await closing(token, route, own), 'unauthenticated', `${why}: ${route.method} ${route.path}`)
    }
  }
})
