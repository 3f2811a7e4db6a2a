import type { EntityManager } from 'typeorm'
import type { NewServiceKey, ServiceKey, ServiceKeyFilter } from './service-key-schemas.ts'
import type { ServiceKeyPage, ServiceKeyReader, ServiceKeyStore } from './service-key-service.ts'

type Row = Omit<ServiceKey, 'createdAt'> & { createdAt: Date }

/** Every column but the hash of the key, which nobody has to see. */
const COLUMNS = 'id, name, scopes, key_start AS "keyStart", created_at AS "createdAt", created_by AS "createdBy"'

/** Service keys in PostgreSQL. */
export class PgServiceKeyStore implements ServiceKeyReader, ServiceKeyStore {
  readonly #manager: EntityManager

  constructor(manager: EntityManager) {
    this.#manager = manager
  }

  find(id: number): Promise<ServiceKey | null> {
    return this.#one(`SELECT ${COLUMNS} FROM service_keys WHERE id = $1`, [id])
  }

  async list({ name }: ServiceKeyFilter, { limit, sort, descending, after }: ServiceKeyPage): Promise<ServiceKey[]> {
    const key = { id: 'id', name: 'name' }[sort]
    const direction = descending ? 'DESC' : 'ASC'
    const rows = await this.#manager.query<Row[]>(
      `SELECT ${COLUMNS} FROM service_keys
       WHERE ($1::text IS NULL OR name = $1)
         AND ($2::integer IS NULL OR (${key}, id) ${descending ? '<' : '>'} ($3, $2))
       ORDER BY ${key} ${direction}, id ${direction} LIMIT $4`,
      [name ?? null, after?.id ?? null, after?.value ?? null, limit + 1],
    )
    return rows.map(shown)
  }

  async nameTaken(name: string): Promise<boolean> {
    return (await this.#one(`SELECT ${COLUMNS} FROM service_keys WHERE name = $1`, [name])) !== null
  }

  async add(key: NewServiceKey & { keyHash: string; keyStart: string; createdBy: string }): Promise<ServiceKey> {
    const made = await this.#one(
      `INSERT INTO service_keys (name, scopes, key_hash, key_start, created_by)
       VALUES ($1, $2, decode($3, 'hex'), $4, $5) RETURNING ${COLUMNS}`,
      [key.name, key.scopes, key.keyHash, key.keyStart, key.createdBy],
    )
    if (made === null) throw new Error('a service key that was just added is not there')
    return made
  }

  remove(id: number): Promise<ServiceKey | null> {
    return this.#one(
      `WITH removed AS (DELETE FROM service_keys WHERE id = $1 RETURNING *) SELECT ${COLUMNS} FROM removed`,
      [id],
    )
  }

  async #one(statement: string, parameters: unknown[]): Promise<ServiceKey | null> {
    const [row] = await this.#manager.query<Row[]>(statement, parameters)
    return row === undefined ? null : shown(row)
  }
}

const shown = ({ createdAt, ...row }: Row): ServiceKey => ({ ...row, createdAt: createdAt.toISOString() })
