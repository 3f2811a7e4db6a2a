import type { Config } from '../config.ts'
import type { Run } from '../inactivity/run-schemas.ts'
import type { DueAccount, Outlook } from '../inactivity/run-service.ts'
import { type Terminal, withParts } from './command-parts.ts'

/** `at` is an instant as the database reads it; only with `dryRun`. */
export type DeactivateOptions = { dryRun?: boolean; at?: string; json?: boolean }

const CONTEXT = { caller: 'command:deactivate-inactive', requestId: null, inPerson: null }

/**
 * `gatehouse deactivate-inactive`: deactivates whoever is due, or says who would be.
 *
 * @returns the exit code: 0 when it is done, or another run is at it; 1 when accounts are left, or it needs approval
 */
export async function deactivateInactive(
  { dryRun = false, at, json = false }: DeactivateOptions,
  config: Config,
  { out }: Terminal,
): Promise<0 | 1> {
  const print = (value: object, text: string) => out(json ? JSON.stringify(value, null, 2) : text)
  return withParts(config, async ({ inactivityRuns }) => {
    if (dryRun) {
      const outlook = await inactivityRuns.outlook(at ?? null)
      print(outlook, outlookText(outlook))
      return 0
    }
    const started = await inactivityRuns.start(CONTEXT)
    const run = (await started?.finished) ?? null
    print({ run }, run === null ? 'another run goes on: nothing to do here' : runText(run))
    return run === null || run.state === 'done' ? 0 : 1
  })
}

function runText({ id, state, due, deactivated, left, warned, activeAccounts }: Run): string {
  if (state === 'needs-approval') {
    return `run ${id} would deactivate ${due} of ${activeAccounts} active accounts: it waits for approval (POST /v1/inactivity-runs/${id}/approval); warned ${warned}`
  }
  const rest = due - deactivated - left
  const more = rest > 0 ? `; ${rest} could not be dealt with, the next run tries again` : ''
  return `run ${id} deactivated ${deactivated} of ${activeAccounts} active accounts and warned ${warned}${more}`
}

function outlookText({ at, due, activeAccounts, needsApproval }: Outlook): string {
  const head = `at ${at} a run would deactivate ${due.length} of ${activeAccounts} active accounts${needsApproval ? ', and wait for approval first' : ''}`
  return [head, ...due.map(accountText)].join('\n')
}

const accountText = ({ id, username, periodId, maxInactivity, lastActivityAt }: DueAccount) =>
  `  ${JSON.stringify(username)} (id ${id}): last active ${lastActivityAt}, longer ago than ${maxInactivity} (period ${periodId})`
