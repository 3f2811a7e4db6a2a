const PARTS = /^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d+))?S)?)?$/
const DAY_US = 86_400_000_000n
const MONTH_DAYS = 30
/** A hundred years: far from where adding it to a time would leave what RFC 3339 can show. */
const LONGEST_US = 36_525n * DAY_US

/** A length of time as the database keeps it: `months` count 30 days each; parts may be negative. */
export type Interval = { months: number; days: number; microseconds: bigint }

/** What a text says, or what is wrong with it, as a text that follows the field's name. */
export type DurationReading = { interval: Interval } | { fault: string }

/**
 * Reads an ISO 8601 duration of fixed length, to the microsecond: weeks, days, hours, minutes and seconds. Days stay
 * days, so that what was written can be shown again. Zero and anything longer than 100 years is refused.
 */
export function readDuration(text: string): DurationReading {
  const match = PARTS.exec(text)
  if (!match || text === 'P' || /[^\d.](?:\d{16,})/.test(text)) {
    return { fault: 'must be an ISO 8601 duration in weeks, days, hours, minutes or seconds, like P90D' }
  }
  const [, weeks = '0', days = '0', hours = '0', minutes = '0', seconds = '0', fraction = ''] = match
  if (/[1-9]/.test(fraction.slice(6))) return { fault: 'must not be finer than a microsecond' }
  const wholeSeconds = (BigInt(hours) * 60n + BigInt(minutes)) * 60n + BigInt(seconds)
  const microseconds = wholeSeconds * 1_000_000n + BigInt(fraction.slice(0, 6).padEnd(6, '0'))
  const wholeDays = BigInt(weeks) * 7n + BigInt(days)
  const length = wholeDays * DAY_US + microseconds
  if (length === 0n) return { fault: 'must be longer than nothing' }
  if (length > LONGEST_US) return { fault: 'must not be longer than 100 years' }
  return { interval: { months: 0, days: Number(wholeDays), microseconds } }
}

/** How long it is, in microseconds, as PostgreSQL compares intervals. */
export function lengthOf({ months, days, microseconds }: Interval): bigint {
  return BigInt(months * MONTH_DAYS + days) * DAY_US + microseconds
}

/** As an ISO 8601 duration that {@link readDuration} reads back, exact to the microsecond. */
export function durationText(interval: Interval): string {
  const { months, days, microseconds } = interval
  const mixed = months < 0 || days < 0 || microseconds < 0n
  const [wholeDays, rest] = mixed ? [0, lengthOf(interval)] : [months * MONTH_DAYS + days, microseconds]
  const [allSeconds, fraction] = [
    rest / 1_000_000n,
    String(rest % 1_000_000n)
      .padStart(6, '0')
      .replace(/0+$/, ''),
  ]
  const [hours, minutes, seconds] = [allSeconds / 3600n, (allSeconds / 60n) % 60n, allSeconds % 60n]
  const time = [
    hours > 0n ? `${hours}H` : '',
    minutes > 0n ? `${minutes}M` : '',
    seconds > 0n || fraction !== '' ? `${seconds}${fraction && `.${fraction}`}S` : '',
  ].join('')
  return `P${wholeDays > 0 ? `${wholeDays}D` : ''}${time && `T${time}`}`
}

/** For people: rounded to its largest units, like "183 days and 6 hours". */
export function durationWords(interval: Interval): string {
  const minutes = Number(lengthOf(interval) / 60_000_000n)
  const units: [count: number, word: string][] = [
    [Math.floor(minutes / 1440), 'day'],
    [Math.floor(minutes / 60) % 24, 'hour'],
    [minutes % 60, 'minute'],
  ]
  const words = units.filter(([count]) => count > 0).map(([count, word]) => `${count} ${word}${count === 1 ? '' : 's'}`)
  return words.length === 0 ? 'less than a minute' : words.slice(0, 2).join(' and ')
}
