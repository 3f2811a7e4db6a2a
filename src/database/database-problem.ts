import { DomainError, type FieldFault, type ProblemCode } from '../errors.ts'

type DatabaseFault = { code: string; constraint?: string; table?: string }
type Problem = { code: ProblemCode; detail: string; fault?: FieldFault }

const UNIQUE_VIOLATION = '23505'
const FOREIGN_KEY_VIOLATION = '23503'
const SERIALIZATION_FAILURE = '40001'
const DEADLOCK_DETECTED = '40P01'
const LOCK_NOT_AVAILABLE = '55P03'
const SEQUENCE_LIMIT_EXCEEDED = '2200H'
const CHECK_VIOLATION = '23514'
const NUMBER_OUT_OF_RANGE = '22003'
const CHARACTER_NOT_IN_REPERTOIRE = '22021'
const UNTRANSLATABLE_CHARACTER = '22P05'

/** What a violated constraint means to the caller; races between writers end here, all else is found before. */
const CONSTRAINTS: Record<string, Problem> = {
  users_username_key: taken('name-taken', '/username', 'another user has this login, or a deleted user had it'),
  groups_name_key: taken('name-taken', '/name', 'another group has this name'),
  service_keys_name_key: taken('name-taken', '/name', 'another service key has this name'),
  projects_pkey: taken('id-taken', '/id', 'another project has this id'),
  users_pkey: { code: 'id-taken', detail: 'the next id was taken by hand, send the request again' },
  groups_pkey: { code: 'id-taken', detail: 'the next id was taken by hand, send the request again' },
  grants_unique: { code: 'grant-exists', detail: 'the same grant is there already' },
}

const STATES: Record<string, Problem> = {
  [FOREIGN_KEY_VIOLATION]: { code: 'conflict', detail: 'something that the request names was removed meanwhile' },
  [SERIALIZATION_FAILURE]: { code: 'conflict', detail: 'another write came between, send the request again' },
  [DEADLOCK_DETECTED]: { code: 'conflict', detail: 'another write came between, send the request again' },
  [LOCK_NOT_AVAILABLE]: { code: 'conflict', detail: 'another write takes too long, send the request again' },
  [UNIQUE_VIOLATION]: { code: 'conflict', detail: 'the same thing was written meanwhile' },
  [SEQUENCE_LIMIT_EXCEEDED]: { code: 'ids-exhausted', detail: 'ids end at 2147483647 and that one is taken' },
  [CHECK_VIOLATION]: { code: 'invalid-request', detail: 'the database refuses such a value' },
  [NUMBER_OUT_OF_RANGE]: { code: 'invalid-request', detail: 'a number is too large' },
  [CHARACTER_NOT_IN_REPERTOIRE]: { code: 'invalid-request', detail: 'a text holds a character that cannot be kept' },
  [UNTRANSLATABLE_CHARACTER]: { code: 'invalid-request', detail: 'a text holds a character that cannot be kept' },
}

/** States of a server that goes away, is not up yet, has no room for one more connection, or has waited too long for us. */
const AWAY_STATES = /^(08|57P0[123]|53300|25P03)/
/** What TypeORM says to whoever goes on in a transaction whose connection broke between two statements. */
const BROKEN_TRANSACTION = /^QueryRunner(Provider)?AlreadyReleasedError$/
/** What Node says of a server that cannot be reached. */
const AWAY_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT',
])
/** What pg says of a connection that broke or could not be made; it gives these no code. */
const AWAY_WORDS =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error)/

/**
 * The one place where an error of PostgreSQL becomes a problem that a caller can act on. Gives the error back as it is
 * when it says nothing to a caller: a fault of ours.
 */
export function problemOfDatabase(error: unknown): unknown {
  if (isAway(error)) return new DomainError('database-unavailable', 'the database cannot be reached', { cause: error })
  if (!isDatabaseFault(error)) return error
  const problem = CONSTRAINTS[constraintOf(error)] ?? STATES[error.code]
  if (problem === undefined) return error
  return new DomainError(problem.code, problem.detail, {
    cause: error,
    ...(problem.fault && { faults: [problem.fault] }),
  })
}

function taken(code: ProblemCode, pointer: string, detail: string): Problem {
  return { code, detail, fault: { pointer, detail } }
}

/** The unique constraint of grants has a name that PostgreSQL made and cut. */
function constraintOf({ code, constraint = '', table }: DatabaseFault): string {
  return code === UNIQUE_VIOLATION && table === 'grants' && constraint !== 'grants_pkey' ? 'grants_unique' : constraint
}

/** TypeORM's QueryFailedError carries the fields of pg's DatabaseError. */
function isDatabaseFault(error: unknown): error is DatabaseFault {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.length === 5
}

function isAway(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof DomainError) return false
  if (error instanceof AggregateError) return error.errors.every(isAway)
  const { code } = error as { code?: unknown }
  if (typeof code !== 'string') return AWAY_WORDS.test(error.message) || BROKEN_TRANSACTION.test(error.name)
  return AWAY_CODES.has(code) || AWAY_STATES.test(code)
}
