/** Holds the engine against Casbin's own Enforcer and against the oracle, and counts what was decided by what. */
import { casbinEnforcer } from '../../src/decision/casbin-enforcer.ts'
import { decide } from '../../src/decision/decide.ts'
import { explain } from '../../src/decision/explain.ts'
import type { PolicyModel } from '../../src/decision/policy-model.ts'
import type { PolicyTables } from '../../src/decision/policy-state.ts'
import { type Snapshot, snapshotOf } from '../../src/decision/snapshot.ts'
import { type CasbinReference, casbinReference, type PolicyText } from './casbin-reference.ts'
import { ALL_SENTENCES, type OracleAnswer, type OracleRequest, oracle, SENTENCES } from './oracle.ts'
import { type Chance, type RandomCheck, randomRequest, randomTables, smallest } from './random-world.ts'

/** How many random checks were made, with which answers, and how often each rule and sentence decided. */
export class Tally {
  checks = 0
  readonly reasons = new Map<string, number>()
  readonly decisive = new Map<string, number>()

  /** Counts one check: its answer, and every sentence and rule without which the answer would be another. */
  count(tables: PolicyTables, { request, instant }: RandomCheck): void {
    const answer = oracle(tables, request, instant)
    this.checks += 1
    add(this.reasons, answer.reason)
    const decisive = ALL_SENTENCES.filter(
      (sentence) => oracle(tables, request, instant, new Set([sentence])).reason !== answer.reason,
    )
    for (const name of new Set([...decisive, ...decisive.map((sentence) => SENTENCES[sentence])])) {
      add(this.decisive, name)
    }
  }

  /** The share of the checks of which it is so, 0 to 1. */
  share(counts: Map<string, number>, name: string): number {
    return (counts.get(name) ?? 0) / this.checks
  }
}

function add(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}

/** Decides by the engine; the comparison may put a broken one in its place to see that it notices. */
export type Decide = (snapshot: Snapshot, request: OracleRequest, instant: number) => OracleAnswer

/** The engine as it is. */
export const engineDecides: Decide = (snapshot, request, instant) => decide(snapshot, request, instant) as OracleAnswer

/** The first request of a world on which engine and oracle differ, shrunk to what matters; null where none does. */
export function differenceFromOracle(
  model: PolicyModel,
  tables: PolicyTables,
  request: OracleRequest,
  instant: number,
): string | null {
  const differs = (some: PolicyTables, asked: OracleRequest) => {
    const engine = engineDecides(snapshotOf(model, some, 1), asked, instant)
    const rules = oracle(some, asked, instant)
    return engine.reason !== rules.reason || engine.allowed !== rules.allowed
  }
  if (!differs(tables, request)) return null
  const least = smallest(tables, request, differs)
  const engine = engineDecides(snapshotOf(model, least.tables, 1), least.request, instant).reason
  const rules = oracle(least.tables, least.request, instant).reason
  return JSON.stringify({ ...least, instant, engine, rules }, null, 1)
}

/** The engine at work on a policy text and some tables, and its two witnesses. */
export type Comparison = { policy: PolicyText; model: PolicyModel; tables: PolicyTables; snapshot: Snapshot }

/**
 * What engine, rules and Casbin disagree about first, in words; null where all give one answer to every check. Every
 * tenth check is also asked of the service's own full evaluation by Casbin, and of its explanations.
 */
export async function firstDisagreement(
  comparison: Comparison,
  checks: readonly RandomCheck[],
): Promise<string | null> {
  const { policy, model, tables } = comparison
  const casbin = await casbinReference(policy, tables)
  const full = casbinEnforcer(model, tables)
  for (const [place, check] of checks.entries()) {
    const disagreement =
      disagreementOn(comparison, check, casbin) ?? (place % 10 === 0 ? slower(comparison, check, full) : null)
    if (disagreement !== null) return disagreement
  }
  return null
}

function disagreementOn(
  { model, tables, snapshot }: Comparison,
  { request, instant }: RandomCheck,
  casbin: CasbinReference,
): string | null {
  const engine = engineDecides(snapshot, request, instant)
  const rules = oracle(tables, request, instant)
  if (engine.reason !== rules.reason || engine.allowed !== rules.allowed) {
    const least = differenceFromOracle(model, tables, request, instant)
    if (least !== null) return `the engine differs from the rules: ${least}`
    return `the engine differs from the rules by the changes applied: ${said({ tables, request, instant, engine, rules })}`
  }
  if (casbin.allows(request, instant) === engine.allowed) return null
  return `Casbin differs: ${said({ tables, request, instant, engine })}`
}

function slower(
  { tables, snapshot }: Comparison,
  { request, instant }: RandomCheck,
  full: ReturnType<typeof casbinEnforcer>,
): string | null {
  const engine = engineDecides(snapshot, request, instant)
  const explained = explain(snapshot, request, instant)
  const allowed = full.allowed(request, instant)
  if (allowed === engine.allowed && explained.allowed === allowed && explained.reason.code === engine.reason)
    return null
  return `explanation or full evaluation differ: ${said({ tables, request, instant, engine, explained, allowed })}`
}

/** Where the engine, or its explanation, differs from Casbin's own Enforcer over an edited policy; null where not. */
export async function differenceFromCasbin(
  { policy, tables, snapshot }: Comparison,
  checks: readonly RandomCheck[],
): Promise<string | null> {
  const casbin = await casbinReference(policy, tables)
  for (const { request, instant } of checks) {
    const engine = engineDecides(snapshot, request, instant)
    const explained = explain(snapshot, request, instant)
    if (casbin.allows(request, instant) !== engine.allowed || explained.reason.code !== engine.reason) {
      return said({ tables, request, instant, engine, explained })
    }
  }
  return null
}

function said(what: object): string {
  return JSON.stringify(what, null, 1)
}

/** `count` random checks of some tables. */
export function randomChecks(chance: Chance, tables: PolicyTables, count: number): RandomCheck[] {
  return Array.from({ length: count }, () => randomRequest(chance, tables))
}

/** What breaks the service for {@link differences}: another model, another decider, other tables in its sight. */
export type Fault = { model?: PolicyModel; by?: Decide; sees?: (tables: PolicyTables) => PolicyTables }

/** How many of some random checks the service, with a fault, answers otherwise than the rules. */
export function differences(
  chance: Chance,
  model: PolicyModel,
  fault: Fault,
): { checks: number; decisions: number; reasons: number } {
  const found = { checks: 0, decisions: 0, reasons: 0 }
  for (let world = 0; world < 120; world++) {
    const tables = randomTables(chance)
    const snapshot = snapshotOf(fault.model ?? model, fault.sees?.(structuredClone(tables)) ?? tables, 1)
    for (const { request, instant } of randomChecks(chance, tables, 60)) {
      const answer = (fault.by ?? engineDecides)(snapshot, request, instant)
      const rules = oracle(tables, request, instant)
      found.checks += 1
      if (answer.allowed !== rules.allowed) found.decisions += 1
      if (answer.reason !== rules.reason) found.reasons += 1
    }
  }
  return found
}
