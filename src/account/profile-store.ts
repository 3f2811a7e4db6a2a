import type { EntityManager } from 'typeorm'
import { type Color, colorForUser } from './profile-color.ts'
import type { SettingValue } from './profile-schemas.ts'
import type { Applied, ProfileChanges, ProfileReader, ProfileStore, StoredProfile } from './profile-service.ts'
import { defaultsInForce, type ProfileCatalogue } from './profile-setting.ts'

type Row = { settings: Record<string, unknown>; color: (number | null)[] | null; primaryGroup: number | null }

const PROFILE = `
  SELECT coalesce(p.settings, '{}') AS settings, p.color, p.primary_group_id AS "primaryGroup"
  FROM users u LEFT JOIN profiles p ON p.user_id = u.id WHERE u.id = $1 AND u.deleted_at IS NULL`

/** Users whom an application of defaults is about; $1 are the settings, $2 whether the anonymous user is one of them. */
const TARGETS = `
  SELECT u.id, coalesce(p.settings, '{}') AS settings,
    -- a setting that is not stored reads as its default: nothing differs
    coalesce(p.settings || $1::jsonb <> $1::jsonb || p.settings, false) AS differs
  FROM users u LEFT JOIN profiles p ON p.user_id = u.id
  WHERE u.deleted_at IS NULL AND ($2 OR NOT u.is_anonymous)`

const COUNTS = `
  SELECT count(*) FILTER (WHERE differs)::integer AS updated, count(*) FILTER (WHERE NOT differs)::integer AS unchanged`

/** Profiles in PostgreSQL. */
export class PgProfileStore implements ProfileReader, ProfileStore {
  readonly #manager: EntityManager
  readonly #catalogue: ProfileCatalogue

  constructor(manager: EntityManager, catalogue: ProfileCatalogue) {
    this.#manager = manager
    this.#catalogue = catalogue
  }

  async find(userId: number): Promise<StoredProfile | null> {
    const [row] = await this.#manager.query<Row[]>(PROFILE, [userId])
    return storedOf(row)
  }

  async hold(userId: number): Promise<StoredProfile | null> {
    const [row] = await this.#manager.query<Row[]>(`${PROFILE} FOR NO KEY UPDATE OF u`, [userId])
    return storedOf(row)
  }

  async change(userId: number, { set, unset, color, primaryGroup }: ProfileChanges): Promise<void> {
    await this.#manager.query(
      `INSERT INTO profiles AS p (user_id, settings, color, primary_group_id)
       VALUES ($1, $2::jsonb, $4::real[], $5::integer)
       ON CONFLICT (user_id) DO UPDATE SET settings = (p.settings || $2::jsonb) - $3::text[],
         color = coalesce($4, p.color), primary_group_id = CASE WHEN $6 THEN $5 ELSE p.primary_group_id END`,
      [userId, JSON.stringify(set), unset, partsOf(color), primaryGroup ?? null, primaryGroup !== undefined],
    )
  }

  /** The profile of a user who was just made: the defaults of now, which later defaults do not change. */
  async addFor(userId: number): Promise<void> {
    const settings = defaultsInForce(this.#catalogue, await this.storedDefaults())
    await this.#manager.query('INSERT INTO profiles (user_id, settings, color) VALUES ($1, $2::jsonb, $3::real[])', [
      userId,
      JSON.stringify(settings),
      partsOf(colorForUser(userId)),
    ])
  }

  async holdGroup(id: number): Promise<boolean> {
    const found = await this.#manager.query<object[]>('SELECT FROM groups WHERE id = $1 FOR KEY SHARE', [id])
    return found.length > 0
  }

  async storedDefaults(): Promise<Record<string, unknown>> {
    const rows = await this.#manager.query<{ name: string; value: unknown }[]>(
      'SELECT name, value FROM profile_defaults',
    )
    return Object.fromEntries(rows.map(({ name, value }) => [name, value]))
  }

  async holdDefaults(): Promise<Record<string, unknown>> {
    await this.#manager.query('LOCK TABLE profile_defaults IN SHARE ROW EXCLUSIVE MODE')
    return this.storedDefaults()
  }

  async changeDefaults(set: Record<string, SettingValue>, unset: string[]): Promise<void> {
    await this.#manager.query('DELETE FROM profile_defaults WHERE name = ANY ($1)', [unset])
    await this.#manager.query(
      `INSERT INTO profile_defaults (name, value) SELECT key, value FROM jsonb_each($1::jsonb)
       ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
      [JSON.stringify(set)],
    )
  }

  async countApplication(settings: Record<string, SettingValue>, includeAnonymous: boolean): Promise<Applied> {
    const [counts] = await this.#manager.query<Applied[]>(`${COUNTS} FROM (${TARGETS}) AS target`, [
      JSON.stringify(settings),
      includeAnonymous,
    ])
    return counts ?? { updated: 0, unchanged: 0 }
  }

  async apply(settings: Record<string, SettingValue>, includeAnonymous: boolean): Promise<Applied> {
    const parameters = [JSON.stringify(settings), includeAnonymous]
    // Nobody's profile is changed between counting and setting.
    await this.#manager.query('LOCK TABLE profiles IN SHARE ROW EXCLUSIVE MODE')
    const [counts] = await this.#manager.query<Applied[]>(
      `WITH target AS MATERIALIZED (${TARGETS}),
         changed AS (UPDATE profiles p SET settings = p.settings || $1::jsonb FROM target t
           WHERE t.differs AND p.user_id = t.id)
       ${COUNTS} FROM target`,
      parameters,
    )
    return counts ?? { updated: 0, unchanged: 0 }
  }
}

function storedOf(row: Row | undefined): StoredProfile | null {
  return row === undefined ? null : { ...row, color: colorOf(row.color) }
}

/** A color that somebody wrote by hand may be none. */
function colorOf(parts: Row['color']): Color | null {
  const [r, g, b, a] = parts ?? []
  const isWhole = [r, g, b, a].every((part) => Number.isFinite(part))
  return isWhole ? ({ r, g, b, a } as Color) : null
}

const partsOf = (color: Color | undefined) => (color === undefined ? null : [color.r, color.g, color.b, color.a])
