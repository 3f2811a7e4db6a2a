import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { loadPolicyModel, type PolicyModel } from '../../src/decision/policy-model.ts'
import type { PolicyText } from './casbin-reference.ts'

const TOP = fileURLToPath(new URL('../../', import.meta.url))

/** `model.conf` and the files of `policies/` as they stand in this tree. */
export function policyAsShipped(): PolicyText {
  const names = readdirSync(`${TOP}policies`).filter((name) => name.endsWith('.csv'))
  return {
    modelText: readFileSync(`${TOP}model.conf`, 'utf8'),
    ruleFiles: names
      .sort()
      .map((name) => ({ file: `policies/${name}`, text: readFileSync(`${TOP}policies/${name}`, 'utf8') })),
  }
}

/**
 * The policy text with one edit, as an operator's editor would leave it.
 *
 * @throws Error when the text to replace does not stand there exactly once: the test would otherwise test nothing
 */
export function edited(policy: PolicyText, file: string, from: string, to: string): PolicyText {
  const replaced = (text: string) => {
    if (text.split(from).length !== 2) throw new Error(`${file} has not exactly one \`${from}\``)
    return text.replace(from, () => to)
  }
  if (file === 'model.conf') return { ...policy, modelText: replaced(policy.modelText) }
  return {
    ...policy,
    ruleFiles: policy.ruleFiles.map((rules) => (rules.file === file ? { file, text: replaced(rules.text) } : rules)),
  }
}

/** The checked model of a policy text. @throws PolicyModelError */
export function modelOf({ modelText, ruleFiles }: PolicyText): PolicyModel {
  return loadPolicyModel({ modelFile: 'model.conf', modelText, ruleFiles: [...ruleFiles] })
}
