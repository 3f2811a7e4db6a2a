const PLACEHOLDER = /\{\{([^{}]*)\}\}/g

/** The names between `{{` and `}}` in a text, each once. */
export function placeholdersIn(text: string): string[] {
  return [...new Set([...text.matchAll(PLACEHOLDER)].map(([, name = '']) => name.trim()))]
}

/**
 * Puts values in the place of `{{name}}`. A value is never looked at again, so one that reads `{{token}}` stays that;
 * a name that has no value stays as it is.
 */
export function filled(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(PLACEHOLDER, (whole, name: string) => {
    const key = name.trim()
    return Object.hasOwn(values, key) ? String(values[key]) : whole
  })
}
