import { setImmediate as breathe } from 'node:timers/promises'
import type { Effect, Permission } from '../decision/policy-state.ts'
import { denyMeetsSuperuser, type ProjectRightsStore } from '../project-rights.ts'
import type { Principal } from './grant-schemas.ts'
import { type GrantFields, type GrantStore, type Sought, unknownPrincipal, unknownProject } from './grant-service.ts'
import type { GrantTimes } from './grant-times.ts'
import type { RowFault } from './refused-rows.ts'

/** A grant that is asked for among many: for whom by id, or by login or name of the group, exactly. */
export type WantedGrant = {
  projectId: number
  principal: Principal | NamedPrincipal
  permission: Permission
  effect?: Effect | undefined
  validFrom?: string | null | undefined
  validUntil?: string | null | undefined
}
type NamedPrincipal = { type: Principal['type']; name: string }

/** What of all that rows name is there. */
export type Known = { projects: ReadonlySet<number>; user: KnownPrincipals; group: KnownPrincipals }
type KnownPrincipals = { ids: ReadonlySet<number>; names: ReadonlyMap<string, number> }

/** A row that may become a grant, by its place in the bulk. */
export type ResolvedRow = { row: number; fields: GrantFields }

/** Rows between two pauses in which others are answered, and rows a statement. */
export const CHUNK = 10_000

/** Runs `work` on one piece of a list after the other, and lets others be answered in between. */
export async function inPieces<Row>(
  rows: readonly Row[],
  work: (piece: readonly Row[], start: number) => void | Promise<void>,
): Promise<void> {
  for (let start = 0; start < rows.length; start += CHUNK) {
    await work(rows.slice(start, start + CHUNK), start)
    await breathe()
  }
}

/** Holds the projects, and whomever the rows name, and says what of it is there. */
export async function holdNamed(
  grants: GrantStore,
  wanted: readonly WantedGrant[],
  projectIds: ReadonlySet<number>,
): Promise<Known> {
  const projects = new Set(await grants.holdProjects([...projectIds]))
  // Users before groups, as every write takes them.
  const user = await holdPrincipals(grants, wanted, 'user')
  return { projects, user, group: await holdPrincipals(grants, wanted, 'group') }
}

async function holdPrincipals(
  grants: GrantStore,
  wanted: readonly WantedGrant[],
  type: Principal['type'],
): Promise<KnownPrincipals> {
  const [ids, names] = [new Set<number>(), new Set<string>()]
  for (const { principal } of wanted) {
    if (principal.type !== type) continue
    if ('name' in principal) names.add(principal.name)
    else ids.add(principal.id)
  }
  const sought: Sought = { ids: [...ids], names: [...names] }
  const found = ids.size + names.size === 0 ? [] : await grants.holdPrincipals(type, sought)
  return { ids: new Set(found.map(({ id }) => id)), names: new Map(found.map(({ id, name }) => [name, id])) }
}

/** Makes fields of the rows that name what is there, at times that there are, each once; and tells why of the others. */
export async function resolveRows(
  wanted: readonly WantedGrant[],
  times: readonly GrantTimes[],
  known: Known,
  { source, grantedBy }: Pick<GrantFields, 'source' | 'grantedBy'>,
): Promise<{ rows: ResolvedRow[]; faults: RowFault[] }> {
  const rows: ResolvedRow[] = []
  const faults: RowFault[] = []
  const seen = new Map<string, number>()
  const resolve = (grant: WantedGrant, row: number) => {
    const { faults: timeFaults, validFrom, validUntil } = times[row] as GrantTimes
    const { projectId, permission, effect = 'allow' } = grant
    const principal = principalOf(grant.principal, known)
    const found = [...timeFaults, ...unknownParts(grant, principal, known)]
    for (const fault of found) faults.push({ ...fault, row, code: 'invalid-request' })
    if (principal === undefined || found.length > 0) return
    const fields = { projectId, principal, permission, effect, validFrom, validUntil, source, grantedBy }
    const key = identityOf(fields)
    const sameAs = seen.get(key)
    if (sameAs === undefined) seen.set(key, row)
    else faults.push({ row, pointer: '', detail: 'is the same grant as', sameAs, code: 'invalid-request' })
    rows.push({ row, fields })
  }
  await inPieces(wanted, (piece, start) => {
    for (const [place, grant] of piece.entries()) resolve(grant, start + place)
  })
  return { rows, faults }
}

function principalOf(principal: Principal | NamedPrincipal, known: Known): Principal | undefined {
  const { ids, names } = known[principal.type]
  if (!('name' in principal)) return ids.has(principal.id) ? principal : undefined
  const id = names.get(principal.name)
  return id === undefined ? undefined : { type: principal.type, id }
}

function unknownParts({ projectId, principal }: WantedGrant, found: Principal | undefined, { projects }: Known) {
  const faults = []
  if (!projects.has(projectId)) faults.push({ pointer: '/project', detail: unknownProject(projectId) })
  if (found === undefined) {
    const field = 'name' in principal ? 'name' : 'id'
    faults.push({ pointer: `/principal/${field}`, detail: unknownPrincipal(principal) })
  }
  return faults
}

/** Grants are the same where these are, as the database has it. */
function identityOf({ projectId, principal, permission, effect, validFrom, validUntil }: GrantFields): string {
  const times = validFrom === null && validUntil === null ? '' : `${validFrom?.getTime()} ${validUntil?.getTime()}`
  return `${projectId} ${principal.type} ${principal.id} ${permission} ${effect} ${times}`
}

/** A fault for each deny that meets a superuser. */
export async function superuserFaults(rights: ProjectRightsStore, rows: readonly ResolvedRow[]): Promise<RowFault[]> {
  const faults: RowFault[] = []
  const denies = rows.filter(({ fields }) => fields.effect === 'deny')
  for (const projectId of new Set(denies.map(({ fields }) => fields.projectId))) {
    for (const type of ['user', 'group'] as const) {
      const some = denies.filter(({ fields }) => fields.projectId === projectId && fields.principal.type === type)
      faults.push(...(await facingSuperusers(rights, some, type, projectId)))
    }
  }
  return faults
}

async function facingSuperusers(
  rights: ProjectRightsStore,
  denies: readonly ResolvedRow[],
  type: Principal['type'],
  projectId: number,
): Promise<RowFault[]> {
  if (denies.length === 0) return []
  const ids = [...new Set(denies.map(({ fields }) => fields.principal.id))]
  const superusers = new Set(await rights.holdingSuperusers(type, ids, projectId))
  const { message: detail } = denyMeetsSuperuser()
  return denies
    .filter(({ fields }) => superusers.has(fields.principal.id))
    .map(({ row }) => ({ row, pointer: '', detail, code: 'not-permitted' }))
}

/** The rows whose grants are there already; projects that have no grant at all, as in a first import, need no search. */
export async function presentAmong(grants: GrantStore, rows: readonly ResolvedRow[]): Promise<Set<ResolvedRow>> {
  const granted = new Set(await grants.projectsWithGrants([...new Set(rows.map(({ fields }) => fields.projectId))]))
  const present = new Set<ResolvedRow>()
  const searched = granted.size === 0 ? [] : rows.filter(({ fields }) => granted.has(fields.projectId))
  await inPieces(searched, async (piece) => {
    const places = await grants.present(piece.map(({ fields }) => fields))
    for (const place of places) present.add(piece[place] as ResolvedRow)
  })
  return present
}
