import { MAX_TEXT_LENGTH, type SettingValue } from './profile-schemas.ts'

/** A setting of a profile, as the operator's catalogue describes it. */
export type ProfileSetting = {
  readonly name: string
  readonly description: string
  /** Who may set it; superusers may set all. */
  readonly editedBy: 'superuser' | 'user'
  readonly default: SettingValue
} & (
  | { readonly type: 'boolean' }
  | { readonly type: 'string'; readonly maxLength?: number }
  | { readonly type: 'integer' | 'number'; readonly minimum?: number; readonly maximum?: number }
  | { readonly type: 'enum'; readonly values: readonly string[] }
)

/** The settings that there are, by name, in the order to show them. */
export type ProfileCatalogue = ReadonlyMap<string, ProfileSetting>

/** Why a setting cannot hold a value, as the end of a sentence; null when it can. */
export function settingFault(setting: ProfileSetting, value: unknown): string | null {
  switch (setting.type) {
    case 'boolean':
      return typeof value === 'boolean' ? null : 'must be true or false'
    case 'string':
      return textFault(value, setting.maxLength ?? MAX_TEXT_LENGTH)
    case 'enum':
      return setting.values.some((one) => one === value) ? null : `must be one of ${setting.values.join(', ')}`
    default:
      return numberFault(setting, value)
  }
}

/**
 * The defaults in force: those stored beat those of the catalogue. A stored one that its setting can no longer hold, or
 * whose setting is gone, counts for nothing.
 */
export function defaultsInForce(
  catalogue: ProfileCatalogue,
  stored: Readonly<Record<string, unknown>>,
): Record<string, SettingValue> {
  return Object.fromEntries(
    [...catalogue.values()].map((setting) => [setting.name, fitting(setting, stored[setting.name]) ?? setting.default]),
  )
}

/**
 * Every setting of a profile: what is stored where the setting can hold it, else the default; and whatever is stored
 * that the catalogue does not know, as it is.
 */
export function settingsInForce(
  catalogue: ProfileCatalogue,
  defaults: Readonly<Record<string, SettingValue>>,
  stored: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const unknown = Object.entries(stored).filter(([name]) => !catalogue.has(name))
  const known = [...catalogue.values()].map((setting) => [
    setting.name,
    fitting(setting, stored[setting.name]) ?? defaults[setting.name],
  ])
  return Object.fromEntries([...known, ...unknown])
}

function fitting(setting: ProfileSetting, value: unknown): SettingValue | undefined {
  return value !== undefined && settingFault(setting, value) === null ? (value as SettingValue) : undefined
}

function textFault(value: unknown, maxLength: number): string | null {
  if (typeof value !== 'string') return 'must be a text'
  return [...value].length > maxLength ? `is longer than ${maxLength} characters` : null
}

function numberFault(
  { type, minimum, maximum }: { type: 'integer' | 'number'; minimum?: number; maximum?: number },
  value: unknown,
): string | null {
  const isNumber = type === 'integer' ? Number.isSafeInteger(value) : Number.isFinite(value)
  if (!isNumber) return type === 'integer' ? 'must be a whole number' : 'must be a number'
  if (minimum !== undefined && (value as number) < minimum) return `must be ${minimum} or more`
  if (maximum !== undefined && (value as number) > maximum) return `must be ${maximum} or less`
  return null
}
