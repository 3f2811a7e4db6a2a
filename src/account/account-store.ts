import type { EntityManager } from 'typeorm'
import type { Account, AccountStore, NewAccount, Revoked } from './account-ports.ts'

const COLUMNS = `id, username, email, first_name AS "firstName", last_name AS "lastName", is_active AS "isActive",
  is_anonymous AS "isAnonymous", email_confirmed_at IS NOT NULL AS "isEmailConfirmed",
  NOT is_active AND deactivation_reason IS NOT DISTINCT FROM 'unconfirmed' AS "isUnconfirmed",
  password_hash AS "passwordHash"`

/** Accounts in PostgreSQL as far as their owners change them; deleted ones are not there. */
export class PgAccountStore implements AccountStore {
  readonly #manager: EntityManager

  constructor(manager: EntityManager) {
    this.#manager = manager
  }

  async find(id: number): Promise<Account | null> {
    const [account] = await this.#manager.query<Account[]>(
      `SELECT ${COLUMNS} FROM users WHERE id = $1 AND deleted_at IS NULL`,
      [id],
    )
    return account ?? null
  }

  /** Reads an account and keeps others from changing it until the transaction ends. */
  async hold(id: number): Promise<Account | null> {
    const [account] = await this.#manager.query<Account[]>(
      `SELECT ${COLUMNS} FROM users WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE`,
      [id],
    )
    return account ?? null
  }

  /**
   * The accounts with this address in whatever spelling, at most `limit`, the oldest first, held until the transaction
   * ends.
   *
   * @param spellings all that count as the same address; upper and lower case are alike
   */
  holdByAddress(spellings: readonly string[], limit: number): Promise<Account[]> {
    return this.#manager.query(
      `SELECT ${COLUMNS} FROM users
       WHERE lower(email) = ANY (SELECT lower(spelling) FROM unnest($1::text[]) AS spelling)
         AND email <> '' AND deleted_at IS NULL AND NOT is_anonymous
       ORDER BY id LIMIT $2 FOR NO KEY UPDATE`,
      [spellings, limit],
    )
  }

  /** Whether some user, deleted ones too, has this login in any spelling. */
  async isLoginInAnySpelling(username: string): Promise<boolean> {
    const found = await this.#manager.query<object[]>(
      `SELECT FROM users WHERE lower(username COLLATE "default") = lower($1) LIMIT 1`,
      [username],
    )
    return found.length > 0
  }

  async add(account: NewAccount): Promise<number> {
    const [row] = await this.#manager.query<{ id: number }[]>(
      `INSERT INTO users (username, email, first_name, last_name, password_hash, terms_version, terms_accepted_at,
         is_active, deactivated_at, deactivation_reason)
       SELECT $1, $2, $3, $4, $5, $6, CASE WHEN $6::text IS NOT NULL THEN now() END,
         NOT $7::boolean, CASE WHEN $7 THEN now() END, CASE WHEN $7 THEN 'unconfirmed' END
       RETURNING id`,
      [
        account.username,
        account.email,
        account.firstName,
        account.lastName,
        account.passwordHash,
        account.termsVersion,
        account.isUnconfirmed,
      ],
    )
    if (row === undefined) throw new Error('a user that was just added is not there')
    return row.id
  }

  /** Opens an account whose owner confirmed its address. */
  async confirm(id: number, keepPassword: boolean): Promise<void> {
    await this.#manager.query(
      `UPDATE users SET is_active = true, deactivated_at = NULL, deactivation_reason = NULL, email_confirmed_at = now(),
         password_hash = CASE WHEN $2 THEN password_hash END
       WHERE id = $1`,
      [id, keepPassword],
    )
  }

  /** Sets another password; `confirmsEmail` where setting it proved that the owner reads the address. */
  async setPassword(id: number, passwordHash: string, confirmsEmail: boolean): Promise<void> {
    await this.#manager.query(
      `UPDATE users SET password_hash = $2,
         email_confirmed_at = CASE WHEN $3 THEN coalesce(email_confirmed_at, now()) ELSE email_confirmed_at END
       WHERE id = $1`,
      [id, passwordHash, confirmsEmail],
    )
  }

  /** Gives the account another address, which its owner just confirmed. */
  async setEmail(id: number, email: string): Promise<void> {
    await this.#manager.query('UPDATE users SET email = $2, email_confirmed_at = clock_timestamp() WHERE id = $1', [
      id,
      email,
    ])
  }

  /** Ends the sessions of a user but the one that is excepted, and the API tokens where asked for. */
  async revoke(
    id: number,
    what: { sessions: boolean; exceptSession: number | null; apiTokens: boolean; reason: string },
  ): Promise<Revoked> {
    const [counts] = await this.#manager.query<Revoked[]>(
      `WITH ended AS (
         INSERT INTO ended_sessions (id, reason)
         SELECT s.id, $2 FROM sessions s WHERE $3 AND s.user_id = $1 AND s.id IS DISTINCT FROM $4::integer
           AND s.expires_at > now()
         ON CONFLICT DO NOTHING RETURNING id),
       token AS (DELETE FROM api_tokens WHERE $5 AND user_id = $1 RETURNING expires_at)
       SELECT (SELECT count(*)::integer FROM ended) AS "revokedSessions",
         (SELECT count(*)::integer FROM token WHERE expires_at IS NULL OR expires_at > now()) AS "revokedApiTokens"`,
      [id, what.reason, what.sessions, what.exceptSession, what.apiTokens],
    )
    return counts ?? { revokedSessions: 0, revokedApiTokens: 0 }
  }

  /** Accounts that waited for their confirmation for longer than that. */
  async unconfirmedFor(ms: number): Promise<number[]> {
    const rows = await this.#manager.query<{ id: number }[]>(
      `SELECT id FROM users WHERE NOT is_active AND deactivation_reason = 'unconfirmed'
         AND created_at < now() - $1 * interval '1 millisecond' ORDER BY id LIMIT 1000`,
      [ms],
    )
    return rows.map(({ id }) => id)
  }

  /**
   * Removes an account that was never confirmed, its row too: nobody ever used its login. With it goes the group of its
   * name when the registration made it and nobody has done anything with it since; gives back its id.
   */
  async removeUnconfirmed(id: number): Promise<{ removedGroup: number | null }> {
    const [group] = await this.#manager.query<{ id: number }[]>(
      `SELECT g.id FROM groups g JOIN users u ON g.name = u.username AND g.created_at = u.created_at
       WHERE u.id = $1 AND NOT EXISTS (SELECT FROM memberships WHERE group_id = g.id)
         AND NOT EXISTS (SELECT FROM grants WHERE group_id = g.id)
         AND NOT EXISTS (SELECT FROM group_maintainers WHERE group_id = g.id)
       FOR UPDATE OF g`,
      [id],
    )
    // A mail on its way is held until the mail server has answered, and names wait for this transaction.
    await this.#manager.query(`SET LOCAL lock_timeout = '1s'`)
    if (group !== undefined) await this.#manager.query('DELETE FROM groups WHERE id = $1', [group.id])
    await this.#manager.query(
      `UPDATE mail_outbox SET state = CASE WHEN state IN ('queued', 'failed') THEN 'cancelled' ELSE state END,
         settled_at = coalesce(settled_at, now()), body = NULL, subject = '', recipient = '', reply_to = NULL
       WHERE user_id = $1`,
      [id],
    )
    await this.#manager.query('DELETE FROM users WHERE id = $1', [id])
    return { removedGroup: group?.id ?? null }
  }
}
