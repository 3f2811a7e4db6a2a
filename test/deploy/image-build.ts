import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { buildContext, dockerfile, type Instruction, type Stage } from './dockerfile.ts'

const project = join(import.meta.dirname, '..', '..')
const asRoot = process.getuid?.() === 0

/** Who runs the image: nobody where the test runs as root, which could write anywhere; otherwise whoever runs the test. */
export const RUNNER = asRoot
  ? { uid: 65_534, gid: 65_534 }
  : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }

/** What the Dockerfile makes, in a folder: its `/` is `root`. */
export type BuiltImage = {
  root: string
  /** WORKDIR, below `root`. */
  folder: string
  /** ENV, with paths below `root`. */
  env: Record<string, string>
  entrypoint: string[]
  command: string[]
  healthcheck: string[]
}

type Making = { stage: Stage; root: string; workdir: string; stages: Map<string, Making> }
type Locked = { dev?: boolean; optional?: boolean; devOptional?: boolean; link?: boolean }

/**
 * Carries out the Dockerfile below a temporary folder, one folder for each stage's `/`, as there is no Docker engine.
 * Other than in a container: the base image is the Node that runs the test; `npm ci` takes the packages that the lock
 * file and its options say from the node_modules of the project, not from the network; the user of the image is
 * {@link RUNNER}; and a read-only root is one whose permissions let nobody write. The folder goes with the test.
 */
export function buildImage(t: Test): BuiltImage {
  const top = mkdtempSync(join(tmpdir(), 'gatehouse-image-'))
  t.teardown(() => {
    spawnSync('chmod', ['-R', 'u+w', top])
    rmSync(top, { recursive: true, force: true })
  })
  chmodSync(top, 0o755)
  const stages = new Map<string, Making>()
  let making: Making | undefined
  for (const [index, stage] of dockerfile().entries()) {
    const root = join(top, String(index))
    making = { stage, root, workdir: '/', stages }
    mkdirSync(root)
    for (const instruction of stage.instructions) carryOut(instruction, making)
    stages.set(stage.name ?? String(index), making)
  }
  if (making === undefined) throw new Error('the Dockerfile has no stage')
  return imageOf(making)
}

function carryOut({ name, text }: Instruction, making: Making): void {
  if (name === 'WORKDIR') {
    making.workdir = text
    mkdirSync(join(making.root, text), { recursive: true })
  } else if (name === 'COPY') copy(text, making)
  else if (name === 'RUN') run(text, making)
}

function copy(text: string, { root, workdir, stages }: Making): void {
  const words = text.split(/\s+/)
  const from = words[0]?.startsWith('--from=') ? words.shift()?.slice('--from='.length) : undefined
  if (words.some((word) => word.startsWith('--'))) throw new Error(`the tests do not know how to COPY ${text}`)
  const target = words.pop() ?? ''
  for (const source of words) {
    const origin = from === undefined ? inContext(source) : join(stages.get(from)?.root ?? '', source)
    const place = join(root, workdir, target)
    // As in Docker: into the target when that is a folder by its slash, else as the target.
    // Between stages links will do: nothing but the image's own copy has them.
    const { status, stderr } = spawnSync('cp', [
      from === undefined ? '-RP' : '-RPl',
      origin,
      target.endsWith('/') ? join(place, source) : place,
    ])
    if (status !== 0) throw new Error(`COPY ${text}: ${stderr}`)
  }
}

function inContext(name: string): string {
  if (!buildContext().includes(name)) throw new Error(`.dockerignore keeps ${name} out of the image`)
  return join(project, name)
}

function run(text: string, { root, workdir }: Making): void {
  const cwd = join(root, workdir)
  for (const step of text.split(' && ')) {
    if (step.startsWith('npm ci ')) {
      install(step.split(' ').slice(2), cwd)
      continue
    }
    const command = step
      .replace(/(?<=\s)\/(?=\w)/g, `${root}/`)
      .replace('chown 1000:1000', `chown ${RUNNER.uid}:${RUNNER.gid}`)
    const { status, stdout, stderr } = spawnSync('/bin/sh', ['-c', command], { cwd, encoding: 'utf8' })
    if (status !== 0) throw new Error(`RUN ${command}: ${stdout}${stderr}`)
  }
}

function install(options: string[], cwd: string): void {
  const left = options.filter((option) => option !== '--workspaces=false' && option !== '--ignore-scripts')
  const omitted = left.map((option) => /^--omit=(dev|optional)$/.exec(option)?.[1])
  if (omitted.includes(undefined)) throw new Error(`the tests do not know how to install with ${options.join(' ')}`)
  if (!existsSync(join(cwd, 'package.json'))) throw new Error('npm ci needs package.json')
  if (omitted.length === 0) {
    symlinkSync(join(project, 'node_modules'), join(cwd, 'node_modules'))
    return
  }
  const lock: { packages: Record<string, Locked> } = JSON.parse(readFileSync(join(cwd, 'package-lock.json'), 'utf8'))
  const [dev, optional] = [omitted.includes('dev'), omitted.includes('optional')]
  const isIn = ({ link, ...one }: Locked) =>
    !(link || (dev && one.dev) || (optional && one.optional) || (dev && optional && one.devOptional))
  const present = Object.entries(lock.packages).filter(([path]) => path !== '' && existsSync(join(project, path)))
  const outermost = present.filter(([path, one]) => /^node_modules\/(@[^/]+\/)?[^/]+$/.test(path) && isIn(one))
  const list = join(cwd, '..', 'packages.txt')
  writeFileSync(list, outermost.map(([path]) => path).join('\n'))
  const archive = `tar -C '${project}' -cf - -T '${list}' | tar -C '${cwd}' -xf -`
  if (spawnSync('/bin/sh', ['-c', archive]).status !== 0) throw new Error('could not copy node_modules')
  for (const [path, one] of present) if (!isIn(one)) rmSync(join(cwd, path), { recursive: true, force: true })
}

function imageOf({ stage, root, workdir }: Making): BuiltImage {
  const text = (name: string) => stage.instructions.findLast((one) => one.name === name)?.text ?? ''
  const words = (name: string): string[] => JSON.parse(/\[.*\]$/s.exec(text(name))?.[0] ?? '[]')
  const pairs = text('ENV')
    .split(/\s+/)
    .map((pair) => /^(\w+)=(.*)$/.exec(pair)?.slice(1) ?? [])
  const env = Object.fromEntries(pairs.map(([name, value = '']) => [name, value.replace(/^\//, `${root}/`)]))
  spawnSync('chmod', ['-R', 'a-w,a+rX', root])
  const volume = join(root, text('VOLUME'))
  chmodSync(volume, 0o755)
  return {
    root,
    folder: join(root, workdir),
    env,
    entrypoint: words('ENTRYPOINT'),
    command: words('CMD'),
    healthcheck: words('HEALTHCHECK'),
  }
}
