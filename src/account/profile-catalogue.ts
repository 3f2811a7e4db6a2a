import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { type Document, isNode, LineCounter, parseDocument } from 'yaml'
import { CatalogueFile, CatalogueSettings } from './profile-catalogue-schemas.ts'
import { type ProfileCatalogue, type ProfileSetting, settingFault } from './profile-setting.ts'

/** Parts of every profile that no setting may be mistaken for. */
const RESERVED = ['color', 'primaryGroup', 'settings']

/** The catalogue of profile settings cannot be used; the message names file, line and fault, a line of text each. */
export class ProfileCatalogueError extends Error {
  constructor(file: string, faults: readonly PlacedFault[], options: { cause?: unknown } = {}) {
    super(faults.map(({ line, detail }) => `${file}:${line}: ${detail}`).join('\n'), options)
    this.name = 'ProfileCatalogueError'
  }
}

type PlacedFault = { line: number; detail: string }
/** A fault at the place that the path leads to. */
type Fault = { path: readonly (string | number)[]; detail: string }

/**
 * Reads the catalogue of profile settings (YAML); the file that comes with the package says how it is written.
 *
 * @throws ProfileCatalogueError naming every fault with its line
 */
export function readProfileCatalogue(file: string, text: string): ProfileCatalogue {
  const lines = new LineCounter()
  const document = parseDocument(text, { uniqueKeys: true, lineCounter: lines, prettyErrors: false })
  const [broken] = document.errors
  if (broken !== undefined) {
    const { line } = lines.linePos(broken.pos[0])
    throw new ProfileCatalogueError(file, [{ line, detail: broken.message }], { cause: broken })
  }
  const content: unknown = document.toJS()
  const faults = faultsOf(content)
  if (faults.length > 0) {
    throw new ProfileCatalogueError(
      file,
      faults.map(({ path, detail }) => ({ line: lineOf(document, lines, path), detail })),
    )
  }
  const { settings } = content as { settings: ProfileSetting[] }
  return new Map(settings.map((setting) => [setting.name, setting]))
}

function faultsOf(content: unknown): Fault[] {
  const whole = schemaFaults(CatalogueFile, content, [])
  if (whole.length > 0) return whole
  const { settings } = content as { settings: Record<string, unknown>[] }
  return settings.flatMap((setting, index) => {
    const earlier = settings.slice(0, index).map(({ name }) => name)
    return settingFaults(setting, earlier, ['settings', index])
  })
}

function settingFaults(setting: Record<string, unknown>, earlier: readonly unknown[], path: Fault['path']): Fault[] {
  const schema = Object.entries(CatalogueSettings).find(([type]) => type === setting.type)?.[1]
  if (schema === undefined) {
    const detail = `type must be one of ${Object.keys(CatalogueSettings).join(', ')}`
    return [{ path: [...path, 'type'], detail }]
  }
  const faults = schemaFaults(schema, setting, path)
  return faults.length > 0 ? faults : meaningFaults(setting as ProfileSetting, earlier, path)
}

/** What is well written and makes no sense all the same. */
function meaningFaults(setting: ProfileSetting, earlier: readonly unknown[], path: Fault['path']): Fault[] {
  const faults: Fault[] = []
  const { name } = setting
  if (RESERVED.includes(name)) faults.push({ path: [...path, 'name'], detail: `every profile has its own ${name}` })
  if (earlier.includes(name)) faults.push({ path: [...path, 'name'], detail: `${name} stands here a second time` })
  const { minimum, maximum } = setting as { minimum?: number; maximum?: number }
  if (minimum !== undefined && maximum !== undefined && minimum > maximum) {
    faults.push({ path: [...path, 'minimum'], detail: `the minimum of ${name} is above its maximum` })
  }
  const unfit = settingFault(setting, setting.default)
  if (unfit !== null) faults.push({ path: [...path, 'default'], detail: `the default of ${name} ${unfit}` })
  return faults
}

function schemaFaults(schema: TSchema, value: unknown, path: Fault['path']): Fault[] {
  return Value.Errors(schema, value).flatMap(({ keyword, instancePath, params, message }): Fault[] => {
    // Said already by `additionalProperties`, with the name.
    if (keyword === 'boolean') return []
    const within = instancePath.split('/').slice(1)
    const { requiredProperties, additionalProperties, allowedValues } = params as Record<string, string[] | undefined>
    const place = [...path, ...within]
    if (requiredProperties) return requiredProperties.map((name) => ({ path: place, detail: `${name} is missing` }))
    if (additionalProperties) {
      return additionalProperties.map((name) => ({ path: [...place, name], detail: `${name} is not known here` }))
    }
    const subject = within.join('.') || (path.length === 0 ? 'the file' : 'a setting')
    return [
      { path: place, detail: `${subject} ${allowedValues ? `must be one of ${allowedValues.join(', ')}` : message}` },
    ]
  })
}

/** The line of what the path leads to, or of the nearest thing around it that is there. */
function lineOf(document: Document, lines: LineCounter, path: Fault['path']): number {
  for (let length = path.length; length > 0; length -= 1) {
    const node = document.getIn(path.slice(0, length), true)
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line
  }
  return 1
}
