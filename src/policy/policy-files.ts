import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'

/** The texts that policy is made of, as they stand on disk; names are relative to where they lie. */
export type PolicyTexts = { modelFile: string; modelText: string; ruleFiles: { file: string; text: string }[] }

/**
 * Reads `model.conf` and every `.csv` file of the policy folder, by name.
 *
 * @throws Error naming the file that cannot be read, or the folder when there is no rule file in it
 */
export async function readPolicyFiles(config: { modelFile: string; policyDir: string }): Promise<PolicyTexts> {
  const names = (await readdir(config.policyDir)).filter((name) => name.endsWith('.csv')).sort()
  if (names.length === 0) throw new Error(`${config.policyDir} holds no rule file (*.csv)`)
  const folder = basename(config.policyDir)
  return {
    modelFile: basename(config.modelFile),
    modelText: await readFile(config.modelFile, 'utf8'),
    ruleFiles: await Promise.all(
      names.map(async (name) => ({
        file: `${folder}/${name}`,
        text: await readFile(join(config.policyDir, name), 'utf8'),
      })),
    ),
  }
}
