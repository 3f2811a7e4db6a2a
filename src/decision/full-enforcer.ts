import { type Adapter, DefaultRoleManager, EnforceContext, Enforcer, type Model, newModelFromString } from 'casbin'
import { SUPERUSER } from './candidates.ts'
import { namedFunctions } from './matcher-functions.ts'
import type { RULE_FIELDS } from './policy-model.ts'
import { EVERYWHERE } from './policy-records.ts'
import type { ResolvedRequest } from './resolved-request.ts'
import type { Snapshot } from './snapshot.ts'

/** Casbin's own answer to one request, in Casbin's form. */
export type CasbinQuestion = {
  sub: string
  dom: string
  act: string
  obj: { given: boolean; creator: string; importer: string }
  via: string
  now: number
}

/** A request in Casbin's form: a question for each of its objects. */
export function casbinQuestions(snapshot: Snapshot, request: ResolvedRequest): CasbinQuestion[] {
  const { user, projectId, act, objects, via, now } = request
  return objects.map(({ given, creator, importer }) => {
    const obj = { given, creator: snapshot.subOf(creator), importer: snapshot.subOf(importer) }
    return { sub: snapshot.subOf(user), dom: String(projectId), act, obj, via, now }
  })
}

/**
 * Casbin's own enforcer over every rule of a snapshot: what the index is held against, and what decides where the index
 * may not narrow. Slow by nature: each question scans every rule.
 *
 * Rules go in as cells, never as text, and each is a list of its own; Casbin never writes.
 */
export class FullEnforcer {
  readonly #enforcer = new Enforcer()
  readonly #requestFields: readonly string[]

  /** @param casbinModel the snapshot's model with every rule and link in it; facts come from the snapshot */
  private constructor(snapshot: Snapshot, casbinModel: Model) {
    this.#requestFields = snapshot.model.requestFields
    this.#enforcer.setModel(casbinModel)
    const implications = snapshot.model.implications.map(({ from, to }) => [from, to])
    linkUp(casbinModel, 'g', casbinModel.model.get('g')?.get('g')?.policy ?? [])
    linkUp(casbinModel, 'g2', implications)
    const functions = namedFunctions(snapshot, (sub, dom, now) => this.allowsToken(sub, dom, now))
    // WHY not awaited: Casbin declares these asynchronous, but they do their work before they return.
    for (const [name, call] of Object.entries(functions)) void this.#enforcer.addFunction(name, call as never)
  }

  /** Casbin over the rules and links that the snapshot holds. */
  static over(snapshot: Snapshot): FullEnforcer {
    const casbinModel = newModelFromString(snapshot.model.text)
    addRules(casbinModel, snapshot, snapshot.model.rules)
    addRules(casbinModel, snapshot, grantRules(snapshot))
    addLinks(casbinModel, linkRows(snapshot))
    return new FullEnforcer(snapshot, casbinModel)
  }

  /**
   * Casbin over the rules of `policies/` and whatever a Casbin adapter loads: policy read a second way.
   *
   * @throws whatever the adapter throws
   */
  static async through(snapshot: Snapshot, adapter: Pick<Adapter, 'loadPolicy'>): Promise<FullEnforcer> {
    const casbinModel = newModelFromString(snapshot.model.text)
    addRules(casbinModel, snapshot, snapshot.model.rules)
    addLinks(
      casbinModel,
      snapshot.model.links.map(({ from, to, dom }) => [from, to, dom]),
    )
    await adapter.loadPolicy(casbinModel)
    return new FullEnforcer(snapshot, casbinModel)
  }

  /** The answer of the matcher `m` under the model's effect. @throws whatever Casbin throws */
  allows(question: CasbinQuestion): boolean {
    return this.#enforcer.enforceSync(...this.#values(question))
  }

  /** The answer of the matcher `m2`: the explicit grant that D8 asks for. @throws whatever Casbin throws */
  allowsToken(sub: string, dom: string, now: number): boolean {
    const obj = { given: false, creator: '', importer: '' }
    const question = { sub, dom, act: 'can_annotate_with_token', obj, via: 'token', now }
    return this.#enforcer.enforceSync(new EnforceContext('r', 'p', 'e', 'm2'), ...this.#values(question))
  }

  #values(question: CasbinQuestion): unknown[] {
    return this.#requestFields.map((field) => question[field as keyof CasbinQuestion])
  }
}

type RuleCells = Record<(typeof RULE_FIELDS)[number], string>

function addRules(casbinModel: Model, { model }: Snapshot, rules: Iterable<RuleCells>): void {
  const assertion = casbinModel.model.get('p')?.get('p')
  for (const rule of rules) assertion?.policy.push(model.ruleFields.map((field) => rule[field]))
}

function addLinks(casbinModel: Model, links: Iterable<string[]>): void {
  const assertion = casbinModel.model.get('g')?.get('g')
  for (const link of links) assertion?.policy.push(link)
}

function linkUp(casbinModel: Model, key: 'g' | 'g2', links: Iterable<readonly string[]>): void {
  const assertion = casbinModel.model.get('g')?.get(key)
  if (assertion !== undefined) assertion.rm = roleManager(links)
}

/** The grants by id; they follow the rules of `policies/`, and an effect of priority goes by this order. */
function* grantRules(snapshot: Snapshot): Generator<RuleCells> {
  const grants = [...snapshot.grants.all()].sort((one, other) => one.grant.id - other.grant.id)
  for (const { project, principal, grant } of grants) {
    yield {
      sub: snapshot.principal(principal).sub,
      dom: snapshot.projectAt(project).dom,
      act: grant.permission,
      eft: grant.effect,
      from: grant.validFrom === null ? '' : String(grant.validFrom),
      until: grant.validUntil === null ? '' : String(grant.validUntil),
    }
  }
}

function* linkRows(snapshot: Snapshot): Generator<[string, string, string]> {
  for (const { from, to, dom } of snapshot.model.links) yield [from, to, dom]
  for (const user of snapshot.users.values()) {
    if (user.isSuperuser) yield [user.sub, SUPERUSER, EVERYWHERE]
    for (const { group, dom } of snapshot.membershipsOf(user)) yield [user.sub, group.sub, dom]
  }
}

function roleManager(links: Iterable<readonly string[]>): DefaultRoleManager {
  const manager = new DefaultRoleManager(10)
  // WHY not awaited: addLink is declared asynchronous, but its work is done before it returns.
  for (const [from = '', to = '', ...dom] of links) void manager.addLink(from, to, ...dom)
  return manager
}
