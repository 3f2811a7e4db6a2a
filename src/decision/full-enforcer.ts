import { DefaultRoleManager, EnforceContext, Enforcer, newModelFromString } from 'casbin'
import { SUPERUSER } from './candidates.ts'
import type { ObjectContext } from './matcher-compiler.ts'
import { matcherFunctions } from './matcher-functions.ts'
import type { RULE_FIELDS } from './policy-model.ts'
import { EVERYWHERE } from './policy-records.ts'
import type { Snapshot } from './snapshot.ts'

/** Casbin's own answer to one request, in Casbin's form. */
export type CasbinQuestion = {
  sub: string
  dom: string
  act: string
  obj: ObjectContext
  via: string
  now: number
}

/**
 * Casbin's own enforcer over every rule of a snapshot: what the index is held against, and what decides where the index
 * may not narrow. Slow by nature: each question scans every rule.
 *
 * Rules go in as cells, never as text, and each is a list of its own; the enforcer never sees a database.
 */
export class FullEnforcer {
  readonly #enforcer = new Enforcer()
  readonly #requestFields: readonly string[]

  constructor(snapshot: Snapshot) {
    const { model } = snapshot
    this.#requestFields = model.requestFields
    const casbinModel = newModelFromString(model.text)
    this.#enforcer.setModel(casbinModel)
    const policy = casbinModel.model.get('p')?.get('p')
    for (const rule of ruleRows(snapshot)) policy?.policy.push(model.ruleFields.map((field) => rule[field]))
    const links = casbinModel.model.get('g')
    for (const [key, rows] of [
      ['g', linkRows(snapshot)],
      ['g2', model.implications.map(({ from, to }) => [from, to])],
    ] as const) {
      const assertion = links?.get(key)
      if (assertion !== undefined) assertion.rm = roleManager(rows)
    }
    const functions = matcherFunctions(snapshot, (sub, dom, now) => this.allowsToken(sub, dom, now))
    // WHY not awaited: Casbin declares these asynchronous, but they do their work before they return.
    for (const [name, call] of Object.entries(functions)) void this.#enforcer.addFunction(name, call as never)
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

/** The rules of `policies/` as they stand there, then the grants by id: an effect of priority goes by this order. */
function* ruleRows(snapshot: Snapshot): Generator<Record<(typeof RULE_FIELDS)[number], string>> {
  yield* snapshot.model.rules
  const grants = [...snapshot.grants.all()].sort((one, other) => one.grant.id - other.grant.id)
  for (const { project, principal, grant } of grants) {
    yield {
      sub: snapshot.principal(principal).sub,
      dom: snapshot.projectOf(project).dom,
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
    for (const { group, dom } of user.memberships) yield [user.sub, group.sub, dom]
  }
}

function roleManager(links: Iterable<readonly string[]>): DefaultRoleManager {
  const manager = new DefaultRoleManager(10)
  // WHY not awaited: addLink is declared asynchronous, but its work is done before it returns.
  for (const [from = '', to = '', ...dom] of links) void manager.addLink(from, to, ...dom)
  return manager
}
