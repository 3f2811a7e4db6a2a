import type {} from 'fastify'
import type { ProblemCode } from '../errors.ts'

/** What a service key can open; `admin` does not include `check`, a key names every scope it has. */
export const SCOPES = ['check', 'admin', 'metrics'] as const
export type Scope = (typeof SCOPES)[number]

/** Who may call a route: anybody, or an authenticated caller whose credential has the scope. */
export type Access = 'public' | { scope: Scope }

/** An authenticated caller. `name` is how the audit trail knows it: `service-key:<name>`. */
export type Caller = { readonly name: string; readonly scopes: ReadonlySet<string> }

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
