import { Type } from 'typebox'
import { MAX_TEXT_LENGTH } from './profile-schemas.ts'

const MAX_SETTINGS = 200

const common = {
  name: Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_]{0,62}$' }),
  description: Type.String({ minLength: 1, maxLength: 500 }),
  editedBy: Type.Unsafe<'superuser' | 'user'>({ type: 'string', enum: ['superuser', 'user'] }),
}
const setting = (type: string, more: Parameters<typeof Type.Object>[0]) =>
  Type.Object({ ...common, type: Type.Literal(type), ...more }, { additionalProperties: false })
const bounds = { minimum: Type.Optional(Type.Number()), maximum: Type.Optional(Type.Number()) }

/** The whole file: a list of settings, each of which is looked at by its type. */
export const CatalogueFile = Type.Object(
  { settings: Type.Array(Type.Object({}), { maxItems: MAX_SETTINGS }) },
  { additionalProperties: false },
)

/** What a setting of each type says of itself. Whether its default fits, its own bounds tell. */
export const CatalogueSettings = {
  boolean: setting('boolean', { default: Type.Boolean() }),
  string: setting('string', {
    default: Type.String(),
    maxLength: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_TEXT_LENGTH })),
  }),
  integer: setting('integer', { default: Type.Integer(), ...bounds }),
  number: setting('number', { default: Type.Number(), ...bounds }),
  enum: setting('enum', {
    default: Type.String(),
    values: Type.Array(Type.String({ minLength: 1, maxLength: 100 }), {
      minItems: 1,
      maxItems: 100,
      uniqueItems: true,
    }),
  }),
}
