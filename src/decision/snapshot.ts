import { Credentials, isCredentialChange } from './credentials.ts'
import { GrantTable } from './grant-table.ts'
import { ABSENT, IdIndex } from './id-index.ts'
import type { PolicyFacts } from './matcher-functions.ts'
import { IN_EVERY_PROJECT, MembershipTable } from './membership-table.ts'
import type { PolicyModel } from './policy-model.ts'
import {
  EVERYWHERE,
  GroupRecord,
  isGroup,
  type MembershipRecord,
  ordinalIn,
  ProjectRecord,
  type UserRecord,
} from './policy-records.ts'
import type { GrantState, MembershipState, PolicyChange, PolicyTables, UserState } from './policy-state.ts'
import { UserTable } from './user-table.ts'

/**
 * All policy at one revision, in memory, ready to decide.
 *
 * INVARIANT: nothing that decides can wait, and {@link apply} does not wait either, so a change set is applied between
 * two decisions, whole; nobody can observe half of one. Whoever must answer several checks from one revision does so
 * without waiting in between.
 */
export class Snapshot implements PolicyFacts {
  readonly model: PolicyModel
  readonly grants: GrantTable
  revision = 0
  /** Raised by every change, so that what was derived from the snapshot can tell that it is outdated. */
  generation = 0
  readonly credentials = new Credentials()
  readonly users = new UserTable()
  readonly memberships = new MembershipTable(this.users.rows)
  readonly #groups = new Map<number, GroupRecord>()
  readonly #groupsByName = new Map<string, GroupRecord>()
  readonly #groupsByOrdinal: GroupRecord[] = []
  readonly #projects = new Map<number, ProjectRecord>()
  readonly #projectsByOrdinal: ProjectRecord[] = []
  readonly #projectOrdinals = new IdIndex()

  /** Told of every fault inside a decision; the decision itself was a denial. */
  readonly onFault: (cause: unknown) => void

  constructor(model: PolicyModel, options: { expectedGrants?: number; onFault?: (cause: unknown) => void } = {}) {
    this.model = model
    this.grants = new GrantTable(options.expectedGrants)
    this.onFault = options.onFault ?? (() => {})
  }

  get groups(): ReadonlyMap<number, GroupRecord> {
    return this.#groups
  }
  get projects(): ReadonlyMap<number, ProjectRecord> {
    return this.#projects
  }
  groupNamed(name: string): GroupRecord | undefined {
    return this.#groupsByName.get(name)
  }
  /** The project of an ordinal of the grant table. */
  projectAt(ordinal: number): ProjectRecord {
    return this.#projectsByOrdinal[ordinal] as ProjectRecord
  }
  /** The ordinal of the project of this id, or {@link ABSENT}. */
  projectOrdinal(id: number): number {
    return this.#projectOrdinals.get(id)
  }
  projectExists(id: number): boolean {
    return this.#projectOrdinals.get(id) !== ABSENT
  }
  /** The user or group that the grant table knows by this number. */
  principal(number: number): UserRecord | GroupRecord {
    const ordinal = ordinalIn(number)
    return isGroup(number) ? (this.#groupsByOrdinal[ordinal] as GroupRecord) : this.users.at(ordinal)
  }
  /** The user or group of a name in Casbin, `user:<id>` or `group:<id>`. */
  principalNamed(sub: string): UserRecord | GroupRecord | undefined {
    return this.users.get(idIn(sub, 'user:')) ?? this.#groups.get(idIn(sub, 'group:'))
  }
  userOfSub(sub: string): number {
    return this.users.ordinalOf(idIn(sub, 'user:'))
  }
  /** The name in Casbin of the user of an ordinal; '' of {@link ABSENT}. */
  subOf(user: number): string {
    return user === ABSENT ? '' : this.users.at(user).sub
  }
  isMemberOfNamesake(user: number, owner: number, projectId: number): boolean {
    const { memberships, users } = this
    const namesake = users.namesakeOf(owner)
    if (namesake === ABSENT) return false
    const project = this.projectOrdinal(projectId)
    const count = memberships.count(user)
    for (let index = 0; index < count; index += 1) {
      if (memberships.group(user, index) !== namesake) continue
      const within = memberships.project(user, index)
      if (within === IN_EVERY_PROJECT || (within === project && project !== ABSENT)) return true
    }
    return false
  }
  /** The memberships of a user, in the order in which they came. */
  membershipsOf(user: UserRecord): MembershipRecord[] {
    return this.memberships.of(user.ordinal).map(({ id, group, project }) => ({
      id,
      group: this.principal(group) as GroupRecord,
      dom: project === IN_EVERY_PROJECT ? EVERYWHERE : this.projectAt(project).dom,
    }))
  }

  /**
   * Applies the changes of one transaction, all or none.
   *
   * @throws Error, with nothing changed, when a membership or grant names a user, group or project that is not there:
   * the feed does not fit this snapshot, and policy has to be read anew
   */
  apply(changeSet: readonly PolicyChange[]): void {
    const changes = lastOfEachRow(changeSet)
    this.#checkReferences(changes)
    // Within one transaction the feed may name a row before the row it refers to (a cascade), so what is referred to
    // is put first and removed last.
    for (const change of changes) if (isCredentialChange(change)) this.credentials.apply(change)
    for (const change of changes) if (change.state !== null) this.#put(change)
    for (const change of changes) this.#applyReference(change)
    for (const change of changes) if (change.state === null) this.#remove(change)
    this.generation += 1
  }

  #checkReferences(changes: readonly PolicyChange[]): void {
    const coming = new Set<string>()
    for (const { kind, id, state } of changes) if (state !== null) coming.add(`${kind}:${id}`)
    const need = (kind: 'user' | 'group' | 'project', id: number | null, known: { has(id: number): boolean }) => {
      if (id === null || known.has(id) || coming.has(`${kind}:${id}`)) return
      throw new Error(`the change feed refers to ${kind} ${id}, which is not in the snapshot`)
    }
    for (const { kind, state } of changes) {
      if ((kind !== 'membership' && kind !== 'grant') || state === null) continue
      need('user', state.userId, this.users)
      need('group', state.groupId, this.#groups)
      need('project', state.projectId, this.#projects)
    }
  }

  #put(change: PolicyChange): void {
    if (change.state === null) return
    if (change.kind === 'user') this.#putUser(change.state)
    else if (change.kind === 'group') {
      const group = this.#groups.get(change.id) ?? this.#addGroup(change.id)
      this.#forgetGroupName(group)
      group.take(change.state)
      this.#groupsByName.set(group.name, group)
      this.#pairNames(group.name)
    } else if (change.kind === 'project') {
      const project = this.#projects.get(change.id) ?? this.#addProject(change.id)
      project.take(change.state)
    }
  }

  #putUser(state: UserState): void {
    this.credentials.generation += 1
    this.users.put(state)
    this.#pairNames(state.username)
  }

  /** Tells the user of this login which group has its name now. */
  #pairNames(name: string): void {
    const user = this.users.ordinalNamed(name)
    if (user !== ABSENT) this.users.setNamesake(user, this.#groupsByName.get(name)?.principal ?? ABSENT)
  }

  #forgetGroupName(group: GroupRecord): void {
    forget(this.#groupsByName, group.name, group)
    this.#pairNames(group.name)
  }

  #addGroup(id: number): GroupRecord {
    const group = new GroupRecord(id, this.#groupsByOrdinal.length)
    this.#groupsByOrdinal.push(group)
    this.#groups.set(id, group)
    return group
  }

  #addProject(id: number): ProjectRecord {
    const project = new ProjectRecord(id, this.#projectsByOrdinal.length)
    this.#projectsByOrdinal.push(project)
    this.#projects.set(id, project)
    this.#projectOrdinals.set(id, project.ordinal)
    return project
  }

  #applyReference(change: PolicyChange): void {
    if (change.kind === 'membership') {
      if (change.state === null) this.memberships.delete(change.id)
      else this.#putMembership(change.state)
    } else if (change.kind === 'grant') {
      if (change.state === null) this.grants.delete(change.id)
      else this.#putGrant(change.state)
    }
  }

  #putMembership(state: MembershipState): void {
    const user = this.users.ordinalOf(state.userId)
    const group = this.#groups.get(state.groupId)
    if (user === ABSENT || group === undefined) return
    const project = state.projectId === null ? IN_EVERY_PROJECT : this.projectOrdinal(state.projectId)
    if (state.projectId !== null && project === ABSENT) return
    this.memberships.put(user, { id: state.id, group: group.principal, project })
  }

  #putGrant(state: GrantState): void {
    const { userId, groupId } = state
    const { principal } = (userId === null ? this.#groups.get(groupId as number) : this.users.get(userId)) ?? {}
    const project = this.projectOrdinal(state.projectId)
    if (principal !== undefined && project !== ABSENT) this.grants.put(project, principal, state)
  }

  #remove(change: PolicyChange): void {
    if (change.kind === 'user') {
      this.credentials.generation += 1
      this.users.delete(change.id)
    } else if (change.kind === 'group') {
      const group = this.#groups.get(change.id)
      if (group !== undefined) this.#forgetGroupName(group)
      this.#groups.delete(change.id)
    } else if (change.kind === 'project') {
      this.#projectOrdinals.delete(change.id)
      this.#projects.delete(change.id)
    }
  }
}

/** Where a transaction changed a row several times, only what it left counts. */
function lastOfEachRow(changes: readonly PolicyChange[]): readonly PolicyChange[] {
  if (changes.every((change) => change.state !== null)) return changes
  return [...new Map(changes.map((change) => [`${change.kind}:${change.id}`, change])).values()]
}

/** The id in a name in Casbin that begins so; NaN, which nothing has, where it is no such name. */
function idIn(sub: string, beginning: 'user:' | 'group:'): number {
  const id = Number(sub.slice(beginning.length))
  return `${beginning}${id}` === sub ? id : Number.NaN
}

/** Takes a name out of an index, unless another row has taken the name meanwhile. */
function forget<Row>(index: Map<string, Row>, name: string, row: Row): void {
  if (index.get(name) === row) index.delete(name)
}

/** A snapshot of whole tables, for tests, benchmarks and policy test files. */
export function snapshotOf(model: PolicyModel, tables: PolicyTables, revision: number): Snapshot {
  const snapshot = new Snapshot(model, { expectedGrants: Math.max(16, tables.grants.length) })
  snapshot.apply(tables.users.map((state) => ({ kind: 'user', id: state.id, state })))
  snapshot.apply(tables.groups.map((state) => ({ kind: 'group', id: state.id, state })))
  snapshot.apply(tables.projects.map((state) => ({ kind: 'project', id: state.id, state })))
  snapshot.apply(tables.memberships.map((state) => ({ kind: 'membership', id: state.id, state })))
  snapshot.apply(tables.grants.map((state) => ({ kind: 'grant', id: state.id, state })))
  snapshot.apply(tables.serviceKeys.map((state) => ({ kind: 'serviceKey', id: state.id, state })))
  snapshot.revision = revision
  return snapshot
}
