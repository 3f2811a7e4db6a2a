import { type Fields, type FieldValue, type ImportKind, sameValue } from './import-row.ts'

/** Why something here stays as it is although the source says otherwise, or said so before. */
export type KeptReason =
  | 'changed here'
  | 'deactivated here'
  | 'deleted here'
  | 'removed here'
  | 'made here'
  | 'still in use here'
  | 'refers to what was removed here'
  | 'anonymous here'

/**
 * Something that the import leaves as it is here. `field: null` speaks of the whole row. It is a conflict when the
 * source has changed it as well since the last import.
 */
export type Kept = {
  kind: ImportKind
  key: string
  /** The row as it is here, or where it is gone, as the source has it. */
  fields: Fields
  field: string | null
  here: FieldValue
  source: FieldValue
  conflict: boolean
  reason: KeptReason
}

/** What the source may change in a row, and what stays as it was changed here. */
export type Merged = { take: Fields; kept: Kept[] }

/** A row in the three states that a merge compares. `base` is how the last import brought it. */
export type ThreeWays = { kind: ImportKind; key: string; base: Fields; source: Fields; here: Fields }

/**
 * Merges one row field by field: what was not changed here since the last import follows the source, what was changed
 * here stays. Fields that the source's schema lacks are left alone; one that it lacked last time counts as null then.
 */
export function mergeFields({ kind, key, base, source, here }: ThreeWays): Merged {
  const take: Record<string, FieldValue> = {}
  const kept: Kept[] = []
  for (const [field, wanted] of Object.entries(source)) {
    const [current, old] = [here[field] ?? null, base[field] ?? null]
    if (sameValue(current, wanted)) continue
    if (sameValue(current, old)) take[field] = wanted
    else {
      const conflict = !sameValue(old, wanted)
      kept.push({ kind, key, fields: here, field, here: current, source: wanted, conflict, reason: 'changed here' })
    }
  }
  return { take, kept }
}

/**
 * Merges a user. Beyond the fields: an account that was switched off here is never switched on, whatever the last import
 * said of it (only `here.deactivatedByImport` opens it again); the later login counts; a row that somebody deleted here
 * stays so; which user is the anonymous one is not the source's to change.
 */
export function mergeUser(ways: ThreeWays): Merged {
  const { base, source, here } = ways
  const deactivatedByImport = here.deactivatedByImport === true
  if (here.isDeleted === true && !(base.isDeleted === true && deactivatedByImport)) return stays(ways, 'deleted here')
  if (here.isAnonymous === true && source.isAnonymous !== true) return stays(ways, 'anonymous here')
  const merged = mergeFields(ways)
  const take: Record<string, FieldValue> = { ...merged.take }
  let kept = merged.kept.filter(({ field }) => field !== 'lastLoginAt')
  if (isLater(source.lastLoginAt, here.lastLoginAt)) take.lastLoginAt = source.lastLoginAt ?? null
  if (take.isActive === true && !deactivatedByImport) {
    delete take.isActive
    const conflict = !sameValue(base.isActive, source.isActive)
    kept = [...kept, { ...whole(ways, 'deactivated here'), field: 'isActive', here: false, source: true, conflict }]
  }
  return { take, kept }
}

/** A user whom the source has dropped: nothing but the login is left, reserved, and the account is inactive. */
export function emptiedUser(user: Fields): Fields {
  return {
    ...user,
    email: '',
    firstName: '',
    lastName: '',
    isActive: false,
    isSuperuser: false,
    generalPermissions: [],
    password: null,
    lastLoginAt: null,
    isDeleted: true,
  }
}

/**
 * What the source says of a user it has dropped: an account that nobody touched here is emptied, and so is one that was
 * only deactivated here; one that was changed here keeps what was changed, but may do nothing any more. The anonymous
 * user has to stay.
 */
export function droppedUser(base: Fields, here: Fields): Fields {
  if (base.isAnonymous === true) return { ...base, generalPermissions: [] }
  const powerless: Fields = { ...base, isActive: false, isSuperuser: false, generalPermissions: [] }
  const isTouched = Object.keys(base).some((field) => {
    return field !== 'lastLoginAt' && !sameValue(base[field], here[field]) && !sameValue(powerless[field], here[field])
  })
  return isTouched ? powerless : emptiedUser(base)
}

/** The whole row stays as it is here. */
function stays(ways: ThreeWays, reason: KeptReason): Merged {
  return { take: {}, kept: [whole(ways, reason)] }
}

function whole({ kind, key, here }: ThreeWays, reason: KeptReason): Kept {
  return { kind, key, fields: here, field: null, here: null, source: null, conflict: false, reason }
}

/** ISO 8601 times of one zone sort as texts: '+' and digits beyond it come before and after '.', as they should. */
const isLater = (one: FieldValue | undefined, other: FieldValue | undefined) =>
  typeof one === 'string' && (typeof other !== 'string' || one > other)
