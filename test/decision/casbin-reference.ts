/**
 * Casbin's own Enforcer over the full rule set of some tables, built for the tests alone: Casbin loads the rules through
 * its adapter interface, builds its own role links and scans every rule. Only `model.conf` and the files in `policies/`
 * are shared with the engine; the matcher functions are written here once more, over plain tables.
 */
import { type Adapter, EnforceContext, type Enforcer, type Model, newEnforcer, newModelFromString } from 'casbin'
import { PERMISSIONS, type PolicyTables, type UserState } from '../../src/decision/policy-state.ts'
import type { OracleObject, OracleRequest } from './oracle.ts'

/** What an operator edits: the text of the model, and of the rule files. */
export type PolicyText = { modelText: string; ruleFiles: readonly { file: string; text: string }[] }

/** Casbin's own answers over one set of tables. */
export type CasbinReference = { allows(request: OracleRequest, instant: number): boolean }

const SUPERUSER = 'role:superuser'

/** Lets Casbin load the tables and rule files; rejects where Casbin does. Rules stand in order: files, grants by id. */
export async function casbinReference(
  { modelText, ruleFiles }: PolicyText,
  tables: PolicyTables,
): Promise<CasbinReference> {
  const model = newModelFromString(modelText)
  const enforcer = await newEnforcer(model, rowsAdapter([...fileRows(ruleFiles), ...tableRows(model, tables)]))
  addFunctions(enforcer, tables)
  const fields = tokensOf(model, 'r')
  const one = (request: OracleRequest, object: OracleObject | null, now: number): boolean => {
    const values = requestValues(tables, request, object, now)
    return enforcer.enforceSync(...fields.map((field) => values[field]))
  }
  return {
    allows(request, instant) {
      // D1's unknown users and permissions and D9's "all must pass" are not said in the model, but around it.
      if (called(tables, request.user) === undefined) return false
      if (!PERMISSIONS.some((permission) => permission === request.permission)) return false
      const objects = request.objects ?? [request.object ?? null]
      return objects.every((object) => one(request, object, instant))
    },
  }
}

/** One rule or link as Casbin holds it. */
export type Row = { ptype: string; cells: string[] }

function rowsAdapter(rows: readonly Row[]): Adapter {
  const refuse = () => Promise.reject(new Error('the reference only reads'))
  return {
    loadPolicy: (model: Model) => {
      for (const { ptype, cells } of rows) {
        const assertion = model.model.get(ptype[0] as string)?.get(ptype)
        if (!assertion) throw new Error(`the model has no ${ptype}`)
        assertion.policy.push([...cells])
      }
      return Promise.resolve()
    },
    savePolicy: refuse,
    addPolicy: refuse,
    removePolicy: refuse,
    removeFilteredPolicy: refuse,
  }
}

/** The files hold bare cells (checked when they are loaded), so a split is enough here. */
function fileRows(files: PolicyText['ruleFiles']): Row[] {
  return files
    .flatMap(({ text }) => text.split('\n'))
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => {
      const [ptype = '', ...cells] = line.split(',').map((cell) => cell.trim())
      return { ptype, cells }
    })
}

function tokensOf(model: Model, key: 'r' | 'p'): string[] {
  return (model.model.get(key)?.get(key)?.tokens ?? []).map((token) => token.replace(/^[rp]_/, ''))
}

/** The cells of grants, memberships and superusers, in the order of the model. */
export function tableRows(model: Model, tables: PolicyTables): Row[] {
  const order = tokensOf(model, 'p')
  const grants = [...tables.grants].sort((one, other) => one.id - other.id)
  const rules = grants.map((grant): Row => {
    const cells: Record<string, string> = {
      sub: grant.userId === null ? `group:${grant.groupId}` : `user:${grant.userId}`,
      dom: `${grant.projectId}`,
      act: grant.permission,
      eft: grant.effect,
      from: `${grant.validFrom ?? ''}`,
      until: `${grant.validUntil ?? ''}`,
    }
    return { ptype: 'p', cells: order.map((field) => cells[field] as string) }
  })
  const memberships = tables.memberships.map(
    ({ userId, groupId, projectId }): Row => ({
      ptype: 'g',
      cells: [`user:${userId}`, `group:${groupId}`, `${projectId ?? '*'}`],
    }),
  )
  const superusers = tables.users
    .filter(({ isSuperuser }) => isSuperuser)
    .map(({ id }): Row => ({ ptype: 'g', cells: [`user:${id}`, SUPERUSER, '*'] }))
  return [...rules, ...memberships, ...superusers]
}

function called(tables: PolicyTables, name: string | number | null | undefined): UserState | undefined {
  if (name === null) return tables.users.find(({ isAnonymous }) => isAnonymous)
  return tables.users.find(({ id, username }) => (typeof name === 'number' ? id : username) === name)
}

const subOf = (user: UserState | undefined) => (user ? `user:${user.id}` : '')

function requestValues(tables: PolicyTables, request: OracleRequest, object: OracleObject | null, now: number) {
  const obj = {
    given: object !== null,
    creator: object ? subOf(called(tables, object.creator)) : '',
    importer: object ? subOf(called(tables, object.importer)) : '',
  }
  const values: Record<string, unknown> = {
    sub: subOf(called(tables, request.user)),
    dom: String(request.project),
    act: request.permission,
    obj,
    via: request.via ?? 'session',
    now,
  }
  return values
}

function addFunctions(enforcer: Enforcer, tables: PolicyTables): void {
  const bySub = new Map(tables.users.map((user) => [subOf(user), user]))
  const doms = new Set(tables.projects.map(({ id }) => String(id)))
  const groupNames = new Map(tables.groups.map(({ id, name }) => [id, name]))
  const isIn = (user: UserState, name: string, dom: string) =>
    tables.memberships.some(
      ({ userId, groupId, projectId }) =>
        userId === user.id && groupNames.get(groupId) === name && (projectId === null || String(projectId) === dom),
    )
  const functions: Record<string, (...args: never[]) => boolean> = {
    inForce: (from: string, until: string, now: number) =>
      !(from !== '' && now < Number(from)) && !(until !== '' && now >= Number(until)),
    active: (sub: string) => bySub.get(sub)?.isActive ?? false,
    projectExists: (dom: string) => doms.has(dom),
    anonymousAdmitted: (sub: string, via: string) => {
      const user = bySub.get(sub)
      if (!user?.isAnonymous) return user !== undefined
      return via !== 'token' && user.generalPermissions.includes('can_browse')
    },
    tokenAllowed: (sub: string, dom: string, now: number) => {
      const values: Record<string, unknown> = {
        sub,
        dom,
        act: 'can_annotate_with_token',
        obj: { given: false, creator: '', importer: '' },
        via: 'token',
        now,
      }
      const context = new EnforceContext('r', 'p', 'e', 'm2')
      return enforcer.enforceSync(context, ...tokensOf(enforcer.getModel(), 'r').map((field) => values[field]))
    },
    superuser: (sub: string) => bySub.get(sub)?.isSuperuser ?? false,
    created: (sub: string, creator: string) => creator !== '' && creator === sub,
    imported: (sub: string, importer: string) => importer !== '' && importer === sub,
    inGroupNamedLike: (sub: string, owner: string, dom: string) => {
      const user = bySub.get(sub)
      const like = bySub.get(owner)
      return user !== undefined && like !== undefined && isIn(user, like.username, dom)
    },
  }
  for (const [name, call] of Object.entries(functions)) void enforcer.addFunction(name, call as never)
}
