import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generatedDocuments } from './generated-documents.ts'

// Writes the documents that follow from the source; with --check it only names those that are out of date.
const project = join(import.meta.dirname, '..')
const check = process.argv.includes('--check')

for (const { path, text } of generatedDocuments(project)) {
  const file = join(project, path)
  const current = existsSync(file) && readFileSync(file, 'utf8') === text
  if (check && !current) {
    console.error(`${path} is out of date: run \`npm run docs\` and commit what it writes`)
    process.exitCode = 1
  }
  if (!check && !current) writeFileSync(file, text)
  console.log(`${path}: ${current ? 'as it should be' : check ? 'out of date' : 'written'}`)
}
