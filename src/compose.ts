import { readFile } from 'node:fs/promises'
import type { Logger } from 'pino'
import type { DataSource, EntityManager } from 'typeorm'
import { PgAccountRequestStore } from './account/account-request-store.ts'
import { PgAccountStore } from './account/account-store.ts'
import { ActivityRecorder } from './account/activity-recorder.ts'
import { PgActivityStore } from './account/activity-store.ts'
import { remindOfExpiringTokens } from './account/api-token-reminders.ts'
import { ApiTokenService } from './account/api-token-service.ts'
import { PgApiTokenStore } from './account/api-token-store.ts'
import { GroupService } from './account/group-service.ts'
import { PgGroupStore } from './account/group-store.ts'
import { PgNameStore } from './account/name-store.ts'
import { PgOneTimeTokenStore } from './account/one-time-token-store.ts'
import { PasswordHashing } from './account/password-hashing.ts'
import { PgPasswordStore } from './account/password-store.ts'
import { readProfileCatalogue } from './account/profile-catalogue.ts'
import { ProfileService } from './account/profile-service.ts'
import type { ProfileCatalogue } from './account/profile-setting.ts'
import { PgProfileStore } from './account/profile-store.ts'
import { UserService } from './account/user-service.ts'
import { PgUserStore } from './account/user-store.ts'
import { accountParts } from './compose-accounts.ts'
import { inactivityParts } from './compose-inactivity.ts'
import { mailTransportOf, stationeryOf } from './compose-mail.ts'
import type { Config } from './config.ts'
import { type Database, openDatabase } from './database/data-source.ts'
import { removeStale } from './database/housekeeping.ts'
import { policyWrite } from './database/transaction.ts'
import { loadPolicyModel } from './decision/policy-model.ts'
import { SnapshotKeeper } from './decision/snapshot-keeper.ts'
import { Hourly } from './hourly.ts'
import { jwts } from './http/jwt.ts'
import { ImportService } from './import/import-service.ts'
import { importRead, PgImportStore } from './import/import-store.ts'
import { PgExemptionStore } from './inactivity/exemption-store.ts'
import { PgInactivityDetails } from './inactivity/inactivity-details-store.ts'
import { PgPeriodStore } from './inactivity/period-store.ts'
import { PgRunStore } from './inactivity/run-store.ts'
import { PgOutbox } from './mail/mail-outbox-store.ts'
import { MailSender } from './mail/mail-sender.ts'
import { MailService } from './mail/mail-service.ts'
import { type MailOffice, PgMailStore } from './mail/mail-store.ts'
import { AuditEventService } from './policy/audit-event-service.ts'
import { PgAuditEventStore } from './policy/audit-event-store.ts'
import { GrantBulkService } from './policy/grant-bulk-service.ts'
import { GrantService } from './policy/grant-service.ts'
import { PgGrantStore } from './policy/grant-store.ts'
import { readPolicyFiles } from './policy/policy-files.ts'
import { PolicySourceStore } from './policy/policy-source-store.ts'
import type { PolicyWrite } from './policy/policy-write.ts'
import { PgProjectRightsStore } from './policy/project-rights-store.ts'
import { ProjectService } from './policy/project-service.ts'
import { PgProjectStatistics } from './policy/project-statistics-store.ts'
import { PgProjectStore } from './policy/project-store.ts'
import { AccessTokens } from './session/access-token.ts'
import { LoginService } from './session/login-service.ts'
import { PgLoginStore } from './session/login-store.ts'
import { PasswordAttempts } from './session/password-attempts.ts'
import { ServiceKeyService } from './session/service-key-service.ts'
import { PgServiceKeyStore } from './session/service-key-store.ts'
import { SessionService } from './session/session-service.ts'
import { PgSessionStore } from './session/session-store.ts'
import { SessionTokens } from './session/session-tokens.ts'
import { SigningKeyService } from './session/signing-key-service.ts'
import { PgSigningKeyStore } from './session/signing-key-store.ts'
import { PgThrottleStore } from './session/throttle-store.ts'

/** Every part of the service, made once; `close` gives up what was opened, in the right order. */
export type Parts = {
  config: Config
  log: Logger
  database: Database
  /** Not started: a server starts it once the schema is up to date; commands that do not decide leave it. */
  keeper: SnapshotKeeper
  users: UserService
  groups: GroupService
  profiles: ProfileService
  projects: ProjectService
  grants: GrantService
  grantBulks: GrantBulkService
  auditEvents: AuditEventService
  serviceKeys: ServiceKeyService
  apiTokens: ApiTokenService
  statistics: PgProjectStatistics
  activity: ActivityRecorder
  imports: ImportService
  mails: MailService
  outbox: PgOutbox
  /** Not started: a server starts it once the schema is up to date; what commands queue, a server sends. */
  mailSender: MailSender
  hourly: Hourly
  passwords: PasswordHashing
  /** The one way to try a password of an account. */
  passwordAttempts: PasswordAttempts
  accessTokens: AccessTokens
  signingKeys: SigningKeyService
  logins: LoginService
  sessions: SessionService
  /** What a server needs beside a schema that is up to date: policy read, keys made, work by the clock begun. */
  start(): Promise<void>
  /** Begins what goes on beside the requests: mail is sent, what is stale is removed. `close` ends it. */
  startWork(): void
  /** Ends what `start` began; the database stays open. */
  stop(): Promise<void>
  close(): Promise<void>
} & ReturnType<typeof inactivityParts> &
  ReturnType<typeof accountParts>

/** The instant by which inactivity is judged, in the words of the database; null, and the default: now, by its clock. */
export type Clock = { clock?: () => string | null }
const NOW = () => null

/**
 * The composition root: reads policy as written, opens the database and makes every part on top of them; server,
 * commands and tests alike. Touches no schema and starts nothing.
 *
 * @throws PolicyModelError, ProfileCatalogueError, DatabaseError, EmbeddedPostgresError with a message for the operator
 */
export async function compose(config: Config, log: Logger, { clock = NOW }: Clock = {}): Promise<Parts> {
  const model = loadPolicyModel(await readPolicyFiles(config))
  const catalogue = readProfileCatalogue(config.profileSettingsFile, await readFile(config.profileSettingsFile, 'utf8'))
  const database = await openDatabase(config, log)
  const keeper = keeperOf(config, database, model, log)
  const { manager } = database.dataSource
  const activity = new ActivityRecorder(new PgActivityStore(manager), log)
  const { office, ...mail } = mailParts(config, database.dataSource, log)
  const stores = storesOf(catalogue, office)
  const write = policyWrite(database.dataSource, stores, (revision) => {
    mail.mailSender.noteCommitted()
    return keeper.noticed(revision)
  })
  const hourly = hourlyWork(write, database, log)
  const reading = stores(manager)
  const stop = async () => {
    login.signingKeys.stop()
    await account.accountRequestWorker.stop()
    await keeper.stop()
  }
  const inactivity = inactivityParts({ config, write, reading, log, dataSource: database.dataSource, clock })
  const login = await loginParts({ config, write, manager, log, activity })
  const administration = administrationParts(write, reading, catalogue, manager)
  const account = accountParts({ config, write, manager, log, users: administration.users, ...login })
  const basis = { config, log, database, keeper, activity }
  return {
    ...basis,
    ...administration,
    imports: new ImportService(write, importRead(database.dataSource)),
    ...inactivity,
    ...mail,
    hourly,
    ...login,
    ...account,
    async start() {
      await login.passwords.selfTest()
      await keeper.start()
      await login.signingKeys.start()
      account.accountRequestWorker.start()
    },
    startWork() {
      mail.mailSender.start()
      hourly.start()
      inactivity.inactivitySchedule.start()
    },
    stop,
    async close() {
      await activity.flush()
      await inactivity.stopInactivity()
      await mail.mailSender.stop()
      await hourly.stop()
      await stop()
      await database.close()
    },
  }
}

function keeperOf(config: Config, database: Database, model: ReturnType<typeof loadPolicyModel>, log: Logger) {
  const source = new PolicySourceStore(database)
  return new SnapshotKeeper({ source, model, maxStalenessMs: config.maxStalenessMs, log })
}

function mailParts(config: Config, dataSource: DataSource, log: Logger) {
  const outbox = new PgOutbox(dataSource)
  const mailSender = new MailSender(outbox, mailTransportOf(config), log)
  const office: MailOffice = { stationery: stationeryOf(config), queued: () => mailSender.noteQueued() }
  return { outbox, mailSender, office }
}

const hourlyWork = (write: PolicyWrite<Stores>, { dataSource }: Database, log: Logger) =>
  new Hourly(
    [
      { what: 'removed what is stale', run: () => removeStale(dataSource) },
      { what: 'reminded owners of API tokens that end soon', run: () => remindOfExpiringTokens(write) },
    ],
    log,
  )

/** What administers policy and accounts. */
const administrationParts = (
  write: PolicyWrite<Stores>,
  reading: Stores,
  catalogue: ProfileCatalogue,
  manager: EntityManager,
) => ({
  users: new UserService(write, reading.users),
  groups: new GroupService(write, reading.groups),
  profiles: new ProfileService(write, reading.profiles, catalogue),
  projects: new ProjectService(write, reading.projects),
  grants: new GrantService(write, reading.grants),
  grantBulks: new GrantBulkService(write),
  auditEvents: new AuditEventService(new PgAuditEventStore(manager)),
  serviceKeys: new ServiceKeyService(write, reading.serviceKeys),
  apiTokens: new ApiTokenService(write, reading.apiTokens),
  mails: new MailService(write, reading.mails),
  statistics: new PgProjectStatistics(manager),
})

type Foundations = {
  config: Config
  write: PolicyWrite<Stores>
  manager: EntityManager
  log: Logger
  activity: ActivityRecorder
}

/** What knows passwords, and opens sessions by them. */
async function loginParts({ config, write, manager, log, activity }: Foundations) {
  const { tokenAudience: audience } = config.sessions
  const accounts = new PgLoginStore(manager)
  const passwords = new PasswordHashing(new PgPasswordStore(manager))
  const passwordAttempts = new PasswordAttempts(new PgThrottleStore(manager), passwords, accounts)
  const accessTokens = new AccessTokens(
    await jwts({ type: 'at+jwt', issuer: config.publicUrl ?? 'urn:gatehouse', audience }),
  )
  const signingKeys = new SigningKeyService(write, new PgSigningKeyStore(manager), log)
  const tokens = new SessionTokens(accessTokens, signingKeys)
  const details = new PgInactivityDetails(manager)
  const logins = new LoginService({
    write,
    accounts,
    attempts: passwordAttempts,
    tokens,
    inactivity: (account) => details.of(account),
  })
  const sessions = new SessionService({
    write,
    sessions: new PgSessionStore(manager),
    attempts: passwordAttempts,
    tokens,
    refreshed: (userId, now) => activity.refreshed(userId, now),
  })
  return { passwords, passwordAttempts, accessTokens, signingKeys, logins, sessions }
}

type Stores = ReturnType<ReturnType<typeof storesOf>>

/** All stores of one connection, or of one transaction. */
const storesOf = (catalogue: ProfileCatalogue, mailOffice: MailOffice) => (manager: EntityManager) => ({
  names: new PgNameStore(manager),
  users: new PgUserStore(manager),
  groups: new PgGroupStore(manager),
  profiles: new PgProfileStore(manager, catalogue),
  projects: new PgProjectStore(manager),
  grants: new PgGrantStore(manager),
  rights: new PgProjectRightsStore(manager),
  serviceKeys: new PgServiceKeyStore(manager),
  apiTokens: new PgApiTokenStore(manager),
  logins: new PgLoginStore(manager),
  sessions: new PgSessionStore(manager),
  signingKeys: new PgSigningKeyStore(manager),
  imports: new PgImportStore(manager),
  inactivityPeriods: new PgPeriodStore(manager),
  inactivityExemptions: new PgExemptionStore(manager),
  inactivityRuns: new PgRunStore(manager),
  mails: new PgMailStore(manager, mailOffice),
  accounts: new PgAccountStore(manager),
  oneTimeTokens: new PgOneTimeTokenStore(manager),
  accountRequests: new PgAccountRequestStore(manager),
})
