import type { EntityManager } from 'typeorm'
import type { PrivateKey } from './access-token.ts'
import type { NewSigningKey } from './signing-key.ts'
import type { SigningKey } from './signing-key-schemas.ts'
import type { SigningKeyReader, SigningKeyStore } from './signing-key-service.ts'

/** Beside those of migrations and the embedded server. */
const ROTATION_LOCK = 7_318_511

type Row = { kid: string; createdAt: Date; activeFrom: Date; publishedUntil: Date | null }

/** Signing keys in PostgreSQL. */
export class PgSigningKeyStore implements SigningKeyReader, SigningKeyStore {
  readonly #manager: EntityManager

  constructor(manager: EntityManager) {
    this.#manager = manager
  }

  async list(): Promise<SigningKey[]> {
    const rows = await this.#manager.query<Row[]>(
      `SELECT kid, created_at AS "createdAt", active_from AS "activeFrom", published_until AS "publishedUntil"
       FROM signing_keys ORDER BY active_from, id`,
    )
    return rows.map(({ kid, createdAt, activeFrom, publishedUntil }) => ({
      kid,
      createdAt: createdAt.toISOString(),
      activeFrom: activeFrom.toISOString(),
      publishedUntil: publishedUntil?.toISOString() ?? null,
    }))
  }

  async active(): Promise<PrivateKey | null> {
    const [key] = await this.#manager.query<PrivateKey[]>(
      `SELECT kid, private_key AS "privateKey" FROM signing_keys
       WHERE active_from <= now() AND (published_until IS NULL OR published_until > now())
       ORDER BY active_from DESC, id DESC LIMIT 1`,
    )
    return key ?? null
  }

  async lock(): Promise<Date> {
    await this.#manager.query('SELECT pg_advisory_xact_lock($1)', [ROTATION_LOCK])
    const [{ now }] = await this.#manager.query(`SELECT date_trunc('milliseconds', clock_timestamp()) AS now`)
    return now
  }

  async add({ kid, publicKey, privateKey }: NewSigningKey, activeFrom: Date): Promise<void> {
    await this.#manager.query(
      'INSERT INTO signing_keys (kid, public_key, private_key, active_from) VALUES ($1, $2, $3, $4)',
      [kid, publicKey, privateKey, activeFrom],
    )
  }

  async setActiveFrom(kid: string, activeFrom: Date): Promise<void> {
    await this.#manager.query('UPDATE signing_keys SET active_from = $2 WHERE kid = $1', [kid, activeFrom])
  }

  async retireAllBut(kid: string, publishedUntil: Date): Promise<void> {
    await this.#manager.query('UPDATE signing_keys SET published_until = least(published_until, $2) WHERE kid <> $1', [
      kid,
      publishedUntil,
    ])
  }

  async removeRetired(now: Date): Promise<string[]> {
    const rows = await this.#manager.query<{ kid: string }[]>(
      'WITH removed AS (DELETE FROM signing_keys WHERE published_until <= $1 RETURNING kid) SELECT kid FROM removed',
      [now],
    )
    return rows.map(({ kid }) => kid)
  }
}
