import { ALL_PERMISSIONS } from './grant-table.ts'
import { LinkGraph } from './link-graph.ts'
import type { Narrowing } from './narrowing.ts'
import type { PolicyModel } from './policy-model.ts'
import { PERMISSIONS } from './policy-state.ts'

/** Which permissions of rules satisfy an asked one: those of the seven as bits, and all by name; null: whichever. */
export type Satisfying = { readonly bits: number; readonly names: ReadonlySet<string> | null }

/**
 * What satisfies each of the seven permissions, by their places in PERMISSIONS (D6).
 *
 * @param form how the matcher compares the permission of a rule with the asked one
 */
export function satisfyingPermissions(
  { rules, implications }: PolicyModel,
  form: Narrowing['permission'],
): readonly Satisfying[] {
  if (form === null) return PERMISSIONS.map(() => ({ bits: ALL_PERMISSIONS, names: null }))
  const links = new LinkGraph(implications)
  const known = [...new Set([...PERMISSIONS, ...rules.map((rule) => rule.act)])]
  const satisfies = (name: string, asked: string) => {
    if (form === 'same') return name === asked
    return form === 'implied' ? links.reachedFrom([name], '').has(asked) : name === form.literal
  }
  return PERMISSIONS.map((asked) => {
    const names = new Set(known.filter((name) => satisfies(name, asked)))
    const bits = PERMISSIONS.reduce((sum, name, bit) => (names.has(name) ? sum | (1 << bit) : sum), 0)
    return { bits, names }
  })
}
