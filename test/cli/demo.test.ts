import { execFile, execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
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

t.test('the four commands that the demo prints get the answers that it promises', async (t) => {
  const before = demoFolders()
  const demo = await startDemo(config, undefined, silent)
  t.teardown(() => demo.close())
  const folder = t.testdir(hasCurl() ? {} : { curl: STAND_IN })
  if (!hasCurl()) execFileSync('chmod', ['+x', join(folder, 'curl')])
  const promises = promisesOf(demo.text)
  t.equal(promises.length, 4)
  for (const { command, answer } of promises) t.equal(await run(command, folder), answer, command)
  t.same(
    promises.map(({ answer }) => JSON.parse(answer).allowed),
    [true, false, true, true],
  )
  await demo.close()
  t.same(demoFolders(), before, 'its temporary folder is gone')
})

t.test('the demo does not touch a folder that holds data already', async (t) => {
  const dataDir = join(t.testdir(), 'data')
  const first = await startDemo(config, dataDir, silent)
  await first.close()
  t.ok(existsSync(dataDir), 'a folder that was given stays')
  await t.rejects(startDemo(config, dataDir, silent), DemoError)
})

function demoFolders(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith('gatehouse-demo-'))
}
