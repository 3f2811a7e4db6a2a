import type { Test } from 'tap'
import type { NewApiToken } from '../../src/account/api-token-schemas.ts'
import { type Administration, type Answer, administrationOf } from './administration.ts'
import type { TestService } from './service.ts'

const TOKEN_SCOPES: NewApiToken['scopes'] = ['check', 'account', 'projects']

/** A user with an API token, as programs call for one. */
export type UserWithToken = {
  id: number
  username: string
  tokenId: number
  token: string
  /** Calls with the token; an answer that is not expected is the test's to find. */
  call(method: string, path: string, body?: unknown): Promise<Answer>
  /** Only the status of that answer. */
  status(method: string, path: string, body?: unknown): Promise<number>
  /** The status and the problem's code of that answer. */
  problem(method: string, path: string, body?: unknown): Promise<[number, string]>
}

/** Calls the service with any credential. */
export async function callWith(
  url: string,
  credential: string,
  method: string,
  path: string,
  body?: unknown,
  scheme = 'Bearer',
): Promise<Answer> {
  const response = await fetch(url + path, {
    method,
    headers: {
      authorization: `${scheme} ${credential}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) }
}

/** Makes users with API tokens, beside who administers the site. */
export function usersOf(t: Test, service: TestService) {
  const admin: Administration = administrationOf(t, service)
  const tokenOf = async (userId: number, scopes = TOKEN_SCOPES) => {
    const context = { caller: `user:${userId}`, requestId: null, inPerson: userId }
    const { value } = await service.parts.apiTokens.create(context, userId, { name: 'test', scopes })
    return value
  }
  const user = async (
    username: string,
    options: { superuser?: boolean; scopes?: NewApiToken['scopes'] } = {},
  ): Promise<UserWithToken> => {
    const isSuperuser = options.superuser === true
    const { id } = await admin.expect(201, 'POST', '/v1/users', { username, isSuperuser })
    const { id: tokenId, token } = await tokenOf(
      id,
      options.scopes ?? [...TOKEN_SCOPES, ...(isSuperuser ? (['admin'] as const) : [])],
    )
    const call: UserWithToken['call'] = (method, path, body) => callWith(service.url, token, method, path, body)
    return {
      id,
      username,
      tokenId,
      token,
      call,
      status: async (...request) => (await call(...request)).status,
      problem: async (...request) => {
        const { status, body } = await call(...request)
        return [status, body?.code]
      },
    }
  }
  const project = async (title: string): Promise<number> =>
    (await admin.expect(201, 'POST', '/v1/projects', { title })).id
  const group = async (name: string): Promise<number> => (await admin.expect(201, 'POST', '/v1/groups', { name })).id
  const grant = async (
    projectId: number,
    principal: { type: 'user' | 'group'; id: number },
    permission: string,
    more: object = {},
  ): Promise<number> =>
    (await admin.expect(201, 'POST', `/v1/projects/${projectId}/grants`, { principal, permission, ...more })).id
  const member = (groupId: number, userId: number, query = '') =>
    admin.expect(201, 'PUT', `/v1/groups/${groupId}/members/${userId}${query}`)
  /** Lets a user administer a project by API token too (D8). */
  const administers = async ({ id }: { id: number }, projectId: number) => {
    await grant(projectId, { type: 'user', id }, 'can_administer')
    await grant(projectId, { type: 'user', id }, 'can_annotate_with_token')
  }
  return { admin, tokenOf, user, project, group, grant, member, administers }
}
