/**
 * A CATMAID site as its database holds it, as far as accounts and permissions go. Times are ISO 8601 in UTC with
 * microseconds, intervals ISO 8601 durations; API tokens have been hashed on the way in.
 */
export type CatmaidSite = {
  users: CatmaidUser[]
  groups: { id: number; name: string }[]
  memberships: { userId: number; groupId: number }[]
  projects: { id: number; title: string; comment: string | null }[]
  objectPermissions: CatmaidObjectPermission[]
  generalPermissions: CatmaidGeneralPermission[]
  profiles: CatmaidProfile[]
  periods: CatmaidPeriod[]
  contacts: { periodId: number | null; userId: number | null }[]
  tokens: { userId: number; tokenHash: string; createdAt: string }[]
  /** Rows of tables that an import only mentions, a sentence each. */
  mentions: { kind: MentionKind; text: string }[]
}
export type CatmaidUser = {
  id: number
  username: string
  email: string
  firstName: string
  lastName: string
  isActive: boolean
  isSuperuser: boolean
  isStaff: boolean
  /** Django's `algorithm$…`, to the letter. */
  password: string
  lastLoginAt: string | null
  createdAt: string
}
/** A row of django-guardian: exactly one of `userId` and `groupId` is set; `objectPk` is a text and may be anything. */
export type CatmaidObjectPermission = {
  userId: number | null
  groupId: number | null
  objectPk: string
  appLabel: string
  model: string
  codename: string
}
/** A permission that holds for a whole model, held by a user or a group. */
export type CatmaidGeneralPermission = {
  userId: number | null
  groupId: number | null
  appLabel: string
  model: string
  codename: string
}
/** Only the switches that this site's schema has. */
export type CatmaidProfile = {
  userId: number
  switches: Record<string, boolean>
  color: (number | null)[] | null
  primaryGroupId: number | null
  homeViewId: number | null
}
export type CatmaidPeriod = {
  id: number
  groupId: number | null
  maxInactivity: string
  /** Whether the duration is longer than nothing; one that is not would switch everybody off at once. */
  isPositive: boolean
  message: string | null
  comment: string | null
}

/** Tables that belong to accounts and permissions but are not brought: what their rows are called in the report. */
export const MENTIONED_TABLES = {
  catmaid_project_token: 'project token',
  catmaid_user_project_token: 'use of a project token',
  catmaid_favorite_project: 'favourite project',
  account_emailaddress: 'confirmed e-mail address',
  socialaccount_socialaccount: 'social account',
  reviewer_whitelist: 'reviewer whitelist',
  pointcloud_user_object_permission: 'point cloud permission',
  pointcloud_group_object_permission: 'point cloud permission',
} as const
export type MentionKind = (typeof MENTIONED_TABLES)[keyof typeof MENTIONED_TABLES]

/** The source is no CATMAID database, or one that cannot be read; the message says what is missing. */
export class CatmaidSourceError extends Error {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, options)
    this.name = 'CatmaidSourceError'
  }
}
