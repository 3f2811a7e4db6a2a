import type {} from 'fastify'
import type { ProblemCode } from '../errors.ts'

/** What a service key can open; `admin` does not include `check`, a key names every scope it has. */
export const SCOPES = ['check', 'admin', 'metrics'] as const
/** What an API token of a user can open: never more than the user. */
export const TOKEN_SCOPES = ['check', 'account', 'projects', 'admin'] as const
/** A scope of a service key or of an API token; a session has all of those of API tokens. */
export type Scope = (typeof SCOPES)[number] | (typeof TOKEN_SCOPES)[number]

/**
 * Who may call a route: anybody, or
 *
 * - `scope`: a service key with the scope; a user in person too: with `check` about themselves (the route sees to
 *   that), with `admin` as an active superuser;
 * - `scope` with `orInPerson`: of users in person, an active superuser with the scope `admin`, and with the scope
 *   `projects` who may administer the project that the path names (`project`), or any user, whose rights the service
 *   looks at in its transaction (`member`, for memberships of groups);
 * - `self`: a user in person about their own account: with a session or an API token of scope `account` (`token`), with
 *   a session only (`session`), or with a session whose password was given in the last minutes (`fresh`).
 */
export type Access =
  | 'public'
  | { scope: (typeof SCOPES)[number]; orInPerson?: 'project' | 'member' }
  | { self: 'token' | 'session' | 'fresh' }

/** How a user who calls in person came: by a session, or by an API token. */
export type Via = 'session' | 'token'

/** An authenticated caller. */
export type Caller = {
  /** How the audit trail knows it: `service-key:<name>` or `user:<id>`. */
  readonly name: string
  readonly scopes: ReadonlySet<Scope>
  /** Epoch milliseconds from which the credential opens nothing any more. */
  readonly expiresAt: number
  /** The user who calls in person; null for a program with a service key. */
  readonly user: CallerInPerson | null
}

/** A user who calls in person; whoever stands here was active when the credential was last looked at. */
export type CallerInPerson = {
  readonly id: number
  readonly via: Via
  readonly isSuperuser: boolean
  /** Of a session, its id; of an API token, null. */
  readonly sessionId: number | null
  /** Of an API token, its id; of a session, null. */
  readonly tokenId: number | null
  /** Epoch milliseconds at which the password was last given; null for an API token. */
  readonly authenticatedAt: number | null
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Every route declares it; a route without stops the start. */
    access?: Access
    /** The problems of its own that a route answers with; those that every route can have are added by the shell. */
    problems?: readonly ProblemCode[]
    /** Takes a batch of questions: its body is too large for the costlier of the checks of JSON. */
    batch?: boolean
  }
  interface FastifyRequest {
    /** Set before the body is read, on every route that is not public. */
    caller: Caller
  }
}
