import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { chartOf } from '../bench/chart.ts'
import type { Results } from '../bench/results.ts'
import { speedSection } from '../bench/speed-table.ts'
import { type ConfigVariable, configVariables } from '../src/config.ts'
import { PROBLEMS } from '../src/errors.ts'

const CONFIGURATION = ['<!-- configuration: written by `npm run docs` -->', '<!-- end of configuration -->'] as const
const SPEED = ['<!-- speed: written by `npm run docs` -->', '<!-- end of speed -->'] as const

/** A document made from the source, or with a part made from it: its path in the project and its whole text. */
export type GeneratedDocument = { path: string; text: string }

/** Every document that follows from the source, as it should read now; `project` is the folder of the project. */
export function generatedDocuments(project: string): GeneratedDocument[] {
  const read = (path: string) => readFileSync(join(project, path), 'utf8')
  const results: Results = JSON.parse(read('bench/results.json'))
  const readme = withPart(withPart(read('README.md'), CONFIGURATION, configTable()), SPEED, speedSection(results))
  return [
    { path: 'README.md', text: readme },
    { path: 'bench/results.svg', text: chartOf(results) },
    { path: '.env.example', text: envExample() },
    { path: 'docs/problems.md', text: problemsPage() },
  ]
}

/** The text with what stands between two lines of it replaced. */
function withPart(text: string, [first, last]: readonly [string, string], part: string): string {
  const [start, end] = [text.indexOf(first), text.indexOf(last)]
  if (start < 0 || end < start) throw new Error(`README.md needs the lines \`${first}\` and \`${last}\``)
  return `${text.slice(0, start)}${first}\n${part}${text.slice(end)}`
}

function configTable(): string {
  const rows = configVariables().map(
    (variable) => `| \`${variable.name}\` | ${defaultCell(variable)} | ${variable.description} |`,
  )
  const table = ['| variable | default | meaning |', '|---|---|---|', ...rows].join('\n')
  return `${table}\n\n${textDefaults()}\n`
}

/** The texts that have placeholders, with their defaults, which no cell of a table could hold. */
function textDefaults(): string {
  return configVariables()
    .filter(({ placeholders }) => placeholders !== undefined)
    .map(({ name, default: fallback = '', placeholders = [] }) =>
      [
        `\`${name}\` knows the placeholders ${placeholders.map((one) => `\`{{${one}}}\``).join(', ')}. Its default:`,
        `\`\`\`text\n${fallback}\`\`\``,
      ].join('\n\n'),
    )
    .join('\n\n')
}

function defaultCell({ default: fallback, placeholders }: ConfigVariable): string {
  if (placeholders !== undefined) return 'below'
  return fallback === undefined || fallback === '' ? '–' : `\`${fallback}\``
}

function envExample(): string {
  const head = [
    '# Copy to .env and take the # off what you want to change. Docker Compose reads .env by itself; without it, start with',
    '# `node --env-file=.env dist/main.js serve`. This file is written by `npm run docs`.',
  ].join('\n')
  const variables = configVariables().map(
    ({ name, default: fallback = '', description, placeholders }) =>
      `# ${description.replaceAll('`', '')}\n#${name}=${placeholders === undefined ? fallback : ''}\n`,
  )
  const compose = '# compose.yaml only: the password of its PostgreSQL; it has no default\nPOSTGRES_PASSWORD=\n'
  return [`${head}\n`, ...variables, compose].join('\n')
}

function problemsPage(): string {
  const rows = Object.entries(PROBLEMS).map(([code, { status, title }]) => `| \`${code}\` | ${status} | ${title} |`)
  return `# Problems

Every answer that is not a success has the type \`application/problem+json\` (RFC 9457):

\`\`\`json
{
  "type": "urn:gatehouse:problem:name-taken",
  "title": "The name is taken",
  "status": 409,
  "detail": "what was wrong in this case, for a person to read",
  "code": "name-taken",
  "instance": "urn:gatehouse:request:<id of the request, as in the log>",
  "errors": [{ "pointer": "/username", "detail": "what is wrong with this field" }]
}
\`\`\`

\`errors\` is there when single fields are at fault; \`pointer\` is a JSON pointer into the body, or \`?name\` for a parameter
of the query. Programs go by \`code\`: codes are added, never renamed. A check that is denied is no problem: it is
answered with 200 and \`"allowed": false\`.

| code | status | title |
|---|---|---|
${rows.join('\n')}

This page is written by \`npm run docs\` from \`src/errors.ts\`.
`
}
