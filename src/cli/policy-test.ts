import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Config } from '../config.ts'
import { loadPolicyModel } from '../decision/policy-model.ts'
import { PolicyModelError } from '../decision/policy-model-error.ts'
import { readPolicyTestFile } from '../decision/policy-test-file.ts'
import { type PolicyTestResult, runPolicyTests } from '../decision/policy-test-run.ts'
import { readPolicyFiles } from '../policy/policy-files.ts'

/**
 * `gatehouse policy test`: runs every file in `tests/` of the policy folder against the policy as it is written.
 *
 * @returns the exit code: 0 when every case passed, 1 when one failed
 * @throws PolicyModelError when policy or a test file cannot be used, or there is no case to run
 */
export async function policyTest(
  config: Pick<Config, 'modelFile' | 'policyDir'>,
  options: { json?: boolean },
  print: (text: string) => void = console.log,
): Promise<0 | 1> {
  const model = loadPolicyModel(await readPolicyFiles(config))
  const results: PolicyTestResult[] = []
  for (const { file, text } of await readTestFiles(join(config.policyDir, 'tests'))) {
    results.push(...runPolicyTests(model, file, readPolicyTestFile(file, text)))
  }
  const failed = results.filter(({ passed }) => !passed)
  const counts = { passed: results.length - failed.length, failed: failed.length }
  print(options.json === true ? JSON.stringify({ ...counts, results }, null, 2) : table(results, counts))
  return failed.length === 0 ? 0 : 1
}

async function readTestFiles(folder: string): Promise<{ file: string; text: string }[]> {
  const names = (await readdir(folder)).filter((name) => /\.ya?ml$/.test(name)).sort()
  if (names.length === 0) throw new PolicyModelError(`${folder} holds no policy test (*.yaml)`)
  return Promise.all(
    names.map(async (name) => ({
      file: `${basename(folder)}/${name}`,
      text: await readFile(join(folder, name), 'utf8'),
    })),
  )
}

function table(results: readonly PolicyTestResult[], counts: { passed: number; failed: number }): string {
  const lines = results.map(({ file, says, expected, actual, casbin, passed }) => {
    if (passed) return `ok    ${file}: ${says}`
    const disagree = casbin === (actual === 'allowed') ? '' : `; Casbin ${casbin ? 'allows' : 'denies'}`
    return `FAIL  ${file}: ${says}\n      expected ${expected}, got ${actual}${disagree}`
  })
  return [...lines, `${counts.passed} passed, ${counts.failed} failed`].join('\n')
}
