import { DomainError, type FieldFault } from '../errors.ts'
import type { Committed, PolicyWrite, WriteContext } from '../policy/policy-write.ts'
import { type Color, colorForUser, kept } from './profile-color.ts'
import type { Profile, ProfileDefaults, ProfileDefaultsPatch, ProfilePatch, SettingValue } from './profile-schemas.ts'
import { defaultsInForce, type ProfileCatalogue, settingFault, settingsInForce } from './profile-setting.ts'

/** What is kept of a user's profile: nothing at all is as good as a row. */
export type StoredProfile = {
  settings: Readonly<Record<string, unknown>>
  /** Null for the color that the user's id gives. */
  color: Color | null
  primaryGroup: number | null
}

/** Reads profiles and what new ones begin with. */
export interface ProfileReader {
  /** Null when there is no such user, or a deleted one. */
  find(userId: number): Promise<StoredProfile | null>
  /** Defaults that beat those of the catalogue, by name. */
  storedDefaults(): Promise<Record<string, unknown>>
  /** How many users an application of these settings would change, and how many not. */
  countApplication(settings: Record<string, SettingValue>, includeAnonymous: boolean): Promise<Applied>
}

/** What changes in a profile: settings to set and to take out, and what else is given. */
export type ProfileChanges = {
  set: Record<string, SettingValue>
  unset: string[]
  color?: Color
  primaryGroup?: number | null
}

/** What a write about profiles needs, in its transaction. */
export interface ProfileStore extends ProfileReader {
  /** Reads a profile and keeps others from changing it until the transaction ends. */
  hold(userId: number): Promise<StoredProfile | null>
  change(userId: number, changes: ProfileChanges): Promise<void>
  /** Whether there is this group, which then stays until the transaction ends. */
  holdGroup(id: number): Promise<boolean>
  /** Reads the stored defaults and keeps others from changing them until the transaction ends. */
  holdDefaults(): Promise<Record<string, unknown>>
  changeDefaults(set: Record<string, SettingValue>, unset: string[]): Promise<void>
  /** Gives every user these settings, and none of the settings that the users have beside them another value. */
  apply(settings: Record<string, SettingValue>, includeAnonymous: boolean): Promise<Applied>
}

/** How many users were changed, and how many were as they should be. */
export type Applied = { updated: number; unchanged: number }

type Stores = { profiles: ProfileStore }

/**
 * What users have switched on, and are shown as.
 *
 * Settings that control access to tools are set by superusers; what is the user's own, like the color, by the user. What
 * an import brought and the catalogue does not know is kept and shown, and cannot be changed here.
 */
export class ProfileService {
  /** The settings that there are. */
  readonly catalogue: ProfileCatalogue
  readonly #write: PolicyWrite<Stores>
  readonly #profiles: ProfileReader

  constructor(write: PolicyWrite<Stores>, profiles: ProfileReader, catalogue: ProfileCatalogue) {
    this.#write = write
    this.#profiles = profiles
    this.catalogue = catalogue
  }

  /** @throws DomainError `not-found`, also for a deleted user */
  async get(userId: number): Promise<Profile> {
    const stored = known(userId, await this.#profiles.find(userId))
    return shown(this.catalogue, userId, stored, await this.#profiles.storedDefaults())
  }

  /**
   * Changes a profile; in person, only what is for users to change.
   *
   * @throws DomainError `not-found`, `not-permitted`, `profile-invalid`
   */
  async update(context: WriteContext, userId: number, patch: ProfilePatch): Promise<Committed<Profile>> {
    if (context.inPerson !== null) refuseOthers(this.catalogue, patch)
    return this.#write(context, async ({ profiles }, audit) => {
      const stored = known(userId, await profiles.hold(userId))
      const changes = this.#changesOf(userId, stored, patch)
      if (typeof changes.primaryGroup === 'number' && !(await profiles.holdGroup(changes.primaryGroup))) {
        throw invalid([{ pointer: '/primaryGroup', detail: `there is no group ${changes.primaryGroup}` }])
      }
      if (isChange(changes)) {
        await profiles.change(userId, changes)
        audit({ action: 'profile.update', target: `user:${userId}`, ...trailOf(userId, stored, changes) })
      }
      const { set, unset, ...rest } = changes
      return shown(
        this.catalogue,
        userId,
        { ...stored, ...rest, settings: merged(stored.settings, set, unset) },
        await profiles.storedDefaults(),
      )
    })
  }

  /** What the profiles of new users begin with. */
  async defaults(): Promise<ProfileDefaults> {
    return this.#defaultsOf(await this.#profiles.storedDefaults())
  }

  /**
   * Changes what the profiles of new users begin with; those that there are stay as they are.
   *
   * @throws DomainError `profile-invalid`
   */
  updateDefaults(context: WriteContext, patch: ProfileDefaultsPatch): Promise<Committed<ProfileDefaults>> {
    return this.#write(context, async ({ profiles }, audit) => {
      const stored = await profiles.holdDefaults()
      const { set, unset } = settingChanges(this.catalogue, stored, patch.settings)
      if (isChange({ set, unset })) {
        await profiles.changeDefaults(set, unset)
        const { before, after } = settingTrail(stored, { set, unset })
        audit({ action: 'profile-defaults.update', target: 'profile-defaults:all', before, after })
      }
      return this.#defaultsOf(merged(stored, set, unset))
    })
  }

  /** Sets the settings of every user to the defaults in force; never the color or the primary group. */
  applyDefaults(
    context: WriteContext,
    { includeAnonymous }: { includeAnonymous: boolean },
  ): Promise<Committed<Applied>> {
    return this.#write(context, async ({ profiles }, audit) => {
      const settings = defaultsInForce(this.catalogue, await profiles.holdDefaults())
      const applied = await profiles.apply(settings, includeAnonymous)
      if (applied.updated > 0) {
        const after = { settings, includeAnonymous, ...applied }
        audit({ action: 'profile-defaults.apply', target: 'profile-defaults:all', after })
      }
      return applied
    })
  }

  /** What {@link applyDefaults} would do now. */
  async previewDefaults({ includeAnonymous }: { includeAnonymous: boolean }): Promise<Applied> {
    const settings = defaultsInForce(this.catalogue, await this.#profiles.storedDefaults())
    return this.#profiles.countApplication(settings, includeAnonymous)
  }

  #defaultsOf(stored: Record<string, unknown>): ProfileDefaults {
    const catalogue = [...this.catalogue.values()] as ProfileDefaults['catalogue']
    return { settings: defaultsInForce(this.catalogue, stored), catalogue }
  }

  #changesOf(userId: number, stored: StoredProfile, patch: ProfilePatch): ProfileChanges {
    const changes: ProfileChanges = settingChanges(this.catalogue, stored.settings, patch.settings ?? {})
    if (patch.color !== undefined) {
      const color = kept({ a: 1, ...patch.color })
      if (!sameColor(color, stored.color ?? colorForUser(userId))) changes.color = color
    }
    const { primaryGroup } = patch
    if (primaryGroup !== undefined && primaryGroup !== stored.primaryGroup) changes.primaryGroup = primaryGroup
    return changes
  }
}

function known(userId: number, stored: StoredProfile | null): StoredProfile {
  if (stored === null) throw new DomainError('not-found', `there is no user ${userId}`)
  return stored
}

const shown = (
  catalogue: ProfileCatalogue,
  userId: number,
  { settings, color, primaryGroup }: StoredProfile,
  storedDefaults: Record<string, unknown>,
): Profile => ({
  settings: settingsInForce(catalogue, defaultsInForce(catalogue, storedDefaults), settings),
  color: color ?? colorForUser(userId),
  primaryGroup,
})

/** In person, whatever superusers set is refused, all of it in one answer, also where it would change nothing. */
function refuseOthers(catalogue: ProfileCatalogue, { settings = {}, primaryGroup }: ProfilePatch): void {
  const names = Object.keys(settings).filter((name) => catalogue.get(name)?.editedBy === 'superuser')
  const pointers = [...names.map(pointerTo), ...(primaryGroup === undefined ? [] : ['/primaryGroup'])]
  if (pointers.length === 0) return
  const faults = pointers.map((pointer) => ({ pointer, detail: 'is for superusers to set' }))
  throw new DomainError('not-permitted', 'superusers set this, users do not', { faults })
}

/**
 * What a patch changes in what is stored; what is sent back as it is stored passes, though the catalogue does not know it.
 *
 * @throws DomainError `profile-invalid`
 */
function settingChanges(
  catalogue: ProfileCatalogue,
  stored: Readonly<Record<string, unknown>>,
  patch: Readonly<Record<string, SettingValue | null>>,
): { set: Record<string, SettingValue>; unset: string[] } {
  const given = Object.entries(patch).filter(([name, value]) => !Object.hasOwn(stored, name) || stored[name] !== value)
  const faults = given.flatMap(([name, value]): FieldFault[] => {
    const setting = catalogue.get(name)
    if (setting === undefined) return [{ pointer: pointerTo(name), detail: 'is no setting of the catalogue' }]
    const detail = value === null ? null : settingFault(setting, value)
    return detail === null ? [] : [{ pointer: pointerTo(name), detail }]
  })
  if (faults.length > 0) throw invalid(faults)
  return {
    set: Object.fromEntries(given.filter((entry): entry is [string, SettingValue] => entry[1] !== null)),
    unset: given.flatMap(([name, value]) => (value === null && Object.hasOwn(stored, name) ? [name] : [])),
  }
}

const invalid = (faults: FieldFault[]) => new DomainError('profile-invalid', 'a setting was refused', { faults })

/** A name that a caller made up is not repeated at any length. */
const pointerTo = (name: string) => `/settings/${name.slice(0, 100).replaceAll('~', '~0').replaceAll('/', '~1')}`

const isChange = ({ set, unset, ...rest }: ProfileChanges) =>
  Object.keys(set).length + unset.length + Object.keys(rest).length > 0

function merged(stored: Readonly<Record<string, unknown>>, set: Record<string, unknown>, unset: string[]) {
  const left = Object.entries(stored).filter(([name]) => !unset.includes(name))
  return { ...Object.fromEntries(left), ...set }
}

/** Before and after of the settings that changed; null for what is not stored. */
function settingTrail(
  stored: Readonly<Record<string, unknown>>,
  { set, unset }: { set: Record<string, SettingValue>; unset: string[] },
): { before: object; after: object } {
  const names = [...Object.keys(set), ...unset]
  const of = (values: Readonly<Record<string, unknown>>) =>
    Object.fromEntries(names.map((name) => [name, values[name] ?? null]))
  return { before: { settings: of(stored) }, after: { settings: of(set) } }
}

function trailOf(userId: number, stored: StoredProfile, changes: ProfileChanges): { before: object; after: object } {
  const { set, unset, ...rest } = changes
  const settings = isChange({ set, unset }) ? settingTrail(stored.settings, changes) : { before: {}, after: {} }
  return {
    before: {
      ...settings.before,
      ...(rest.color && { color: stored.color ?? colorForUser(userId) }),
      ...(rest.primaryGroup !== undefined && { primaryGroup: stored.primaryGroup }),
    },
    after: { ...settings.after, ...rest },
  }
}

const sameColor = (one: Color, other: Color) =>
  one.r === other.r && one.g === other.g && one.b === other.b && one.a === other.a
