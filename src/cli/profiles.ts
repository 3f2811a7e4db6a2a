import type { Config } from '../config.ts'
import { type Terminal, withParts } from './command-parts.ts'

/** Of `profiles reset`. */
export type ProfileResetOptions = { includeAnonymous?: boolean; dryRun?: boolean; json?: boolean }

const CONTEXT = { caller: 'command:profiles', requestId: null, inPerson: null }

/**
 * `gatehouse profiles reset`: sets the settings of all users to the defaults, or says whom that would change.
 *
 * @throws ProfileCatalogueError, DatabaseError with a message for the operator
 */
export async function resetProfiles(options: ProfileResetOptions, config: Config, { out }: Terminal): Promise<0> {
  const { includeAnonymous = false, dryRun = false, json = false } = options
  const done = await withParts(config, async ({ profiles }) => {
    if (dryRun) return { ...(await profiles.previewDefaults({ includeAnonymous })), revision: null }
    const { value, revision } = await profiles.applyDefaults(CONTEXT, { includeAnonymous })
    return { ...value, revision }
  })
  if (json) out(JSON.stringify({ ...done, includeAnonymous, dryRun }, null, 2))
  else
    out(
      `${dryRun ? 'would set' : 'set'} ${users(done.updated)} to the defaults; ${users(done.unchanged)} had them already`,
    )
  return 0
}

const users = (count: number) => `the settings of ${count} ${count === 1 ? 'user' : 'users'}`
