import { fileURLToPath } from 'node:url'
import type { PolicyModel } from '../src/decision/policy-model.ts'

const root = (path: string) => new URL(`../${path}`, import.meta.url)

/**
 * A module as it is shipped, from `dist/`; `source` is its path below `src/`.
 *
 * WHY not the source itself: the loader that runs TypeScript wraps every closure to keep its name, which a hot path
 * made of closures pays for and a shipped one does not.
 */
export async function compiled<Module>(source: string): Promise<Module> {
  return (await import(root(`dist/${source.replace(/\.ts$/, '.js')}`).href)) as Module
}

/** `model.conf` and `policies/` as they stand in this clone. */
export async function shippedModel(): Promise<PolicyModel> {
  const { loadPolicyModel } =
    await compiled<typeof import('../src/decision/policy-model.ts')>('decision/policy-model.ts')
  const { readPolicyFiles } = await compiled<typeof import('../src/policy/policy-files.ts')>('policy/policy-files.ts')
  const [modelFile, policyDir] = [fileURLToPath(root('model.conf')), fileURLToPath(root('policies'))]
  return loadPolicyModel(await readPolicyFiles({ modelFile, policyDir }))
}
