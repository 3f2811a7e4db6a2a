import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import t from 'tap'
import { DemoError, startDemo } from '../../src/cli/demo.ts'
import { loadConfig } from '../../src/config.ts'

const config = { ...loadConfig({}), port: 0 }
const silent = pino({ level: 'silent' })

/** Stands in for curl on machines without it; knows what the demo prints. */
const STAND_IN = `#!/usr/bin/env node
const [url] = process.argv.slice(2).filter((arg) => arg.startsWith('http'))
const after = (option) => process.argv.flatMap((arg, at) => (arg === option ? [process.argv[at + 1]] : []))
const headers = after('-H').map((line) => line.split(': '))
fetch(url, { method: 'POST', headers, body: after('-d')[0] }).then((r) => r.text()).then((text) => process.stdout.write(text))
`

function hasCurl(): boolean {
  try {
    execFileSync('curl', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Commands and promised answers, as a person would copy them from the terminal. */
function promisesOf(text: string): { command: string; answer: string }[] {
  const blocks = text.matchAll(/^(curl (?:.*\\\n)*.*)\n\n {3}answers (.*)$/gm)
  return [...blocks].map(([, command = '', answer = '']) => ({ command, answer }))
}

function run(command: string, folder: string): Promise<string> {
  const env = { ...process.env, PATH: `${folder}:${process.env.PATH}` }
  return new Promise((resolve, reject) => {
    execFile('/bin/sh', ['-c', command], { env }, (error, out) => (error ? reject(error) : resolve(out)))
  })
}

/** `gatehouse demo` as a process of its own, its temporary folder below `temporary`. */
function demoProcess(temporary: string): ChildProcess & { stdout: NodeJS.ReadableStream } {
  const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts')
  return spawn(process.execPath, ['--import=tsx', main, 'demo'], {
    env: {
      ...process.env,
      PORT: '0',
      DATA_DIR: '',
      DATABASE_URL: 'postgres://nobody@127.0.0.1:1/not-asked',
      TMPDIR: temporary,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  }) as ChildProcess & { stdout: NodeJS.ReadableStream }
}

async function printedUntil(stream: NodeJS.ReadableStream, end: string): Promise<string> {
  let printed = ''
  for await (const chunk of stream) {
    printed += chunk
    if (printed.includes(end)) return printed
  }
  throw new Error(`the demo ended, having printed: ${printed}`)
}

t.test('the four commands that the demo prints get the answers that it promises', async (t) => {
  const folder = t.testdir({ tmp: {}, bin: hasCurl() ? {} : { curl: STAND_IN } })
  if (!hasCurl()) execFileSync('chmod', ['+x', join(folder, 'bin', 'curl')])
  const demo = demoProcess(join(folder, 'tmp'))
  t.teardown(() => demo.kill('SIGKILL'))
  const exited = once(demo, 'exit')
  const promises = promisesOf(await printedUntil(demo.stdout, 'Ctrl-C ends the demo'))
  t.equal(promises.length, 4)
  for (const { command, answer } of promises) t.equal(await run(command, join(folder, 'bin')), answer, command)
  t.same(
    promises.map(({ answer }) => JSON.parse(answer).allowed),
    [true, false, true, true],
  )

  demo.kill('SIGINT')
  t.same(await exited, [0, null], 'Ctrl-C ends it well')
  const left = readdirSync(join(folder, 'tmp')).filter((name) => name.startsWith('gatehouse-demo-'))
  t.same(left, [], 'and its temporary folder is gone')
})

t.test('the demo does not touch a folder that holds data already', async (t) => {
  const dataDir = join(t.testdir(), 'data')
  const first = await startDemo(config, dataDir, silent)
  await first.close()
  t.ok(existsSync(dataDir), 'a folder that was given stays')
  await t.rejects(startDemo(config, dataDir, silent), DemoError)
})
