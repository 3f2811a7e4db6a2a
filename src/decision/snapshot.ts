import { Credentials, isCredentialChange } from './credentials.ts'
import { GrantTable } from './grant-table.ts'
import type { PolicyFacts } from './matcher-functions.ts'
import { IN_EVERY_PROJECT, MembershipTable } from './membership-table.ts'
import type { PolicyModel } from './policy-model.ts'
import { EVERYWHERE, GroupRecord, type MembershipRecord, ProjectRecord, UserRecord } from './policy-records.ts'
import type { GrantState, MembershipState, PolicyChange, PolicyTables, UserState } from './policy-state.ts'

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
  readonly memberships = new MembershipTable()
  revision = 0
  /** Raised by every change, so that what was derived from the snapshot can tell that it is outdated. */
  generation = 0
  readonly credentials = new Credentials()
  readonly #users = new Map<number, UserRecord>()
  readonly #usersBySub = new Map<string, UserRecord>()
  readonly #usersByName = new Map<string, UserRecord>()
  readonly #groups = new Map<number, GroupRecord>()
  readonly #groupsByName = new Map<string, GroupRecord>()
  readonly #projects = new Map<number, ProjectRecord>()
  readonly #projectsByDom = new Map<string, ProjectRecord>()
  readonly #principals: (UserRecord | GroupRecord)[] = []
  readonly #projectOrdinals: ProjectRecord[] = []
  #anonymous: UserRecord | undefined
  #askedUser: UserRecord | undefined
  #askedProject: ProjectRecord | undefined
  #askedOwner: UserRecord | undefined

  /** Told of every fault inside a decision; the decision itself was a denial. */
  readonly onFault: (cause: unknown) => void

  constructor(model: PolicyModel, options: { expectedGrants?: number; onFault?: (cause: unknown) => void } = {}) {
    this.model = model
    this.grants = new GrantTable(options.expectedGrants)
    this.onFault = options.onFault ?? (() => {})
  }

  get users(): ReadonlyMap<number, UserRecord> {
    return this.#users
  }
  get groups(): ReadonlyMap<number, GroupRecord> {
    return this.#groups
  }
  get projects(): ReadonlyMap<number, ProjectRecord> {
    return this.#projects
  }
  /** The one user marked anonymous. */
  get anonymous(): UserRecord | undefined {
    return this.#anonymous
  }
  user(sub: string): UserRecord | undefined {
    if (this.#askedUser?.sub === sub) return this.#askedUser
    return this.#askedOwner?.sub === sub ? this.#askedOwner : this.#usersBySub.get(sub)
  }
  userNamed(username: string): UserRecord | undefined {
    return this.#usersByName.get(username)
  }
  groupNamed(name: string): GroupRecord | undefined {
    return this.#groupsByName.get(name)
  }
  projectExists(dom: string): boolean {
    return this.#askedProject?.dom === dom || this.#projectsByDom.has(dom)
  }
  /**
   * Says whom and what the decision at hand is about, both taken from this snapshot just now.
   *
   * WHY: the matcher's functions ask for the same user and project by name again and again; each look-up in a map of
   * 50,000 names costs a tenth of a decision.
   */
  asked(user: UserRecord, project: ProjectRecord | undefined): void {
    this.#askedUser = user
    this.#askedProject = project
  }
  /** Says whose object the decision at hand is about; see {@link asked}. */
  askedOwner(owner: UserRecord | undefined): void {
    this.#askedOwner = owner
  }
  /** The user or group of an ordinal of the grant table. */
  principal(ordinal: number): UserRecord | GroupRecord {
    return this.#principals[ordinal] as UserRecord | GroupRecord
  }
  /** The user or group of a name in Casbin, `user:<id>` or `group:<id>`. */
  principalNamed(sub: string): UserRecord | GroupRecord | undefined {
    return this.#usersBySub.get(sub) ?? (sub.startsWith('group:') ? this.#groups.get(Number(sub.slice(6))) : undefined)
  }
  /** The project of an ordinal of the grant table. */
  projectOf(ordinal: number): ProjectRecord {
    return this.#projectOrdinals[ordinal] as ProjectRecord
  }
  isMemberOfNamesake(user: UserRecord, { namesake }: UserRecord, dom: string): boolean {
    if (namesake === undefined) return false
    const project = this.#askedProject?.dom === dom ? this.#askedProject : this.#projectsByDom.get(dom)
    for (let place = 0; place < user.count; place += 1) {
      if (this.memberships.group(user, place) !== namesake.ordinal) continue
      const within = this.memberships.project(user, place)
      if (within === IN_EVERY_PROJECT || within === project?.ordinal) return true
    }
    return false
  }
  /** The memberships of a user, in the order in which they came. */
  membershipsOf(user: UserRecord): MembershipRecord[] {
    return this.memberships.of(user).map(({ id, group, project }) => ({
      id,
      group: this.#principals[group] as GroupRecord,
      dom: project === IN_EVERY_PROJECT ? EVERYWHERE : this.projectOf(project).dom,
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
    this.#askedUser = undefined
    this.#askedProject = undefined
    this.#askedOwner = undefined
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
    const need = (kind: 'user' | 'group' | 'project', id: number | null, known: ReadonlyMap<number, unknown>) => {
      if (id === null || known.has(id) || coming.has(`${kind}:${id}`)) return
      throw new Error(`the change feed refers to ${kind} ${id}, which is not in the snapshot`)
    }
    for (const { kind, state } of changes) {
      if ((kind !== 'membership' && kind !== 'grant') || state === null) continue
      need('user', state.userId, this.#users)
      need('group', state.groupId, this.#groups)
      need('project', state.projectId, this.#projects)
    }
  }

  #put(change: PolicyChange): void {
    if (change.state === null) return
    if (change.kind === 'user') this.#putUser(change.state)
    else if (change.kind === 'group') {
      const group =
        this.#groups.get(change.id) ?? this.#addPrincipal(new GroupRecord(change.id, this.#principals.length))
      this.#groups.set(group.id, group)
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
    const user = this.#users.get(state.id) ?? this.#addUser(state.id)
    this.#users.set(user.id, user)
    this.#usersBySub.set(user.sub, user)
    forget(this.#usersByName, user.username, user)
    user.take(state)
    this.#usersByName.set(user.username, user)
    this.#pairNames(user.username)
    if (user.isAnonymous) this.#anonymous = user
    else if (this.#anonymous === user) this.#anonymous = undefined
  }

  #addUser(id: number): UserRecord {
    const user = this.#addPrincipal(new UserRecord(id, this.#principals.length))
    this.memberships.open(user.ordinal, user)
    return user
  }

  /** Tells the user of this login which group has its name now. */
  #pairNames(name: string): void {
    const user = this.#usersByName.get(name)
    if (user !== undefined) user.namesake = this.#groupsByName.get(name)
  }

  #forgetGroupName(group: GroupRecord): void {
    forget(this.#groupsByName, group.name, group)
    this.#pairNames(group.name)
  }

  #addPrincipal<Principal extends UserRecord | GroupRecord>(principal: Principal): Principal {
    this.#principals.push(principal)
    return principal
  }

  #addProject(id: number): ProjectRecord {
    const project = new ProjectRecord(id, this.#projectOrdinals.length)
    this.#projectOrdinals.push(project)
    this.#projects.set(id, project)
    this.#projectsByDom.set(project.dom, project)
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
    const user = this.#users.get(state.userId)
    const group = this.#groups.get(state.groupId)
    const project = state.projectId === null ? undefined : this.#projects.get(state.projectId)
    if (user === undefined || group === undefined) return
    const within = project?.ordinal ?? IN_EVERY_PROJECT
    this.memberships.put(user.ordinal, { id: state.id, group: group.ordinal, project: within })
  }

  #putGrant(state: GrantState): void {
    const principal = state.userId === null ? this.#groups.get(state.groupId as number) : this.#users.get(state.userId)
    const project = this.#projects.get(state.projectId)
    if (principal !== undefined && project !== undefined) this.grants.put(project.ordinal, principal.ordinal, state)
  }

  #remove(change: PolicyChange): void {
    if (change.kind === 'user') {
      const user = this.#users.get(change.id)
      if (user === undefined) return
      this.credentials.generation += 1
      this.#users.delete(user.id)
      this.#usersBySub.delete(user.sub)
      forget(this.#usersByName, user.username, user)
      if (this.#anonymous === user) this.#anonymous = undefined
    } else if (change.kind === 'group') {
      const group = this.#groups.get(change.id)
      if (group !== undefined) this.#forgetGroupName(group)
      this.#groups.delete(change.id)
    } else if (change.kind === 'project') {
      this.#projectsByDom.delete(String(change.id))
      this.#projects.delete(change.id)
    }
  }
}

/** Where a transaction changed a row several times, only what it left counts. */
function lastOfEachRow(changes: readonly PolicyChange[]): readonly PolicyChange[] {
  if (changes.every((change) => change.state !== null)) return changes
  return [...new Map(changes.map((change) => [`${change.kind}:${change.id}`, change])).values()]
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
