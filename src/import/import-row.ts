/**
 * What an import brings, in the order in which it can be created: a row may refer to rows of earlier kinds only.
 */
export const IMPORT_KINDS = [
  'user',
  'group',
  'project',
  'inactivityPeriod',
  'membership',
  'grant',
  'profile',
  'inactivityContact',
  'apiToken',
] as const
export type ImportKind = (typeof IMPORT_KINDS)[number]

/** A value as JSON keeps it, so that a row read back from `import_baseline` compares equal to the row it was. */
export type FieldValue = string | number | boolean | null | readonly (string | number | null)[]
/** The fields of one row by name; ids of the rows it refers to stand in `userId`, `groupId`, `projectId`, `periodId`. */
export type Fields = Readonly<Record<string, FieldValue>>
/** Rows of every kind by their keys (see {@link grantKey} and the like; a row with an id of its own has that as key). */
export type ImportRows = Record<ImportKind, Map<string, Fields>>

/** The seven switches of a profile, by CATMAID's names. */
export const PROFILE_SWITCHES = [
  'independent_ontology_workspace_is_default',
  'show_text_label_tool',
  'show_tagging_tool',
  'show_cropping_tool',
  'show_tracing_tool',
  'show_ontology_tool',
  'show_roi_tool',
] as const

/** Rows of no kind at all. */
export function noRows(): ImportRows {
  return {
    user: new Map(),
    group: new Map(),
    project: new Map(),
    inactivityPeriod: new Map(),
    membership: new Map(),
    grant: new Map(),
    profile: new Map(),
    inactivityContact: new Map(),
    apiToken: new Map(),
  }
}

/** The key of a membership in every project; memberships limited to one project are none of the import's. */
export const membershipKey = (userId: number, groupId: number) => `${userId}:${groupId}`

/** The key of an untimed allow grant: one principal, one project, one permission. */
export function grantKey(grant: {
  userId: number | null
  groupId: number | null
  projectId: number
  permission: string
}) {
  const principal = grant.userId === null ? `group:${grant.groupId}` : `user:${grant.userId}`
  return `${principal}:${grant.projectId}:${grant.permission}`
}

/** The key of a contact of an inactivity period. */
export const contactKey = (periodId: number, userId: number) => `${periodId}:${userId}`

/** Whether two values are the same; a field that is missing equals only another missing one. */
export function sameValue(one: FieldValue | undefined, other: FieldValue | undefined): boolean {
  if (one === other) return true
  return Array.isArray(one) && Array.isArray(other) && JSON.stringify(one) === JSON.stringify(other)
}

/** Whether two rows agree in every field. */
export function sameFields(one: Fields, other: Fields): boolean {
  const names = new Set([...Object.keys(one), ...Object.keys(other)])
  return [...names].every((name) => sameValue(one[name], other[name]))
}
