import { type DomainError, PROBLEMS, type ProblemCode } from '../errors.ts'
import type { Field, FormFaults } from './form-view.ts'

/** What no form can mend: a page of its own tells of it. */
const BEYOND_FORMS: readonly ProblemCode[] = [
  'registration-disabled',
  'account-inactive',
  'email-not-confirmed',
  'token-invalid',
]

/** What is to be mended in a form that a service refused; undefined where no form can. */
export function formFaultsOf(error: DomainError): FormFaults | undefined {
  const { code } = error
  const { status } = PROBLEMS[code]
  if (status >= 500 || BEYOND_FORMS.includes(code)) return undefined
  return { status, code, faults: faultsOf(error) }
}

/** Of required fields, those that were left empty. */
export function emptyFields(fields: readonly Field[], values: Readonly<Record<string, string>>): FormFaults['faults'] {
  return fields
    .filter(({ name, required }) => required === true && (values[name] ?? '') === '')
    .map(({ name, type }) => ({ pointer: `/${name}`, detail: type === 'checkbox' ? 'has to be ticked' : 'is empty' }))
}

function faultsOf({ code, message, faults, retryAfterSeconds }: DomainError): FormFaults['faults'] {
  if (code === 'too-many-attempts') return [{ pointer: '', detail: tooMany(retryAfterSeconds) }]
  if (code === 'conflict') return [{ pointer: '', detail: 'something changed meanwhile; send the form again' }]
  return faults.length > 0 ? faults : [{ pointer: '', detail: message }]
}

function tooMany(seconds: number | undefined): string {
  return `there were too many attempts; try again ${seconds === undefined ? 'later' : `in ${inWords(seconds)}`}`
}

/** A time to wait, as one says it: never shorter than it is. */
export function inWords(seconds: number): string {
  if (seconds <= 90) return seconds === 1 ? '1 second' : `${seconds} seconds`
  const minutes = Math.ceil(seconds / 60)
  return minutes <= 90 ? `${minutes} minutes` : `${Math.ceil(minutes / 60)} hours`
}
