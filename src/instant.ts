const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))$/
const MINUTE_MS = 60_000
const FIRST_INSTANT = Date.parse('0001-01-01T00:00:00.000Z')
const LAST_INSTANT = Date.parse('9999-12-31T23:59:59.999Z')

/** What the text of an instant says, or what is wrong with it, as a text that follows the field's name. */
export type InstantReading = { instant: Date } | { fault: string }

/**
 * Reads an RFC 3339 time with any offset. Finer than the millisecond is refused, not rounded: a grant would begin or
 * end at another instant than was asked for. So are leap seconds, which no clock of ours can tell, and instants outside
 * the years 1 to 9999 in UTC, which RFC 3339 could not show.
 */
export function readInstant(text: string): InstantReading {
  const parts = RFC_3339.exec(text)
  if (!parts) return { fault: 'must be a time like 2026-01-31T12:00:00.000Z (RFC 3339)' }
  const [, year, month, day, hour, minute, second, fraction = '', sign, offsetHour = '00', offsetMinute = '00'] = parts
  if (/[1-9]/.test(fraction.slice(3))) return { fault: 'must not be finer than a millisecond' }
  const local = `${year}-${month}-${day}T${hour}:${minute}:${second}`
  const localMs = Date.parse(`${local}Z`)
  const exists = Number.isFinite(localMs) && new Date(localMs).toISOString().startsWith(local)
  if (!exists || Number(offsetHour) > 23 || Number(offsetMinute) > 59) {
    return { fault: 'is no time that the calendar and the clock know' }
  }
  const offset = (Number(offsetHour) * 60 + Number(offsetMinute)) * MINUTE_MS * (sign === '-' ? -1 : 1)
  const instant = localMs + Number(fraction.slice(0, 3).padEnd(3, '0')) - offset
  if (instant < FIRST_INSTANT || instant > LAST_INSTANT) return { fault: 'must be within the years 1 to 9999 in UTC' }
  return { instant: new Date(instant) }
}

/**
 * Reads an RFC 3339 time to the microsecond, as the database keeps it, and gives it as a text that the database reads;
 * otherwise as {@link readInstant}.
 */
export function readMicroInstant(text: string): { text: string } | { fault: string } {
  const fraction = RFC_3339.exec(text)?.[7] ?? ''
  if (/[1-9]/.test(fraction.slice(6))) return { fault: 'must not be finer than a microsecond' }
  const reading = readInstant(fraction === '' ? text : text.replace(/\.\d+/, `.${fraction.slice(0, 3)}`))
  if ('fault' in reading) return reading
  const micros = fraction.slice(3, 6).padEnd(3, '0')
  return { text: reading.instant.toISOString().replace('Z', `${micros}Z`) }
}
