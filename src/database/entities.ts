import { EntitySchema, type EntitySchemaColumnOptions } from 'typeorm'
import type { Effect, Permission } from '../decision/policy-state.ts'

/** A row of `users`; a deleted user's row stays for its login and its id. */
export type UserRow = {
  id: number
  username: string
  email: string
  firstName: string
  lastName: string
  isActive: boolean
  isSuperuser: boolean
  isAnonymous: boolean
  generalPermissions: 'can_browse'[]
  /** Never read along with the rest of the row. */
  passwordHash: string | null
  lastLoginAt: Date | null
  createdAt: Date
  deactivatedAt: Date | null
  deactivationReason: 'import' | 'admin' | 'unconfirmed' | 'inactivity' | null
  deactivationMessage: string | null
  emailConfirmedAt: Date | null
  deletedAt: Date | null
}

/** A row of `groups`. */
export type GroupRow = { id: number; name: string; createdAt: Date }

/** A row of `group_maintainers`. */
export type MaintainerRow = { groupId: number; userId: number }

/** A row of `memberships`; `projectId` null counts in every project (D3). */
export type MembershipRow = {
  id: number
  userId: number
  groupId: number
  projectId: number | null
  source: string
  createdAt: Date
}

/** A row of `projects`. */
export type ProjectRow = { id: number; title: string; createdAt: Date }

/** A row of `grants`; exactly one of `userId` and `groupId` is set. */
export type GrantRow = {
  id: number
  userId: number | null
  groupId: number | null
  projectId: number
  permission: Permission
  effect: Effect
  validFrom: Date | null
  validUntil: Date | null
  source: string
  grantedBy: string
  createdAt: Date
}

/** A row of `audit_events`; `id` and `revision` are bigint, which pg hands over as text. */
export type AuditEventRow = {
  id: string
  occurredAt: Date
  caller: string
  action: string
  target: string
  before: object | null
  after: object | null
  editRightsConfirmed: boolean
  requestId: string | null
  revision: string
}

const key: EntitySchemaColumnOptions = { type: 'integer', primary: true, generated: 'increment' }
const text = (name: string): EntitySchemaColumnOptions => ({ name, type: 'text' })
const id = (name: string): EntitySchemaColumnOptions => ({ name, type: 'integer' })
const flag = (name: string): EntitySchemaColumnOptions => ({ name, type: 'boolean' })
const time = (name: string): EntitySchemaColumnOptions => ({ name, type: 'timestamptz' })
const nullable = (column: EntitySchemaColumnOptions): EntitySchemaColumnOptions => ({ ...column, nullable: true })
/** The database fills it in where a write leaves it out. */
const byDefault = (column: EntitySchemaColumnOptions): EntitySchemaColumnOptions => ({
  ...column,
  default: () => 'DEFAULT',
})

/** Maps `users`. */
export const Users = new EntitySchema<UserRow>({
  name: 'users',
  columns: {
    id: key,
    username: text('username'),
    email: byDefault(text('email')),
    firstName: byDefault(text('first_name')),
    lastName: byDefault(text('last_name')),
    isActive: byDefault(flag('is_active')),
    isSuperuser: byDefault(flag('is_superuser')),
    isAnonymous: byDefault(flag('is_anonymous')),
    generalPermissions: byDefault({ name: 'general_permissions', type: 'text', array: true }),
    passwordHash: { ...nullable(text('password_hash')), select: false },
    lastLoginAt: nullable(time('last_login_at')),
    createdAt: byDefault(time('created_at')),
    deactivatedAt: nullable(time('deactivated_at')),
    deactivationReason: nullable(text('deactivation_reason')),
    deactivationMessage: nullable(text('deactivation_message')),
    emailConfirmedAt: nullable(time('email_confirmed_at')),
    deletedAt: nullable(time('deleted_at')),
  },
})

/** Maps `groups`. */
export const Groups = new EntitySchema<GroupRow>({
  name: 'groups',
  columns: { id: key, name: text('name'), createdAt: byDefault(time('created_at')) },
})

/** Maps `group_maintainers`. */
export const GroupMaintainers = new EntitySchema<MaintainerRow>({
  name: 'group_maintainers',
  columns: { groupId: { ...id('group_id'), primary: true }, userId: { ...id('user_id'), primary: true } },
})

/** Maps `memberships`. */
export const Memberships = new EntitySchema<MembershipRow>({
  name: 'memberships',
  columns: {
    id: key,
    userId: id('user_id'),
    groupId: id('group_id'),
    projectId: nullable(id('project_id')),
    source: byDefault(text('source')),
    createdAt: byDefault(time('created_at')),
  },
})

/** Maps `projects`. */
export const Projects = new EntitySchema<ProjectRow>({
  name: 'projects',
  columns: { id: key, title: text('title'), createdAt: byDefault(time('created_at')) },
})

/** Maps `grants`. */
export const Grants = new EntitySchema<GrantRow>({
  name: 'grants',
  columns: {
    id: key,
    userId: nullable(id('user_id')),
    groupId: nullable(id('group_id')),
    projectId: id('project_id'),
    permission: text('permission'),
    effect: byDefault(text('effect')),
    validFrom: nullable(time('valid_from')),
    validUntil: nullable(time('valid_until')),
    source: byDefault(text('source')),
    grantedBy: text('granted_by'),
    createdAt: byDefault(time('created_at')),
  },
})

/** Maps `audit_events`. */
export const AuditEvents = new EntitySchema<AuditEventRow>({
  name: 'audit_events',
  columns: {
    id: { type: 'bigint', primary: true, generated: 'increment' },
    occurredAt: byDefault(time('occurred_at')),
    caller: text('caller'),
    action: text('action'),
    target: text('target'),
    before: nullable({ name: 'before', type: 'jsonb' }),
    after: nullable({ name: 'after', type: 'jsonb' }),
    editRightsConfirmed: byDefault(flag('edit_rights_confirmed')),
    requestId: nullable(text('request_id')),
    revision: { name: 'revision', type: 'bigint' },
  },
})

/** Every mapping, for the data source. */
export const entities = [Users, Groups, GroupMaintainers, Memberships, Projects, Grants, AuditEvents]
