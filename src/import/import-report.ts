import type { NotBrought } from './catmaid-mapping.ts'
import type { Kept } from './import-merge.ts'
import type { ImportPlan, RowChange } from './import-plan.ts'
import { type Fields, type FieldValue, IMPORT_KINDS, type ImportKind } from './import-row.ts'
import { countsOf, type ImportOutcome } from './import-service.ts'

/** What an import did, or would do, for a program: counts, and every single change. Nothing in it is secret. */
export type ImportReport = {
  dryRun: boolean
  /** Whether collisions stopped the import; then nothing was written and `changes` is what it would have come to. */
  refused: boolean
  /** The policy revision at which the import is in force; null when nothing was written. */
  revision: number | null
  counts: ReturnType<typeof countsOf>
  renumberedAnonymousUser: { from: number; to: number } | null
  changes: { change: 'create' | 'update' | 'remove'; kind: ImportKind; row: string; fields: string[] }[]
  collisions: { kind: ImportKind; text: string }[]
  kept: {
    kind: ImportKind
    row: string
    reason: Kept['reason']
    field: string | null
    conflict: boolean
    text: string
  }[]
  alreadyHere: number
  notBrought: NotBrought[]
}

/** Lines of one part that a person is shown before being sent to `--json`. */
const SHOWN = 40
/** Examples of a kind that is not brought. */
const EXAMPLES = 6

/** Puts the outcome into the report's words. */
export function reportOf(
  outcome: ImportOutcome,
  notBrought: NotBrought[],
  { dryRun }: { dryRun: boolean },
): ImportReport {
  const { plan, refused, revision } = outcome
  const usernames = usernamesOf(plan)
  return {
    dryRun,
    refused,
    revision,
    counts: countsOf(plan),
    renumberedAnonymousUser: plan.renumber,
    changes: [
      ...plan.removes.map((change) => changeOf('remove', change, usernames)),
      ...plan.updates.map((change) => changeOf('update', change, usernames)),
      ...plan.creates.map((change) => changeOf('create', change, usernames)),
    ],
    collisions: plan.collisions.map(({ kind, text }) => ({ kind, text })),
    kept: plan.kept.map((kept) => keptOf(kept, usernames)),
    alreadyHere: plan.alreadyHere,
    notBrought,
  }
}

function usernamesOf(plan: ImportPlan): Map<string, FieldValue | undefined> {
  const users = [...plan.creates, ...plan.updates].filter(({ kind }) => kind === 'user')
  return new Map(users.map(({ key, fields }) => [key, fields.username]))
}

function changeOf(
  change: 'create' | 'update' | 'remove',
  { kind, key, fields, changed }: RowChange,
  usernames: ReadonlyMap<string, FieldValue | undefined>,
): ImportReport['changes'][number] {
  const isUpdate = change === 'update'
  return { change, kind, row: rowText(kind, key, fields, usernames), fields: isUpdate ? changed : [] }
}

/** A row as a person would call it; API tokens by their user, never by themselves. */
function rowText(
  kind: ImportKind,
  key: string,
  fields: Fields,
  usernames: ReadonlyMap<string, FieldValue | undefined>,
): string {
  const user = () => named('user', String(fields.userId), usernames.get(String(fields.userId)))
  const principal = () => (fields.userId === null ? `group ${fields.groupId}` : user())
  switch (kind) {
    case 'membership':
      return `${user()} in group ${fields.groupId}`
    case 'grant':
      return `${fields.permission} on project ${fields.projectId} for ${principal()}`
    case 'profile':
      return `profile of ${user()}`
    case 'inactivityPeriod':
      return `inactivity period ${key} of group ${fields.groupId}`
    case 'inactivityContact':
      return `${user()} as contact of inactivity period ${fields.periodId}`
    case 'apiToken':
      return `API token of ${user()}`
    default:
      return named(kind, key, fields.username ?? fields.name ?? fields.title)
  }
}

function keptOf(kept: Kept, usernames: ReadonlyMap<string, FieldValue | undefined>): ImportReport['kept'][number] {
  const { kind, key, fields, reason, field, conflict } = kept
  const row = rowText(kind, key, fields, usernames)
  const values =
    field === null || field === 'password' ? '' : ` (${shown(kept.here)} here, ${shown(kept.source)} there)`
  return { kind, row, reason, field, conflict, text: `${row}: ${field === null ? '' : `${field} `}${reason}${values}` }
}

/** What several rows of a kind are called. */
const KIND_WORDS: Record<ImportKind, string> = {
  user: 'users',
  group: 'groups',
  project: 'projects',
  inactivityPeriod: 'inactivity periods',
  membership: 'memberships',
  grant: 'grants',
  profile: 'profiles',
  inactivityContact: 'inactivity contacts',
  apiToken: 'API tokens',
}

/** The report as a person reads it, line by line. */
export function reportText(report: ImportReport): string[] {
  const would = report.dryRun ? 'would be ' : ''
  return [
    ...(report.refused ? refusal(report) : table(report)),
    ...anonymousLine(report, would),
    ...part(`${would}changed`, changeLines(report)),
    ...part(
      'kept as it is here',
      report.kept.map(({ text, conflict }) => (conflict ? `${text}, changed in the source too` : text)),
    ),
    ...part('not brought', notBroughtLines(report.notBrought), report.notBrought.length),
    conclusion(report),
  ]
}

function refusal({ collisions }: ImportReport): string[] {
  return ['These collide with what is here:', ...collisions.map(({ text }) => `  ${text}`), '']
}

function table({ counts }: ImportReport): string[] {
  const rows = IMPORT_KINDS.map((kind) => [
    KIND_WORDS[kind],
    ...(['created', 'updated', 'removed'] as const).map((what) => String(counts[what][kind] ?? 0)),
  ])
  return [['', 'created', 'updated', 'removed'], ...rows].map(([name = '', ...cells]) => {
    return `${name.padEnd(20)}${cells.map((cell) => cell.padStart(10)).join('')}`
  })
}

function anonymousLine({ renumberedAnonymousUser: change }: ImportReport, would: string): string[] {
  return change === null
    ? []
    : ['', `The anonymous user, ${change.from} until now, ${would || 'is '}given the id ${change.to}.`]
}

/** What is created is counted; what is taken away or changed is also named. */
function changeLines({ refused, changes }: ImportReport): string[] {
  if (refused) return []
  return changes
    .filter(({ change }) => change !== 'create')
    .map(({ change, row, fields }) => `${change} ${row}${fields.length > 0 ? `: ${fields.join(', ')}` : ''}`)
}

/** A line a kind, so that many of one do not hide the few of another. */
function notBroughtLines(notBrought: NotBrought[]): string[] {
  const byKind = new Map<string, string[]>()
  for (const { kind, text } of notBrought) {
    const texts = byKind.get(kind)
    if (texts === undefined) byKind.set(kind, [text])
    else texts.push(text)
  }
  return [...byKind].map(([kind, texts]) => {
    const more = texts.length > EXAMPLES ? [`… and ${texts.length - EXAMPLES} more`] : []
    return `${texts.length} × ${kind}: ${[...texts.slice(0, EXAMPLES), ...more].join('; ')}`
  })
}

function part(title: string, lines: string[], count = lines.length): string[] {
  if (lines.length === 0) return []
  const more = lines.length > SHOWN ? [`  … and ${lines.length - SHOWN} more: --json lists them all`] : []
  return ['', `${title} (${count}):`, ...lines.slice(0, SHOWN).map((line) => `  ${line}`), ...more]
}

function conclusion({ dryRun, refused, revision, alreadyHere }: ImportReport): string {
  const known = alreadyHere > 0 ? ` ${alreadyHere} rows had been made here before.` : ''
  if (refused) return `\nNothing ${dryRun ? 'would be' : 'was'} written.${known}`
  if (dryRun) return `\nA dry run: nothing was written.${known}`
  return revision === null ? `\nThere was nothing to do.${known}` : `\nDone, in force at revision ${revision}.${known}`
}

const named = (kind: string, key: string, name: FieldValue | undefined) =>
  name === undefined || name === null ? `${kind} ${key}` : `${kind} ${key} ${JSON.stringify(name)}`

const shown = (value: FieldValue) => JSON.stringify(value)
