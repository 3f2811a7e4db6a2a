import {
  type Fields,
  grantKey,
  IMPORT_KINDS,
  type ImportKind,
  type ImportRows,
  membershipKey,
  noRows,
} from './import-row.ts'

/** The rows as they are once a user has another id, with every row that refers to it. The new id must be free. */
export function renumbered(rows: ImportRows, change: { from: number; to: number }): ImportRows {
  const result = noRows()
  for (const kind of IMPORT_KINDS) {
    for (const [key, fields] of rows[kind]) {
      const [newKey, newFields] = renumberedRow(kind, key, fields, change)
      result[kind].set(newKey, newFields)
    }
  }
  return result
}

function renumberedRow(
  kind: ImportKind,
  key: string,
  fields: Fields,
  { from, to }: { from: number; to: number },
): [string, Fields] {
  if (kind === 'user') return [key === String(from) ? String(to) : key, fields]
  if (fields.userId !== from) return [key, fields]
  const moved = { ...fields, userId: to }
  return [keyOf(kind, key, moved), moved]
}

function keyOf(kind: ImportKind, key: string, fields: Fields): string {
  const number = (field: string) => Number(fields[field])
  switch (kind) {
    case 'membership':
      return membershipKey(number('userId'), number('groupId'))
    case 'grant':
      return grantKey({
        userId: number('userId'),
        groupId: null,
        projectId: number('projectId'),
        permission: String(fields.permission),
      })
    case 'profile':
      return String(fields.userId)
    case 'inactivityContact':
      return `${key.slice(0, key.lastIndexOf(':'))}:${fields.userId}`
    default:
      return key
  }
}
