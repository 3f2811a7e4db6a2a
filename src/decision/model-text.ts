import { PolicyModelError } from './policy-model-error.ts'

/** The sections of a model text and their definitions, each with the line its definition starts on. */
export type ModelText = Map<string, Map<string, { value: string; line: number }>>

const SECTIONS: Record<string, RegExp> = {
  request_definition: /^r$/,
  policy_definition: /^p$/,
  role_definition: /^g2?$/,
  policy_effect: /^e$/,
  matchers: /^m2?$/,
}

/**
 * Reads a model text as Casbin does, and refuses what Casbin would pass over in silence: unknown sections and keys, a
 * key given twice, and `#` or `;` beside other text, which would cut the line off.
 *
 * @throws PolicyModelError naming file and line
 */
export function readModelText(file: string, text: string): ModelText {
  const sections: ModelText = new Map()
  let section: string | undefined
  for (const { line, content } of logicalLines(file, text)) {
    const place = `${file}:${line}`
    const header = /^\[(.*)\]$/.exec(content)
    if (header !== null) {
      section = openSection(sections, header[1] ?? '', place)
    } else {
      addDefinition(sections, section, content, line, place)
    }
  }
  return sections
}

function openSection(sections: ModelText, name: string, place: string): string {
  if (!Object.hasOwn(SECTIONS, name)) {
    throw new PolicyModelError(`${place}: unknown section [${name}]; sections are ${Object.keys(SECTIONS).join(', ')}`)
  }
  if (sections.has(name)) throw new PolicyModelError(`${place}: section [${name}] stands twice`)
  sections.set(name, new Map())
  return name
}

function addDefinition(sections: ModelText, section: string | undefined, content: string, line: number, place: string) {
  const definitions = section === undefined ? undefined : sections.get(section)
  if (section === undefined || definitions === undefined) {
    throw new PolicyModelError(`${place}: \`${content}\` stands outside any section`)
  }
  const equals = content.indexOf('=')
  const key = content.slice(0, Math.max(equals, 0)).trim()
  if (!SECTIONS[section]?.test(key)) {
    throw new PolicyModelError(`${place}: section [${section}] has no definition \`${key || content}\``)
  }
  if (definitions.has(key)) throw new PolicyModelError(`${place}: \`${key}\` is defined twice`)
  definitions.set(key, { value: content.slice(equals + 1).trim(), line })
}

/** Lines without comments, continued lines (`\` at the end) joined as Casbin joins them. */
function logicalLines(file: string, text: string): { line: number; content: string }[] {
  const lines: { line: number; content: string }[] = []
  let open: { line: number; content: string } | undefined
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const content = raw.trim()
    if (content === '' || /^[#;]/.test(content)) continue
    if (/[#;]/.test(content)) {
      throw new PolicyModelError(
        `${file}:${index + 1}: \`#\` and \`;\` cut the line off here; give a comment its own line`,
      )
    }
    open ??= { line: index + 1, content: '' }
    open.content += content.endsWith('\\') ? content.slice(0, -1).trim() : content
    if (!content.endsWith('\\')) {
      lines.push(open)
      open = undefined
    }
  }
  if (open !== undefined)
    throw new PolicyModelError(`${file}:${open.line}: the last line is continued but nothing follows`)
  return lines
}
