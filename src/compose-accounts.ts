import type { Logger } from 'pino'
import type { EntityManager } from 'typeorm'
import { AccountPasswordService } from './account/account-password-service.ts'
import type { AccountStores } from './account/account-ports.ts'
import { AccountRequestHandling } from './account/account-request-handling.ts'
import { AccountRequestService, type AccountRequestStore } from './account/account-request-service.ts'
import { PgAccountRequestStore } from './account/account-request-store.ts'
import { AccountRequestWorker } from './account/account-request-worker.ts'
import { PgAccountStore } from './account/account-store.ts'
import { PgNameStore } from './account/name-store.ts'
import { PgOneTimeTokenStore } from './account/one-time-token-store.ts'
import { OwnAccountService } from './account/own-account-service.ts'
import { PgOwnAccountStore } from './account/own-account-store.ts'
import type { PasswordHashing } from './account/password-hashing.ts'
import { PASSWORD_POLICY, refuseBadPassword } from './account/password-policy.ts'
import { RegistrationService } from './account/registration-service.ts'
import type { UserService } from './account/user-service.ts'
import type { Config } from './config.ts'
import type { PolicyWrite } from './policy/policy-write.ts'
import type { PasswordAttempts } from './session/password-attempts.ts'

type Stores = AccountStores & { accountRequests: AccountRequestStore }

type AccountSurroundings = {
  config: Config
  write: PolicyWrite<Stores>
  manager: EntityManager
  log: Logger
  users: UserService
  passwords: PasswordHashing
  passwordAttempts: PasswordAttempts
}

/** What people do with accounts of their own. */
export function accountParts({ config, write, manager, log, users, ...login }: AccountSurroundings) {
  const { passwords: hasher, passwordAttempts: proof } = login
  const reading = {
    names: new PgNameStore(manager),
    accounts: new PgAccountStore(manager),
    oneTimeTokens: new PgOneTimeTokenStore(manager),
  }
  const handling = new AccountRequestHandling(config.registration, log)
  const requests = new AccountRequestService<Stores>(
    write,
    new PgAccountRequestStore(manager),
    (...request) => handling.handle(...request),
    () => accountRequestWorker.wake(),
  )
  const password = { ...PASSWORD_POLICY, refuseBad: refuseBadPassword, hasher }
  const registration = new RegistrationService({
    rules: config.registration,
    password,
    proof,
    requests,
    write,
    reading,
  })
  const accountRequestWorker: AccountRequestWorker = new AccountRequestWorker(
    { workOne: (except) => requests.workOne(except), sweep: () => registration.sweep() },
    log,
  )
  const common = { proof, requests, write, reading }
  return {
    registration,
    accountRequestWorker,
    accountPasswords: new AccountPasswordService({ ...common, ...password }),
    ownAccounts: new OwnAccountService({ ...common, users, own: new PgOwnAccountStore(manager) }),
  }
}
