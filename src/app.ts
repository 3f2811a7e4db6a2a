import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { type FastifyBaseLogger, type FastifyInstance, type FastifyRequest, fastify } from 'fastify'
import type { AccountPasswordService } from './account/account-password-service.ts'
import type { ActivityRecorder } from './account/activity-recorder.ts'
import { apiTokenRoutes } from './account/api-token-routes.ts'
import type { ApiTokenService } from './account/api-token-service.ts'
import { groupRoutes } from './account/group-routes.ts'
import type { GroupService } from './account/group-service.ts'
import { ownAccountRoutes } from './account/own-account-routes.ts'
import type { OwnAccountService } from './account/own-account-service.ts'
import { passwordResetRoutes } from './account/password-reset-routes.ts'
import { passwordRoutes } from './account/password-routes.ts'
import { profileRoutes } from './account/profile-routes.ts'
import type { ProfileService } from './account/profile-service.ts'
import { registrationRoutes } from './account/registration-routes.ts'
import type { RegistrationService } from './account/registration-service.ts'
import { userRoutes } from './account/user-routes.ts'
import type { UserService } from './account/user-service.ts'
import { problemOfDatabase } from './database/database-problem.ts'
import { type CheckRoutesOptions, checkRoutes, plainCheck } from './decision/check-routes.ts'
import { decide } from './decision/decide.ts'
import { reverseLookupRoutes } from './decision/reverse-lookup-routes.ts'
import type { Snapshot } from './decision/snapshot.ts'
import type { SnapshotKeeper } from './decision/snapshot-keeper.ts'
import { type ProjectStatistics, statisticsRoutes } from './decision/statistics-routes.ts'
import { rememberingCallers, requireAccess } from './http/authenticate.ts'
import type { Administrators } from './http/enforce.ts'
import { setHeaders } from './http/headers.ts'
import { healthRoutes } from './http/health.ts'
import { acceptJsonBodies } from './http/json-body.ts'
import { closeIdleConnections, LIMITS, type Limits } from './http/limits.ts'
import { type MailFigures, Metrics, measureRoutes, metricsRoutes, timeRequests } from './http/metrics.ts'
import type { Peers } from './http/metrics-of-workers.ts'
import { refuseUnknownRoutes } from './http/not-found.ts'
import { describeRoutes } from './http/openapi.ts'
import { refuseOverload, watchEventLoop } from './http/overload.ts'
import { answerPlainRequests } from './http/plain-requests.ts'
import { faultReader, problemGate, sendParserProblem } from './http/problem.ts'
import { requestIdOf } from './http/request-id.ts'
import { refuseUnknownParameters, validatorCompiler } from './http/validator.ts'
import { exemptionRoutes } from './inactivity/exemption-routes.ts'
import type { ExemptionService } from './inactivity/exemption-service.ts'
import { periodRoutes } from './inactivity/period-routes.ts'
import type { PeriodService } from './inactivity/period-service.ts'
import { runRoutes } from './inactivity/run-routes.ts'
import type { RunService } from './inactivity/run-service.ts'
import { mailRoutes } from './mail/mail-routes.ts'
import type { MailService } from './mail/mail-service.ts'
import type { PageOptions } from './pages/form-routes.ts'
import { pageRoutes } from './pages/page-routes.ts'
import { auditEventRoutes } from './policy/audit-event-routes.ts'
import type { AuditEventService } from './policy/audit-event-service.ts'
import type { GrantBulkService } from './policy/grant-bulk-service.ts'
import { grantRoutes } from './policy/grant-routes.ts'
import type { GrantService } from './policy/grant-service.ts'
import { projectRoutes } from './policy/project-routes.ts'
import type { ProjectService } from './policy/project-service.ts'
import { type AccessTokens, accessTokenCaller } from './session/access-token.ts'
import { apiTokenCaller } from './session/api-token-caller.ts'
import { CredentialCallers, serviceKeyCaller } from './session/callers.ts'
import { introspectionRoutes } from './session/introspection-routes.ts'
import type { LoginService } from './session/login-service.ts'
import { serviceKeyRoutes } from './session/service-key-routes.ts'
import type { ServiceKeyService } from './session/service-key-service.ts'
import { sessionRoutes } from './session/session-routes.ts'
import type { SessionService } from './session/session-service.ts'
import { signingKeyRoutes } from './session/signing-key-routes.ts'
import type { SigningKeyService } from './session/signing-key-service.ts'
import { networkOf } from './session/throttle.ts'

/** The parts of the service that its HTTP interface stands on. */
export type AppParts = {
  config: {
    publicUrl: string | undefined
    sessions: { trustedProxies: readonly string[] }
    registration: { allowed: boolean }
  }
  log: FastifyBaseLogger
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
  statistics: ProjectStatistics
  activity: ActivityRecorder
  inactivityPeriods: PeriodService
  inactivityExemptions: ExemptionService
  inactivityRuns: RunService
  mails: MailService
  outbox: { figures(): Promise<MailFigures> }
  logins: LoginService
  sessions: SessionService
  accessTokens: AccessTokens
  signingKeys: SigningKeyService
  registration: RegistrationService
  accountPasswords: AccountPasswordService
  ownAccounts: OwnAccountService
}

/** The HTTP interface: what `listen` opens and `close` ends. */
export type App = FastifyInstance

/**
 * The whole HTTP interface, ready to `listen`; closing it does not close the parts. `peers` are there where several
 * processes share the port.
 */
export async function buildApp(parts: AppParts, changedLimits: Partial<Limits> = {}, peers?: Peers): Promise<App> {
  const limits = { ...LIMITS, ...changedLimits }
  const app = shell(parts.log, limits, parts.config.sessions.trustedProxies)
  timeRequests(app)
  setHeaders(app)
  closeIdleConnections(app)
  refuseUnknownRoutes(app)
  // The pages that describe the others come first: what follows holds from here on.
  await describeRoutes(app, parts.config.publicUrl)
  refuseUnknownParameters(app)
  const callers = new CredentialCallers(
    () => parts.keeper.snapshot(),
    [serviceKeyCaller, apiTokenCaller, accessTokenCaller(parts.accessTokens)],
  )
  const callerOf = rememberingCallers(callers)
  requireAccess(app, callerOf, administrators(parts.keeper), (user) => parts.activity.used(user, Date.now()))
  const metrics = new Metrics(
    () => policyFigures(parts.keeper),
    () => parts.outbox.figures(),
    peers?.worker,
  )
  measureRoutes(app, metrics)
  await app.register(healthRoutes, { readiness: () => parts.keeper.readiness() })
  await app.register(metricsRoutes, { metrics, peers })
  const isLate = watchEventLoop(app, limits)
  const checks = { keeper: parts.keeper, decided: (reason: string) => metrics.decisions.counted(reason), now: Date.now }
  await app.register((features, _options, done) => {
    refuseOverload(features, isLate)
    registerFeatures(features, parts, checks, callers)
    done()
  })
  const tally = metrics.route('POST', '/check')
  const plainChecks = {
    path: '/check',
    answer: plainCheck(checks, callerOf),
    answered: (seconds: number) => tally.answered(200, seconds),
  }
  answerPlainRequests(app, plainChecks, isLate)
  await app.ready()
  return app
}

/** Fastify with its defaults put right: one kind of answer for every fault, nothing coerced, no log line a request. */
function shell(log: FastifyBaseLogger, limits: Limits, trustedProxies: readonly string[]): FastifyInstance {
  const sendProblem = problemGate(faultReader(log, problemOfDatabase))
  const app = fastify({
    // Fastify's own logger costs each request more than a check does, even when it logs nothing. What is worth a line,
    // the gate for problems logs.
    logger: false,
    genReqId: requestIdOf,
    requestIdHeader: false,
    // Only of these, the header that says whom they ask for is believed; of nobody by default.
    trustProxy: trustedProxies.length > 0 ? [...trustedProxies] : false,
    bodyLimit: limits.body,
    requestTimeout: limits.requestTime,
    keepAliveTimeout: limits.keepAliveTime,
    return503OnClosing: false,
    frameworkErrors: sendProblem,
    clientErrorHandler: sendParserProblem,
    routerOptions: { maxParamLength: limits.pathParameter },
    http: {
      maxHeaderSize: limits.headers,
      headersTimeout: limits.requestTime,
      connectionsCheckingInterval: limits.timeCheckInterval,
      // A second Authorization header must be seen to be refused.
      joinDuplicateHeaders: true,
      // We never build an address from it, and Node would answer its absence in its own format.
      requireHostHeader: false,
    },
  }).withTypeProvider<TypeBoxTypeProvider>()
  // An expectation that nobody knows may be ignored (RFC 9110, 10.1.1); Node would answer it in its own format.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response))
  app.setErrorHandler(sendProblem)
  app.setValidatorCompiler(validatorCompiler())
  acceptJsonBodies(app)
  return app
}

function registerFeatures(
  app: FastifyInstance,
  parts: AppParts,
  checks: CheckRoutesOptions,
  callers: CredentialCallers,
): void {
  const { keeper, now } = checks
  app.register(checkRoutes, checks)
  app.register(reverseLookupRoutes, { keeper, now })
  app.register(statisticsRoutes, { keeper, statistics: parts.statistics, now })
  app.register(userRoutes, { users: parts.users })
  app.register(groupRoutes, { groups: parts.groups, administrators: administrators(keeper) })
  app.register(profileRoutes, { profiles: parts.profiles })
  app.register(projectRoutes, { projects: parts.projects })
  app.register(grantRoutes, { grants: parts.grants, grantBulks: parts.grantBulks })
  app.register(apiTokenRoutes, { apiTokens: parts.apiTokens })
  app.register(serviceKeyRoutes, { serviceKeys: parts.serviceKeys })
  app.register(periodRoutes, { inactivityPeriods: parts.inactivityPeriods })
  app.register(exemptionRoutes, { inactivityExemptions: parts.inactivityExemptions })
  app.register(runRoutes, { inactivityRuns: parts.inactivityRuns })
  app.register(mailRoutes, { mails: parts.mails })
  app.register(passwordRoutes)
  app.register(sessionRoutes, { logins: parts.logins, sessions: parts.sessions })
  app.register(introspectionRoutes, { callers, usernameOf: (id) => keeper.snapshot().users.get(id)?.username })
  app.register(registrationRoutes, { registration: parts.registration, originOf })
  app.register(passwordResetRoutes, { passwords: parts.accountPasswords, originOf })
  app.register(ownAccountRoutes, { ownAccounts: parts.ownAccounts, passwords: parts.accountPasswords, originOf })
  app.register(signingKeyRoutes, {
    signingKeys: parts.signingKeys,
    publicKeys: () => keeper.snapshot().credentials.signingKeys,
  })
  app.register(auditEventRoutes, { auditEvents: parts.auditEvents })
  app.register(pageRoutes, pageOptions(parts))
}

function pageOptions(parts: AppParts): PageOptions {
  const { config, keeper, registration, logins, sessions, profiles } = parts
  const services = { registration, logins, sessions, profiles, passwords: parts.accountPasswords }
  const users = new CredentialCallers(() => keeper.snapshot(), [accessTokenCaller(parts.accessTokens)])
  return {
    services: { ...services, account: parts.ownAccounts },
    publicUrl: config.publicUrl,
    isRegistrationOpen: config.registration.allowed,
    originOf,
    userOf: (accessToken) => users.current()(accessToken)?.user ?? undefined,
    faultOf: faultReader(parts.log, problemOfDatabase),
  }
}

/** How a request came, for limits and for the audit trail. */
const originOf = ({ ip, id }: FastifyRequest) => ({ network: networkOf(ip), requestId: id })

/** Who may administer a project is asked of the engine that everybody else asks. */
const administrators = (keeper: SnapshotKeeper): Administrators => ({
  mayAdminister: (user, project, via) =>
    decide(keeper.snapshot(), { user, project, permission: 'can_administer', via }, Date.now()).allowed,
})

function policyFigures(keeper: SnapshotKeeper) {
  const { ready, revision, ageSeconds } = keeper.readiness()
  if (revision === undefined || ageSeconds === undefined) return undefined
  return { revision, ageSeconds, rows: ready ? policyRows(keeper.snapshot()) : {} }
}

const policyRows = ({ users, groups, projects, grants, memberships, credentials }: Snapshot) => ({
  user: users.size,
  group: groups.size,
  project: projects.size,
  membership: memberships.size,
  grant: grants.size,
  'service key': credentials.serviceKeys.size,
})
