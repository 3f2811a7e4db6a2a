import createClient from 'openapi-fetch'
import type { paths } from './generated/gatehouse.ts'

/** What a laboratory's program does first, through nothing but the client generated from openapi.yaml. */
async function firstSteps(baseUrl: string, admin: string, check: string) {
  const asAdmin = createClient<paths>({ baseUrl, headers: { authorization: `Bearer ${admin}` } })
  const asChecker = createClient<paths>({ baseUrl, headers: { authorization: `Bearer ${check}` } })

  const user = data(await asAdmin.POST('/v1/users', { body: { username: 'ada', email: 'ada@example.org' } }))
  const group = data(await asAdmin.POST('/v1/groups', { body: { name: 'tracers' } }))
  const project = data(await asAdmin.POST('/v1/projects', { body: { title: 'Larval brain' } }))
  const membership = data(
    await asAdmin.PUT('/v1/groups/{id}/members/{userId}', {
      params: { path: { id: group.id, userId: user.id } },
    }),
  )
  const grant = data(
    await asAdmin.POST('/v1/projects/{id}/grants', {
      params: { path: { id: project.id } },
      body: { principal: { type: 'group', id: group.id }, permission: 'can_annotate' },
    }),
  )
  const question = { user: 'ada', project: project.id, atLeastRevision: grant.revision } as const
  const annotate = data(
    await asChecker.POST('/check', {
      params: { query: { explain: true } },
      body: { ...question, permission: 'can_annotate' },
    }),
  )
  const fork = data(await asChecker.POST('/check', { body: { ...question, permission: 'can_fork' } }))
  const batch = data(
    await asChecker.POST('/checks', {
      body: { ...question, checks: [{ permission: 'can_annotate' }, { permission: 'can_fork' }] },
    }),
  )
  const visible = data(
    await asChecker.GET('/v1/users/{id}/projects', {
      params: { path: { id: user.id }, query: { permission: 'can_annotate' } },
    }),
  )
  return { user, membership, grant, annotate, fork, batch, visible, refused: await refusals(baseUrl, admin) }
}

/** What goes wrong comes back typed as well: a program branches on the code. */
async function refusals(baseUrl: string, admin: string) {
  const client = createClient<paths>({ baseUrl, headers: { authorization: `Bearer ${admin}` } })
  const taken = await client.POST('/v1/users', { body: { username: 'ada' } })
  const scope = await client.POST('/check', { body: { user: 1, project: 1, permission: 'can_browse' } })
  // @ts-expect-error a permission that there is not
  const permission = { permission: 'can_anotate' } satisfies GrantBody
  // @ts-expect-error a field that there is not
  const misspelt = await client.POST('/v1/groups', { body: { nane: 'x' } })
  // @ts-expect-error an address that there is not
  const nowhere = () => client.GET('/v1/user')
  return { codes: [taken.error?.code, scope.error?.code, misspelt.error?.code], unused: [permission, nowhere].length }
}

type GrantBody = Partial<paths['/v1/projects/{id}/grants']['post']['requestBody']['content']['application/json']>

function data<Data>({ data, error }: { data?: Data; error?: unknown }): Data {
  if (data === undefined) throw new Error(`refused: ${JSON.stringify(error)}`)
  return data
}

const [baseUrl = '', admin = '', check = ''] = process.argv.slice(2)
process.stdout.write(JSON.stringify(await firstSteps(baseUrl, admin, check)))
