import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { generatedDocuments } from '../scripts/generated-documents.ts'

const project = join(import.meta.dirname, '..')

for (const { path, text } of generatedDocuments(project)) {
  t.test(`${path} says what the source says (npm run docs)`, async (t) => {
    t.equal(readFileSync(join(project, path), 'utf8'), text)
  })
}
