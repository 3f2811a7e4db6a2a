import { allowedOf, deniedOf, hasTimed } from './grant-table.ts'
import { ABSENT } from './id-index.ts'
import { LinkGraph, type RowLinks } from './link-graph.ts'
import type { MatcherContext } from './matcher-compiler.ts'
import { IN_EVERY_PROJECT } from './membership-table.ts'
import type { Narrowing } from './narrowing.ts'
import type { FileRule } from './policy-model.ts'
import {
  countsIn,
  EVERYWHERE,
  type GroupRecord,
  type ProjectRecord,
  principalOfUser,
  type UserRecord,
} from './policy-records.ts'
import { type Effect, PERMISSIONS, type Permission } from './policy-state.ts'
import type { Asked } from './resolved-request.ts'
import { type Satisfying, satisfyingPermissions } from './satisfying-permissions.ts'
import type { Snapshot } from './snapshot.ts'

/** Superusers are linked to this name in every project (D5); the rule for it is in `policies/`. */
export const SUPERUSER = 'role:superuser'

/** Which rules matched: the bits {@link ALLOW} and {@link DENY}. */
export type Matched = number
export const ALLOW = 1
export const DENY = 2

/** A rule that matched, as an explanation names it: a grant of a principal, or a line in `policies/`. */
export type MatchedRule =
  | { source: 'grant'; id: number; principal: UserRecord | GroupRecord; permission: Permission; effect: Effect }
  | { source: 'file'; rule: FileRule }

/** Asked of a rule in hand, whose fields stand in the context: does it match? */
export type RuleTest = {
  holds: (context: MatcherContext) => boolean
  /** Does it read of the rule nothing but the times, so that all untimed rules fare alike? */
  readsOnlyTimes: boolean
}

type OnMatch = ((rule: MatchedRule) => void) | null

/** What the rows of a snapshot link a user to: groups by memberships of exactly this domain, and superusers. */
export function rowLinksOf(snapshot: Snapshot): RowLinks {
  return (name, dom) => {
    const ordinal = snapshot.userOfSub(name)
    if (ordinal === ABSENT) return []
    const user = snapshot.users.at(ordinal)
    const memberships = snapshot.membershipsOf(user).filter((membership) => membership.dom === dom)
    const subs = memberships.map(({ group }) => group.sub)
    if (user.isSuperuser && dom === EVERYWHERE) subs.push(SUPERUSER)
    return subs
  }
}

/**
 * Hands a matcher only the rules that can match a request: those of the user, of what the user is linked to, on that
 * project (or on every project), with a permission that satisfies the asked one.
 */
export class Candidates {
  readonly #snapshot: Snapshot
  readonly #narrowing: Narrowing
  readonly #test: RuleTest
  readonly #fileRules = new Map<string, FileRule[]>()
  readonly #links: LinkGraph
  /** By the asked permission's place in PERMISSIONS. */
  readonly #satisfying: readonly Satisfying[]
  /** Files give rules to superusers only, as the shipped ones do. */
  readonly #onlySuperuserRules: boolean

  constructor(snapshot: Snapshot, narrowing: Narrowing, test: RuleTest) {
    this.#snapshot = snapshot
    this.#narrowing = narrowing
    this.#test = test
    this.#links = new LinkGraph(snapshot.model.links, rowLinksOf(snapshot))
    for (const rule of snapshot.model.rules) {
      if (rule.dom === EVERYWHERE && !narrowing.everyProjectRules) continue
      this.#fileRules.set(rule.sub, [...(this.#fileRules.get(rule.sub) ?? []), rule])
    }
    this.#onlySuperuserRules = [...this.#fileRules.keys()].every((sub) => sub === SUPERUSER)
    this.#satisfying = satisfyingPermissions(snapshot.model, narrowing.permission)
  }

  /**
   * Evaluates every candidate for the request in the context.
   *
   * @param onMatch told of each rule that matched, when an explanation is wanted
   */
  match(asked: Asked, context: MatcherContext, onMatch: OnMatch): Matched {
    const satisfying = this.#satisfying[asked.permission]
    if (satisfying === undefined) return 0
    if (!this.#links.isEmpty) return this.#matchLinked(asked, context, satisfying, onMatch)
    let matched = asked.project === ABSENT ? 0 : this.#matchHeld(asked, context, satisfying.bits, onMatch)
    if (this.#onlySuperuserRules && !this.#snapshot.users.isSuperuser(asked.user)) return matched
    for (const sub of this.#subsWithFileRules(this.#snapshot.users.at(asked.user), String(context.projectId))) {
      matched |= this.#matchFileRules(sub, context, satisfying.names, onMatch)
    }
    return matched
  }

  /**
   * The grants of the user and of its groups. Where nobody listens, what all of them hold untimed is one set of bits and
   * is tested as one; grants with a beginning or an end are tested one by one.
   */
  #matchHeld(asked: Asked, context: MatcherContext, satisfying: number, onMatch: OnMatch): Matched {
    const { grants, memberships } = this.#snapshot
    if (onMatch !== null || !this.#test.readsOnlyTimes) return this.#matchEach(asked, context, satisfying, onMatch)
    const { user, project } = asked
    let held = grants.held(project, principalOfUser(user))
    const count = memberships.count(user)
    for (let index = 0; index < count; index += 1) {
      if (!this.#counts(memberships.project(user, index), project)) continue
      held |= grants.held(project, memberships.group(user, index))
    }
    const timed = hasTimed(held) ? this.#matchTimed(asked, context, satisfying) : 0
    const matched =
      ((allowedOf(held) & satisfying) !== 0 ? ALLOW : 0) | ((deniedOf(held) & satisfying) !== 0 ? DENY : 0)
    if (matched === 0) return timed
    context.p_from = ''
    context.p_until = ''
    return this.#test.holds(context) ? matched | timed : timed
  }

  /** The grants with a beginning or an end of the user and of its groups. */
  #matchTimed(asked: Asked, context: MatcherContext, satisfying: number): Matched {
    const { grants } = this.#snapshot
    let matched = 0
    for (const principal of this.#principalsOf(asked)) {
      if (!hasTimed(grants.held(asked.project, principal))) continue
      matched |= this.#matchTimedOf(principal, asked.project, context, satisfying)
    }
    return matched
  }

  #matchTimedOf(principal: number, project: number, context: MatcherContext, satisfying: number): Matched {
    const { grants } = this.#snapshot
    let matched = 0
    for (let row = grants.firstRow(project, principal); row !== ABSENT; row = grants.rowAfter(row)) {
      const grant = grants.timedGrant(row)
      if (grant === undefined || (grant.bit & satisfying) === 0) continue
      context.p_from = grant.from
      context.p_until = grant.until
      if (this.#test.holds(context)) matched |= grant.effect === 'allow' ? ALLOW : DENY
    }
    return matched
  }

  #matchEach(asked: Asked, context: MatcherContext, satisfying: number, onMatch: OnMatch): Matched {
    const project = this.#snapshot.projectAt(asked.project)
    let matched = 0
    for (const number of this.#principalsOf(asked)) {
      matched |= this.#matchGrants(this.#snapshot.principal(number), project, context, satisfying, onMatch)
    }
    return matched
  }

  /** The user and the groups whose memberships count, as the grant table knows them. */
  #principalsOf({ user, project }: Asked): number[] {
    const { memberships } = this.#snapshot
    const principals = [principalOfUser(user)]
    for (let index = 0; index < memberships.count(user); index += 1) {
      if (this.#counts(memberships.project(user, index), project)) principals.push(memberships.group(user, index))
    }
    return principals
  }

  /**
   * The projects, by ordinal, on which some rule can match the user; null where it may be any. Grants are looked at of
   * all the user's groups, wherever the memberships count.
   */
  projectsWithin(user: UserRecord): Set<number> | null {
    if (!this.#links.isEmpty || !this.#onlySuperuserRules || user.isSuperuser) return null
    const { grants, memberships } = this.#snapshot
    const projects = grants.projectsOf(user.principal)
    for (const { group } of memberships.of(user.ordinal)) {
      for (const project of grants.projectsOf(group)) projects.add(project)
    }
    return projects
  }

  /** Does a membership limited to this project, or to none, count in the project of the request? */
  #counts(within: number, project: number): boolean {
    const { linksEverywhere, linksInProject } = this.#narrowing
    return within === IN_EVERY_PROJECT ? linksEverywhere : linksInProject && within === project
  }

  /** What the user is linked to that files give rules to. */
  #subsWithFileRules(user: UserRecord, dom: string): string[] {
    const subs: string[] = []
    const { linksEverywhere, linksInProject } = this.#narrowing
    if (user.isSuperuser && linksEverywhere && this.#fileRules.has(SUPERUSER)) subs.push(SUPERUSER)
    if (this.#onlySuperuserRules) return subs
    if (this.#fileRules.has(user.sub)) subs.push(user.sub)
    for (const { group, dom: within } of this.#snapshot.membershipsOf(user)) {
      const counts = within === EVERYWHERE ? linksEverywhere : linksInProject && within === dom
      if (counts && this.#fileRules.has(group.sub)) subs.push(group.sub)
    }
    return subs
  }

  /** The general way, taken when files in `policies/` link names by `g`: every name reached, in each of the domains. */
  #matchLinked(asked: Asked, context: MatcherContext, satisfying: Satisfying, onMatch: OnMatch): Matched {
    const project = asked.project === ABSENT ? undefined : this.#snapshot.projectAt(asked.project)
    let matched = 0
    for (const sub of this.#reachedSubs(this.#snapshot.users.at(asked.user), String(context.projectId))) {
      const principal = this.#snapshot.principalNamed(sub)
      if (principal !== undefined && project !== undefined) {
        matched |= this.#matchGrants(principal, project, context, satisfying.bits, onMatch)
      }
      matched |= this.#matchFileRules(sub, context, satisfying.names, onMatch)
    }
    return matched
  }

  #reachedSubs(user: UserRecord, wanted: string): Set<string> {
    const subs = new Set([user.sub])
    const domains = [
      ...(this.#narrowing.linksEverywhere ? [EVERYWHERE] : []),
      ...(this.#narrowing.linksInProject ? [wanted] : []),
    ]
    for (const dom of domains) {
      for (const sub of this.#links.reachedFrom([user.sub], dom)) subs.add(sub)
    }
    return subs
  }

  #matchGrants(
    principal: UserRecord | GroupRecord,
    project: ProjectRecord,
    context: MatcherContext,
    satisfying: number,
    onMatch: OnMatch,
  ): Matched {
    const { grants } = this.#snapshot
    const held = grants.held(project.ordinal, principal.principal)
    if (held === 0) return 0
    context.p_sub = principal.sub
    context.p_dom = project.dom
    if (onMatch !== null || hasTimed(held))
      return this.#matchEachGrant(principal, project, context, satisfying, onMatch)
    context.p_from = ''
    context.p_until = ''
    return (
      this.#matchBits(allowedOf(held) & satisfying, 'allow', context) |
      this.#matchBits(deniedOf(held) & satisfying, 'deny', context)
    )
  }

  #matchBits(bits: number, effect: Effect, context: MatcherContext): Matched {
    context.p_eft = effect
    for (let left = bits; left !== 0; left &= left - 1) {
      context.p_act = PERMISSIONS[31 - Math.clz32(left & -left)] as string
      if (this.#test.holds(context)) return effect === 'allow' ? ALLOW : DENY
    }
    return 0
  }

  #matchEachGrant(
    principal: UserRecord | GroupRecord,
    project: ProjectRecord,
    context: MatcherContext,
    satisfying: number,
    onMatch: OnMatch,
  ): Matched {
    let matched = 0
    const grants = this.#snapshot.grants.grants(project.ordinal, principal.principal)
    for (const { id, permission, effect, validFrom, validUntil } of grants) {
      if ((satisfying & (1 << PERMISSIONS.indexOf(permission))) === 0) continue
      context.p_act = permission
      context.p_eft = effect
      context.p_from = validFrom === null ? '' : String(validFrom)
      context.p_until = validUntil === null ? '' : String(validUntil)
      if (!this.#test.holds(context)) continue
      matched |= effect === 'allow' ? ALLOW : DENY
      onMatch?.({ source: 'grant', id, principal, permission, effect })
    }
    return matched
  }

  #matchFileRules(
    sub: string,
    context: MatcherContext,
    satisfying: ReadonlySet<string> | null,
    onMatch: OnMatch,
  ): Matched {
    let matched = 0
    for (const rule of this.#fileRules.get(sub) ?? []) {
      if (!countsIn({ dom: rule.dom }, String(context.projectId)) || satisfying?.has(rule.act) === false) continue
      context.p_sub = rule.sub
      context.p_dom = rule.dom
      context.p_act = rule.act
      context.p_eft = rule.eft
      context.p_from = rule.from
      context.p_until = rule.until
      if (!this.#test.holds(context)) continue
      matched |= rule.eft === 'allow' ? ALLOW : DENY
      onMatch?.({ source: 'file', rule })
    }
    return matched
  }
}
