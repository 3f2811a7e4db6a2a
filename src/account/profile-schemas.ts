import { type Static, Type } from 'typebox'
import { INT32 } from './user-schemas.ts'

const MAX_SETTINGS = 200
/** Longest text that a setting can hold, in code points, and the bound where the catalogue gives none. */
export const MAX_TEXT_LENGTH = 1000
/** What a setting of a profile can hold. */
export type SettingValue = boolean | string | number

const Part = Type.Number({ minimum: 0, maximum: 1 })
const Color = Type.Object({ r: Type.Number(), g: Type.Number(), b: Type.Number(), a: Type.Number() })

const Settings = Type.Unsafe<Record<string, unknown>>({
  type: 'object',
  additionalProperties: true,
  description: `Every setting of the catalogue by its name, and whatever else an import brought, as it is there. CATMAID's switches:
\`independent_ontology_workspace_is_default\`, \`show_text_label_tool\`, \`show_tagging_tool\`, \`show_cropping_tool\`, \`show_tracing_tool\`, \`show_ontology_tool\`, \`show_roi_tool\``,
})

const SettingsPatch = (description: string) =>
  Type.Unsafe<Record<string, SettingValue | null>>({
    type: 'object',
    maxProperties: MAX_SETTINGS,
    additionalProperties: { type: ['boolean', 'string', 'number', 'null'], maxLength: MAX_TEXT_LENGTH },
    description,
  })

/** What a user has switched on, and is shown as. */
export const Profile = Type.Object({
  settings: Settings,
  color: Type.Object(Color.properties, { description: 'Red, green, blue and opacity, each 0 to 1' }),
  primaryGroup: Type.Union([Type.Integer(), Type.Null()], {
    description: 'The id of a group that stands for the user; it gives no rights, and the user need not be in it',
  }),
})
export type Profile = Static<typeof Profile>

/** A profile after a write. */
export const WrittenProfile = Type.Object({ ...Profile.properties, revision: Type.Integer() })

/** The body that changes a profile; what is left out stays. */
export const ProfilePatch = Type.Object(
  {
    settings: Type.Optional(SettingsPatch('Settings by name; what is left out stays, null goes back to the default')),
    color: Type.Optional(
      Type.Object(
        { r: Part, g: Part, b: Part, a: Type.Optional(Type.Number({ minimum: 0, maximum: 1, default: 1 })) },
        { additionalProperties: false, description: 'Each part 0 to 1, kept to four decimals' },
      ),
    ),
    primaryGroup: Type.Optional(Type.Union([Type.Integer(INT32), Type.Null()], { description: 'null for none' })),
  },
  { additionalProperties: false },
)
export type ProfilePatch = Static<typeof ProfilePatch>

const CatalogueEntry = Type.Object({
  name: Type.String(),
  type: Type.Unsafe<'boolean' | 'string' | 'integer' | 'number' | 'enum'>({
    type: 'string',
    enum: ['boolean', 'string', 'integer', 'number', 'enum'],
  }),
  description: Type.String(),
  editedBy: Type.Unsafe<'superuser' | 'user'>({
    type: 'string',
    enum: ['superuser', 'user'],
    description: 'Who may set it; superusers may set all',
  }),
  default: Type.Unsafe<SettingValue>({ type: ['boolean', 'string', 'number'], description: 'As the catalogue says' }),
  maxLength: Type.Optional(Type.Integer()),
  minimum: Type.Optional(Type.Number()),
  maximum: Type.Optional(Type.Number()),
  values: Type.Optional(Type.Array(Type.String())),
})

/** What the profiles of new users begin with, and the settings that there are. */
export const ProfileDefaults = Type.Object({
  settings: Type.Unsafe<Record<string, SettingValue>>({
    type: 'object',
    additionalProperties: { type: ['boolean', 'string', 'number'] },
    description: 'The default of every setting: a stored one where there is one, else that of the catalogue',
  }),
  catalogue: Type.Array(CatalogueEntry, { description: 'The settings that there are, from PROFILE_SETTINGS_FILE' }),
})
export type ProfileDefaults = Static<typeof ProfileDefaults>

/** The defaults after a write. */
export const WrittenProfileDefaults = Type.Object({ ...ProfileDefaults.properties, revision: Type.Integer() })

/** The body that changes defaults; what is left out stays. */
export const ProfileDefaultsPatch = Type.Object(
  { settings: SettingsPatch('Defaults by name; what is left out stays, null goes back to that of the catalogue') },
  { additionalProperties: false },
)
export type ProfileDefaultsPatch = Static<typeof ProfileDefaultsPatch>

/** The body that sets everybody's settings to the defaults. */
export const DefaultsApplication = Type.Object(
  {
    includeAnonymous: Type.Optional(
      Type.Boolean({ default: false, description: 'Whether the anonymous user is set too' }),
    ),
    dryRun: Type.Optional(Type.Boolean({ default: false, description: 'Only count, change nothing' })),
  },
  { additionalProperties: false },
)

/** How many users an application changed, or would have, and how many it found as they should be. */
export const AppliedDefaults = Type.Object({
  updated: Type.Integer(),
  unchanged: Type.Integer(),
  revision: Type.Union([Type.Integer(), Type.Null()], { description: 'null for a dry run' }),
})
