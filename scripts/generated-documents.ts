import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ConfigVariable, configVariables } from '../src/config.ts'
import { PROBLEMS } from '../src/errors.ts'

const TABLE_START = '<!-- configuration: written by `npm run docs` -->'
const TABLE_END = '<!-- end of configuration -->'

/** A document made from the source, or with a part made from it: its path in the project and its whole text. */
export type GeneratedDocument = { path: string; text: string }

/** Every document that follows from the source, as it should read now; `project` is the folder of the project. */
export function generatedDocuments(project: string): GeneratedDocument[] {
  const readme = readFileSync(join(project, 'README.md'), 'utf8')
  return [
    { path: 'README.md', text: withConfigTable(readme) },
    { path: '.env.example', text: envExample() },
    { path: 'docs/problems.md', text: problemsPage() },
  ]
}

function withConfigTable(readme: string): string {
  const start = readme.indexOf(TABLE_START)
  const end = readme.indexOf(TABLE_END)
  if (start < 0 || end < start) throw new Error(`README.md needs the lines \`${TABLE_START}\` and \`${TABLE_END}\``)
  const rows = configVariables().map(
    (variable) => `| \`${variable.name}\` | ${defaultCell(variable)} | ${variable.description} |`,
  )
  const table = ['| variable | default | meaning |', '|---|---|---|', ...rows].join('\n')
  return `${readme.slice(0, start)}${TABLE_START}\n${table}\n\n${textDefaults()}\n${readme.slice(end)}`
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
