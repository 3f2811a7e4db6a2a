/** Every problem this service can answer with: its code is API (added, never renamed), its status follows from it. */
export const PROBLEMS = {
  'invalid-request': { status: 400, title: 'The request does not fit its schema' },
  'malformed-json': { status: 400, title: 'The body is not JSON' },
  'invalid-cursor': { status: 400, title: 'The cursor was not given out for this list' },
  'via-mismatch': { status: 400, title: 'The user came another way than the request says' },
  'token-invalid': { status: 400, title: 'The link does not work, or no longer' },
  'two-credentials': { status: 400, title: 'More than one credential was sent' },
  unauthenticated: { status: 401, title: 'The caller is not known' },
  'invalid-credentials': { status: 401, title: 'Login and password do not belong together' },
  'refresh-token-invalid': { status: 401, title: 'The refresh token opens nothing' },
  'refresh-token-reused': { status: 401, title: 'The refresh token was used before' },
  'insufficient-scope': { status: 403, title: 'The credential does not open this' },
  'not-permitted': { status: 403, title: 'The user may not do this' },
  'scope-not-grantable': { status: 403, title: 'The user does not have what the scope opens' },
  'reauthentication-required': { status: 403, title: 'This takes a login of the last minutes' },
  'account-inactive': { status: 403, title: 'The account is not in use' },
  'email-not-confirmed': { status: 403, title: 'The address of the account has not been confirmed yet' },
  'registration-disabled': { status: 403, title: 'Nobody can register here' },
  'not-found': { status: 404, title: 'There is nothing here' },
  'method-not-allowed': { status: 405, title: 'This address does not answer to that method' },
  'name-taken': { status: 409, title: 'The name is taken' },
  'id-taken': { status: 409, title: 'The id is taken' },
  'name-carries-edit-rights': { status: 409, title: 'The name would shift rights to edit data' },
  'grant-exists': { status: 409, title: 'The same grant is there already' },
  'ids-exhausted': { status: 409, title: 'No id is left to give out' },
  'token-limit-reached': { status: 409, title: 'The user has as many API tokens as one may have' },
  'last-administrator': { status: 409, title: 'Somebody must still be able to administer the project' },
  'cannot-be-mailed': { status: 409, title: 'The user cannot be sent such a mail' },
  'last-superuser': { status: 409, title: 'The last active superuser stays one' },
  conflict: { status: 409, title: 'Another write came between' },
  'anonymous-user': { status: 409, title: 'The anonymous user cannot be changed like that' },
  'inactivity-run-state': { status: 409, title: 'The inactivity run is not in a state that allows this' },
  'mail-not-retryable': { status: 409, title: 'Only a mail that failed is tried again' },
  'profile-invalid': { status: 422, title: 'A profile cannot hold this' },
  'request-timeout': { status: 408, title: 'The request took too long to arrive' },
  'body-too-large': { status: 413, title: 'The body is too large' },
  'unsupported-media-type': { status: 415, title: 'The body has a type that is not accepted here' },
  'expiry-too-long': { status: 422, title: 'The credential would live for too long' },
  'password-too-short': { status: 422, title: 'The password is too short' },
  'password-too-long': { status: 422, title: 'The password is too long' },
  'password-blocklisted': { status: 422, title: 'The password would be guessed early' },
  'too-many-attempts': { status: 429, title: 'There were too many attempts' },
  'terms-not-accepted': { status: 422, title: 'The present terms were not accepted' },
  'header-too-large': { status: 431, title: 'The headers are too large' },
  internal: { status: 500, title: 'The service failed' },
  'database-unavailable': { status: 503, title: 'The database is away; a write may or may not have been kept' },
  overloaded: { status: 503, title: 'The service is overloaded' },
  'snapshot-unavailable': { status: 503, title: 'There is no policy recent enough to decide by' },
  'revision-not-reached': { status: 503, title: 'The asked revision has not arrived here yet' },
} as const satisfies Record<string, { status: number; title: string }>

/** One of the codes of {@link PROBLEMS}. */
export type ProblemCode = keyof typeof PROBLEMS

/** What was wrong with one field: `pointer` is a JSON pointer (RFC 6901) into the body, or `?name` for a parameter. */
export type FieldFault = { pointer: string; detail: string }

/** What a problem tells beside its code and detail. */
export type DomainErrorOptions = {
  faults?: FieldFault[]
  cause?: unknown
  retryAfterSeconds?: number
  extension?: Record<string, unknown>
}

/**
 * A fault that a caller can act on. `detail` is shown to the caller; what must stay inside goes into `cause`.
 */
export class DomainError extends Error {
  readonly code: ProblemCode
  readonly faults: readonly FieldFault[]
  /** Seconds after which the caller may try again, where that is known. */
  readonly retryAfterSeconds: number | undefined
  /** Further members of the problem (RFC 9457, 3.2). */
  readonly extension: Readonly<Record<string, unknown>>

  constructor(code: ProblemCode, detail: string, options: DomainErrorOptions = {}) {
    super(detail, 'cause' in options ? { cause: options.cause } : undefined)
    this.name = 'DomainError'
    this.code = code
    this.faults = options.faults ?? []
    this.retryAfterSeconds = options.retryAfterSeconds
    this.extension = options.extension ?? {}
  }
}
