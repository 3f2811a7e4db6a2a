import type { EntityManager } from 'typeorm'
import type { LoginAccount } from './login-account.ts'
import type { AccountFinder, LoginStore } from './login-service.ts'

type Row = Omit<LoginAccount, 'deactivatedAt'> & { deactivatedAt: Date | null }
type Candidate = Row & { way: 'exact' | 'spelling' | 'address'; isConfirmed: boolean }

const COLUMNS = `id, username, email, is_active AS "isActive", is_superuser AS "isSuperuser",
  password_hash AS "passwordHash", deactivation_reason AS "deactivationReason", deactivated_at AS "deactivatedAt",
  deactivation_message AS "deactivationMessage"`
const LIVE = 'deleted_at IS NULL AND NOT is_anonymous'

/** The accounts that somebody can log in to, in PostgreSQL. */
export class PgLoginStore implements AccountFinder, LoginStore {
  readonly #manager: EntityManager

  constructor(manager: EntityManager) {
    this.#manager = manager
  }

  async byLogin(login: string): Promise<LoginAccount | null> {
    const candidates = await this.#manager.query<Candidate[]>(CANDIDATES, [login])
    return chosen(candidates)
  }

  /** The account of that id, under the same conditions. */
  async byId(id: number): Promise<LoginAccount | null> {
    const [row] = await this.#manager.query<Row[]>(`SELECT ${COLUMNS} FROM users WHERE id = $1 AND ${LIVE}`, [id])
    return row === undefined ? null : accountOf(row)
  }

  async hold(id: number): Promise<LoginAccount | null> {
    const statement = `SELECT ${COLUMNS} FROM users WHERE id = $1 AND ${LIVE} FOR NO KEY UPDATE`
    const [row] = await this.#manager.query<Row[]>(statement, [id])
    return row === undefined ? null : accountOf(row)
  }

  async loggedIn(id: number, passwordHash: string | null): Promise<void> {
    await this.#manager.query(
      'UPDATE users SET last_login_at = now(), password_hash = coalesce($2, password_hash) WHERE id = $1',
      [id, passwordHash],
    )
  }
}

/** Three rows are enough: the exact one, or two that make a spelling or an address ambiguous. */
const CANDIDATES = `
  SELECT ${COLUMNS}, email_confirmed_at IS NOT NULL AS "isConfirmed",
    CASE WHEN username = $1 THEN 'exact' WHEN lower(username COLLATE "default") = lower($1) THEN 'spelling' ELSE 'address' END AS way
  FROM users
  WHERE ${LIVE} AND (lower(username COLLATE "default") = lower($1) OR (email <> '' AND lower(email) = lower($1)))
  ORDER BY username = $1 DESC, lower(username COLLATE "default") = lower($1) DESC LIMIT 3
`

function chosen(candidates: readonly Candidate[]): LoginAccount | null {
  const by = (way: Candidate['way']) => candidates.filter((candidate) => candidate.way === way)
  const [exact] = by('exact')
  if (exact !== undefined) return accountOf(exact)
  const [spelled, other] = by('spelling')
  if (spelled !== undefined) return other === undefined ? accountOf(spelled) : null
  const [addressed, ...others] = by('address')
  return addressed?.isConfirmed === true && others.length === 0 ? accountOf(addressed) : null
}

function accountOf(row: Row & Partial<Candidate>): LoginAccount {
  const { way: _way, isConfirmed: _isConfirmed, deactivatedAt, ...account } = row
  return { ...account, deactivatedAt: deactivatedAt?.toISOString() ?? null }
}
