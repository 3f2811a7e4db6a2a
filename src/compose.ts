import type { Logger } from 'pino'
import type { EntityManager } from 'typeorm'
import { ActivityRecorder } from './account/activity-recorder.ts'
import { PgActivityStore } from './account/activity-store.ts'
import { ApiTokenService } from './account/api-token-service.ts'
import { PgApiTokenStore } from './account/api-token-store.ts'
import { GroupService } from './account/group-service.ts'
import { PgGroupStore } from './account/group-store.ts'
import { PgNameStore } from './account/name-store.ts'
import { UserService } from './account/user-service.ts'
import { PgUserStore } from './account/user-store.ts'
import type { Config } from './config.ts'
import { type Database, openDatabase } from './database/data-source.ts'
import { policyWrite } from './database/transaction.ts'
import { loadPolicyModel } from './decision/policy-model.ts'
import { SnapshotKeeper } from './decision/snapshot-keeper.ts'
import { ImportService } from './import/import-service.ts'
import { importRead, PgImportStore } from './import/import-store.ts'
import { AuditEventService } from './policy/audit-event-service.ts'
import { PgAuditEventStore } from './policy/audit-event-store.ts'
import { GrantService } from './policy/grant-service.ts'
import { PgGrantStore } from './policy/grant-store.ts'
import { readPolicyFiles } from './policy/policy-files.ts'
import { PolicySourceStore } from './policy/policy-source-store.ts'
import { ProjectService } from './policy/project-service.ts'
import { PgProjectStore } from './policy/project-store.ts'
import { ServiceKeyService } from './session/service-key-service.ts'
import { PgServiceKeyStore } from './session/service-key-store.ts'

/** Every part of the service, made once; `close` gives up what was opened, in the right order. */
export type Parts = {
  config: Config
  log: Logger
  database: Database
  /** Not started: a server starts it once the schema is up to date; commands that do not decide leave it. */
  keeper: SnapshotKeeper
  users: UserService
  groups: GroupService
  projects: ProjectService
  grants: GrantService
  auditEvents: AuditEventService
  serviceKeys: ServiceKeyService
  apiTokens: ApiTokenService
  activity: ActivityRecorder
  imports: ImportService
  close(): Promise<void>
}

/**
 * The composition root: reads policy as written, opens the database and makes every part on top of them; server,
 * commands and tests alike. Touches no schema and starts nothing.
 *
 * @throws PolicyModelError, DatabaseError, EmbeddedPostgresError with a message for the operator
 */
export async function compose(config: Config, log: Logger): Promise<Parts> {
  const model = loadPolicyModel(await readPolicyFiles(config))
  const database = await openDatabase(config, log)
  const keeper = new SnapshotKeeper({
    source: new PolicySourceStore(database),
    model,
    maxStalenessMs: config.maxStalenessMs,
    log,
  })
  const { manager } = database.dataSource
  const write = policyWrite(database.dataSource, storesOf, (revision) => keeper.noticed(revision))
  const reading = storesOf(manager)
  const activity = new ActivityRecorder(new PgActivityStore(manager), log)
  return {
    config,
    log,
    database,
    keeper,
    users: new UserService(write, reading.users),
    groups: new GroupService(write, reading.groups),
    projects: new ProjectService(write, reading.projects),
    grants: new GrantService(write, reading.grants),
    auditEvents: new AuditEventService(new PgAuditEventStore(manager)),
    serviceKeys: new ServiceKeyService(write, reading.serviceKeys),
    apiTokens: new ApiTokenService(write, reading.apiTokens),
    activity,
    imports: new ImportService(write, importRead(database.dataSource)),
    async close() {
      await activity.flush()
      await keeper.stop()
      await database.close()
    },
  }
}

/** All stores of one connection, or of one transaction. */
function storesOf(manager: EntityManager) {
  return {
    names: new PgNameStore(manager),
    users: new PgUserStore(manager),
    groups: new PgGroupStore(manager),
    projects: new PgProjectStore(manager),
    grants: new PgGrantStore(manager),
    serviceKeys: new PgServiceKeyStore(manager),
    apiTokens: new PgApiTokenStore(manager),
    imports: new PgImportStore(manager),
  }
}
