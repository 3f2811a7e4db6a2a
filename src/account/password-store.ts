import type { EntityManager } from 'typeorm'
import type { StoredKinds } from './password-hashing.ts'

/** The hashes that accounts have, in PostgreSQL. */
export class PgPasswordStore implements StoredKinds {
  readonly #manager: EntityManager

  constructor(manager: EntityManager) {
    this.#manager = manager
  }

  async samples(): Promise<string[]> {
    const rows = await this.#manager.query<{ sample: string }[]>(SAMPLES)
    return rows.map(({ sample }) => sample)
  }
}

/** What stands before salt and hash is the kind. */
const SAMPLES = `
  SELECT min(password_hash) AS sample FROM users WHERE password_hash IS NOT NULL
  GROUP BY CASE
    WHEN password_hash LIKE 'pbkdf2%' THEN split_part(password_hash, '$', 1) || '$' || split_part(password_hash, '$', 2)
    WHEN password_hash LIKE 'bcrypt%' THEN left(password_hash, strpos(password_hash, '$') + 7)
    ELSE substring(password_hash FROM 'argon2id?d?[$]v=[0-9]+[$]m=[0-9]+,t=[0-9]+,p=[0-9]+') END
  ORDER BY count(*) DESC LIMIT 100
`
