import type { Effect, Permission } from '../decision/policy-state.ts'
import { DomainError } from '../errors.ts'
import type { PageRequest } from '../page.ts'
import { denyMeetsSuperuser, keepingAdministrators, type ProjectRightsStore } from '../project-rights.ts'
import { quoted } from '../text.ts'
import type { GRANT_SORTS, Grant, GrantFilter, NewGrant, Principal } from './grant-schemas.ts'
import { readGrantTimes } from './grant-times.ts'
import type { AuditHead, Committed, PolicyWrite, WriteContext } from './policy-write.ts'

/** How a list of grants is asked for. */
export type GrantPage = PageRequest<keyof typeof GRANT_SORTS>

/** Reads grants. */
export interface GrantReader {
  hasProject(projectId: number): Promise<boolean>
  /** Up to `limit + 1` grants, see {@link PageRequest}. */
  list(projectId: number, filter: GrantFilter, page: GrantPage): Promise<Grant[]>
}

/** A grant that is not kept yet. */
export type GrantFields = {
  projectId: number
  principal: Principal
  permission: Permission
  effect: Effect
  validFrom: Date | null
  validUntil: Date | null
  source: 'api' | 'file'
  grantedBy: string
}

/** Whom to look for. */
export type Sought = { ids: readonly number[]; names: readonly string[] }
/** The id of whoever has this login, or of the group of this name. */
export type NamedId = { id: number; name: string }

/** What a write about grants needs, in its transaction. */
export interface GrantStore extends GrantReader {
  /** Readies the transaction for thousands of grants. */
  expectMany(): Promise<void>
  /** Those of the projects that there are; they stay until the transaction ends. */
  holdProjects(projectIds: readonly number[]): Promise<number[]>
  /**
   * Those of the users or groups that there are, deleted users not, by id or by login or name, exactly. Nobody else
   * writes about them until the transaction ends.
   */
  holdPrincipals(type: Principal['type'], sought: Sought): Promise<NamedId[]>
  /** Those of the projects that have any grant. */
  projectsWithGrants(projectIds: readonly number[]): Promise<number[]>
  /** Places in the list of those grants that are there already, to the letter. */
  present(grants: readonly GrantFields[]): Promise<number[]>
  /** Makes grants of which none is there yet, all by one giver from one source, and gives their ids. */
  addAll(grants: readonly GrantFields[]): Promise<number[]>
  /** Leaves the audit event of its making for each grant, as if it had been made alone. */
  auditCreation(grantIds: readonly number[], head: AuditHead): Promise<void>
  /** Null when the same grant is there already. */
  add(grant: GrantFields): Promise<Grant | null>
  /** Removes and gives a grant; null when the project has no such grant. */
  remove(projectId: number, grantId: number): Promise<Grant | null>
  /** All grants of a principal on a project, by id. */
  ofPrincipal(projectId: number, principal: Principal): Promise<Grant[]>
}

type Stores = { grants: GrantStore; rights: ProjectRightsStore }

/**
 * Grants: what a user or a group is allowed, or refused, on a project. Who writes in person may not take the last
 * holder of can_administer away, nor touch denies that meet a superuser.
 */
export class GrantService {
  readonly #write: PolicyWrite<Stores>
  readonly #grants: GrantReader

  constructor(write: PolicyWrite<Stores>, grants: GrantReader) {
    this.#write = write
    this.#grants = grants
  }

  /**
   * Up to `limit + 1` grants on a project, see {@link PageRequest}.
   *
   * @throws DomainError `not-found`
   */
  async list(projectId: number, filter: GrantFilter, page: GrantPage): Promise<Grant[]> {
    if (!(await this.#grants.hasProject(projectId))) throw noProject(projectId)
    return this.#grants.list(projectId, filter, page)
  }

  /**
   * @throws DomainError `not-found`, `invalid-request` also for an unknown principal, `grant-exists`; in person
   *   `last-administrator`, `not-permitted`
   */
  create(context: WriteContext, projectId: number, input: NewGrant): Promise<Committed<Grant>> {
    const fields = fieldsOf(projectId, input, context.caller)
    return this.#write(context, async ({ grants, rights }, audit) => {
      await holdProject(grants, projectId)
      if (!(await isHeld(grants, input.principal))) throw noPrincipal(input.principal)
      await refuseDenyOfSuperuser(context, rights, fields)
      const grant = await keepingAdministrators(context, rights, [projectId], () => grants.add(fields))
      if (grant === null) throw new DomainError('grant-exists', ALREADY_THERE)
      audit({ action: 'grant.create', target: `grant:${grant.id}`, after: grant })
      return grant
    })
  }

  /** @throws DomainError `not-found`; in person `last-administrator`, `not-permitted` */
  delete(context: WriteContext, projectId: number, grantId: number): Promise<Committed<void>> {
    return this.#write(context, async ({ grants, rights }, audit) => {
      const removal = () => grants.remove(projectId, grantId)
      const grant = await keepingAdministrators(context, rights, [projectId], removal)
      if (grant === null) throw new DomainError('not-found', `project ${projectId} has no grant ${grantId}`)
      await refuseDenyOfSuperuser(context, rights, grant)
      audit({ action: 'grant.delete', target: `grant:${grantId}`, before: grant })
    })
  }

  /**
   * Makes a principal's allows without time limits on a project exactly `permissions`. Denies and timed grants stay.
   * Gives all grants of the principal there.
   *
   * @throws DomainError `not-found` for the project or the principal; in person `last-administrator`
   */
  set(
    context: WriteContext,
    projectId: number,
    principal: Principal,
    permissions: readonly Permission[],
  ): Promise<Committed<Grant[]>> {
    return this.#write(context, async ({ grants, rights }, audit) => {
      await holdProject(grants, projectId)
      if (!(await isHeld(grants, principal))) throw new DomainError('not-found', unknownPrincipal(principal))
      const lasting = (await grants.ofPrincipal(projectId, principal)).filter(isLastingAllow)
      const dropped = lasting.filter(({ permission }) => !permissions.includes(permission))
      const missing = permissions.filter((name) => lasting.every(({ permission }) => permission !== name))
      await keepingAdministrators(context, rights, [projectId], async () => {
        for (const { id } of dropped) await grants.remove(projectId, id)
        for (const name of missing) await grants.add(lastingAllow(projectId, principal, name, context.caller))
      })
      if (dropped.length + missing.length > 0) {
        const before = { principal, permissions: lasting.map(({ permission }) => permission).sort() }
        const after = { principal, permissions: [...permissions].sort() }
        audit({ action: 'grant.set', target: `project:${projectId}`, before, after })
      }
      return grants.ofPrincipal(projectId, principal)
    })
  }
}

async function holdProject(grants: GrantStore, projectId: number): Promise<void> {
  if ((await grants.holdProjects([projectId])).length === 0) throw noProject(projectId)
}

const isHeld = async (grants: GrantStore, { type, id }: Principal): Promise<boolean> =>
  (await grants.holdPrincipals(type, { ids: [id], names: [] })).length > 0

/** Also of denies that are not in force yet, or no longer. */
async function refuseDenyOfSuperuser(
  { inPerson }: WriteContext,
  rights: ProjectRightsStore,
  { effect, principal, projectId }: Pick<GrantFields, 'effect' | 'principal' | 'projectId'>,
): Promise<void> {
  if (inPerson === null || effect === 'allow') return
  const superusers = await rights.holdingSuperusers(principal.type, [principal.id], projectId)
  if (superusers.length > 0) throw denyMeetsSuperuser()
}

const isLastingAllow = ({ effect, validFrom, validUntil }: Grant) =>
  effect === 'allow' && validFrom === null && validUntil === null

const lastingAllow = (
  projectId: number,
  principal: Principal,
  permission: Permission,
  grantedBy: string,
): GrantFields => ({
  projectId,
  principal,
  permission,
  effect: 'allow',
  validFrom: null,
  validUntil: null,
  source: 'api',
  grantedBy,
})

function fieldsOf(projectId: number, input: NewGrant, grantedBy: string): GrantFields {
  const { faults, ...times } = readGrantTimes(input)
  if (faults.length > 0) throw new DomainError('invalid-request', 'a time was refused', { faults: [...faults] })
  const { principal, permission, effect = 'allow' } = input
  return { projectId, principal, permission, effect, ...times, source: 'api', grantedBy }
}

/** Says that a grant is there, to the letter. */
export const ALREADY_THERE = 'the same grant is there already'

/** Says that a project is not there. */
export const unknownProject = (projectId: number) => `there is no project ${projectId}`

/** The answer to whoever names a project that is not there. */
export const noProject = (projectId: number) => new DomainError('not-found', unknownProject(projectId))

/** Says that a user or a group is not there. */
export const unknownPrincipal = (principal: Principal | { type: Principal['type']; name: string }) =>
  `there is no ${principal.type} ${'name' in principal ? quoted(principal.name) : principal.id}`

function noPrincipal(principal: Principal): DomainError {
  const detail = unknownPrincipal(principal)
  return new DomainError('invalid-request', detail, { faults: [{ pointer: '/principal/id', detail }] })
}
