import { Cron } from 'croner'
import { Type } from 'typebox'
import { area } from './area.ts'

/** How accounts that nobody uses are deactivated. */
export type InactivityConfig = {
  /** Cron pattern of the runs inside the service; undefined: none. */
  schedule: string | undefined
  timeZone: string
  approval: { sharePercent: number; minimum: number }
}

/** The variables of inactivity. */
export const inactivityArea = area({
  variables: Type.Object({
    INACTIVITY_SCHEDULE: Type.Optional(
      Type.String({
        description:
          'when the service itself deactivates inactive accounts, as a cron pattern: `0 0 * * *` is every night; without it only `gatehouse deactivate-inactive` and the API do',
        must: 'be a cron pattern of five fields, like 0 0 * * *',
        refine: isPattern,
      }),
    ),
    INACTIVITY_TIME_ZONE: Type.String({
      description: 'time zone of `INACTIVITY_SCHEDULE`',
      default: 'UTC',
      must: 'be the name of a time zone, like Europe/Berlin',
      refine: isTimeZone,
    }),
    INACTIVITY_APPROVAL_PERCENT: Type.Integer({
      description: 'a run that would deactivate more than this part of the active accounts waits for approval',
      default: 20,
      minimum: 0,
      maximum: 100,
      must: 'be a whole number from 0 to 100',
    }),
    INACTIVITY_APPROVAL_MINIMUM: Type.Integer({
      description: 'fewer accounts than this are deactivated without approval, whatever part they are',
      default: 10,
      minimum: 1,
      maximum: 1_000_000_000,
      must: 'be a whole number above zero',
    }),
  }),
  part: (values): InactivityConfig => ({
    schedule: values.INACTIVITY_SCHEDULE,
    timeZone: values.INACTIVITY_TIME_ZONE,
    approval: { sharePercent: values.INACTIVITY_APPROVAL_PERCENT, minimum: values.INACTIVITY_APPROVAL_MINIMUM },
  }),
})

function isPattern(text: string): boolean {
  try {
    return new Cron(text, { paused: true, mode: '5-part' }).nextRun() !== null
  } catch {
    return false
  }
}

function isTimeZone(text: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}
