import { apiTokenHash, isApiToken } from '../api-token.ts'
import type { TOKEN_SCOPES } from '../http/access.ts'
import { type CredentialReader, liveAccount } from './callers.ts'

/**
 * Users by their API tokens, those too that CATMAID gave out. What a token opens ends with what its user may: its scope
 * `admin` counts for as long as the user is a superuser.
 */
export const apiTokenCaller: CredentialReader = (credential, policy) => {
  const token = isApiToken(credential) ? policy.credentials.apiTokens.get(apiTokenHash(credential)) : undefined
  const expiresAt = token?.expiresAt ?? Number.POSITIVE_INFINITY
  if (token === undefined || Date.now() >= expiresAt) return undefined
  const account = liveAccount(policy, token.userId)
  if (account === undefined) return undefined
  const { isSuperuser } = account
  const scopes = token.scopes as (typeof TOKEN_SCOPES)[number][]
  return {
    name: `user:${token.userId}`,
    scopes: new Set(isSuperuser ? scopes : scopes.filter((scope) => scope !== 'admin')),
    expiresAt,
    user: { id: token.userId, via: 'token', isSuperuser, sessionId: null, tokenId: token.id, authenticatedAt: null },
  }
}
