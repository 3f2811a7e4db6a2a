import type { User } from '../account/user-schemas.ts'
import type { UserService } from '../account/user-service.ts'
import type { Config } from '../config.ts'
import { type Terminal, withParts } from './command-parts.ts'

/** `confirmEditRights` insists on a login that shifts rights to edit data (DESIGN, section 3). */
export type SuperuserOptions = { email?: string; confirmEditRights?: boolean; json?: boolean }
type Outcome = { user: User; revision: number | null; outcome: 'made' | 'promoted' | 'unchanged' }
/** How a superuser without a password chooses one, once; null where there is one. */
type PasswordChoice = { passwordToken: string | null; passwordLink: string | null }

const CONTEXT = { caller: 'command:superuser', requestId: null, inPerson: null }

/**
 * `gatehouse superuser create`: makes the user, or makes the user of that login a superuser. Whoever has no password yet
 * gets a link to choose one, which works once and for 24 hours: there are no default passwords.
 *
 * @throws DomainError when the login or address is refused
 */
export async function createSuperuser(
  username: string,
  options: SuperuserOptions,
  config: Config,
  { out }: Terminal,
): Promise<0> {
  const done = await withParts(config, async ({ users, accountPasswords }) => {
    const outcome = await madeOrPromoted(users, username, options)
    const passwordToken = await accountPasswords.firstPasswordToken(CONTEXT, outcome.user.id)
    return { ...outcome, passwordToken, passwordLink: linkOf(passwordToken, config) }
  })
  out(options.json === true ? JSON.stringify(done, null, 2) : [sentence(done), ...choice(done, config)].join('\n'))
  return 0
}

async function madeOrPromoted(users: UserService, username: string, options: SuperuserOptions): Promise<Outcome> {
  const { email, confirmEditRights } = options
  const page = { limit: 1, sort: 'id', descending: false, after: null } as const
  const [present] = await users.list({ username }, page)
  const given = { ...(email !== undefined && { email }) }
  if (present === undefined) {
    const insisting = { ...(confirmEditRights !== undefined && { confirmEditRights }) }
    const made = await users.create(CONTEXT, { username, isSuperuser: true, ...given, ...insisting })
    return { user: made.value, revision: made.revision, outcome: 'made' }
  }
  if (present.isSuperuser && (email === undefined || email === present.email)) {
    return { user: present, revision: null, outcome: 'unchanged' }
  }
  const promoted = await users.update(CONTEXT, present.id, { isSuperuser: true, ...given })
  return { user: promoted.value, revision: promoted.revision, outcome: 'promoted' }
}

function sentence({ user, outcome }: Outcome): string {
  const name = JSON.stringify(user.username)
  const inactive = user.isActive ? '' : ', but inactive: an inactive user is denied everything'
  if (outcome === 'made') return `made user ${name} (id ${user.id}), a superuser`
  if (outcome === 'promoted') return `user ${name} (id ${user.id}) is a superuser now${inactive}`
  return `user ${name} (id ${user.id}) is a superuser already${inactive}`
}

function linkOf(token: string | null, { publicUrl }: Config): string | null {
  return token === null || publicUrl === undefined ? null : `${publicUrl}/reset-password?token=${token}`
}

function choice({ passwordToken, passwordLink }: PasswordChoice, { host, port }: Config): string[] {
  if (passwordLink !== null)
    return ['to choose a password, open this page within 24 hours; it works once:', passwordLink]
  if (passwordToken === null) return []
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}/v1/password-resets/confirm`
  const body = JSON.stringify({ token: passwordToken, newPassword: '…' })
  return [
    'to choose a password, send it to the running service within 24 hours; this works once:',
    `curl -sS ${url} -H 'Content-Type: application/json' -d '${body}'`,
  ]
}
