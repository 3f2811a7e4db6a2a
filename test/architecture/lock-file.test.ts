import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

type Locked = { resolved?: string; link?: boolean; optionalDependencies?: Record<string, string> }

const project = join(import.meta.dirname, '..', '..')
const lock: { packages: Record<string, Locked> } = JSON.parse(readFileSync(join(project, 'package-lock.json'), 'utf8'))

t.test('the lock file names no registry, so that any mirror serves', async (t) => {
  const named = Object.entries(lock.packages).filter(([, { resolved, link }]) => resolved !== undefined && !link)
  t.same(named, [])
})

t.test('the lock file holds the optional packages of every platform: without them npm 11 refuses npm ci', async (t) => {
  // `npm install` drops those of other platforms where node_modules exists already.
  const locked = new Set(Object.keys(lock.packages).map((path) => path.replace(/^.*node_modules\//, '')))
  const optional = Object.values(lock.packages).flatMap((one) => Object.keys(one.optionalDependencies ?? {}))
  t.ok(optional.length > 0)
  t.same(
    optional.filter((name) => !locked.has(name)),
    [],
  )
})
