import type { Logger } from 'pino'
import type { DataSource } from 'typeorm'
import type { Config } from './config.ts'
import { ExemptionService } from './inactivity/exemption-service.ts'
import { PeriodService } from './inactivity/period-service.ts'
import type { PgPeriodStore } from './inactivity/period-store.ts'
import { PgRunLock } from './inactivity/run-lock-store.ts'
import { RunSchedule } from './inactivity/run-schedule.ts'
import { RunService } from './inactivity/run-service.ts'
import type { PgRunStore } from './inactivity/run-store.ts'

type RunInputs = ConstructorParameters<typeof RunService>[0]
type Write = RunInputs['write'] &
  ConstructorParameters<typeof PeriodService>[0] &
  ConstructorParameters<typeof ExemptionService>[0]

/** What inactivity is made of; `clock` as in {@link RunService}. */
export type InactivityInputs = {
  config: Pick<Config, 'inactivity'>
  write: Write
  reading: { inactivityPeriods: PgPeriodStore; inactivityRuns: PgRunStore }
  log: Logger
  dataSource: DataSource
  clock: RunInputs['clock']
}

/** The parts that deactivate accounts that nobody uses; `inactivitySchedule` is not started. */
export function inactivityParts({ config, write, reading, log, dataSource, clock }: InactivityInputs) {
  const { schedule: pattern, timeZone, approval: rule } = config.inactivity
  const lock = new PgRunLock(dataSource)
  const inactivityRuns = new RunService({ write, runs: reading.inactivityRuns, lock, rule, clock, log })
  const inactivitySchedule = new RunSchedule(inactivityRuns, { pattern, timeZone }, log)
  return {
    inactivityPeriods: new PeriodService(write, reading.inactivityPeriods),
    inactivityExemptions: new ExemptionService(write),
    inactivityRuns,
    inactivitySchedule,
    async stopInactivity() {
      inactivitySchedule.stop()
      await inactivityRuns.stop()
    },
  }
}
