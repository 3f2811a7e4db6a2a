import { durationWords, readDuration } from '../duration.ts'
import { type DomainError, PROBLEMS } from '../errors.ts'
import { type Content, html } from './html.ts'
import type { Frame, Page } from './page-layout.ts'

/** The page of a problem that no form can mend, with a way on from it. */
export function problemPage(frame: Frame, error: DomainError): Page {
  const { code } = error
  const { status } = PROBLEMS[code]
  const { title, text } = WORDS[code]?.(error, frame) ?? otherWords(error)
  return { status, title, problem: code, main: html`<h1>${title}</h1>${text}` }
}

/**
 * The page of a form that was refused because it is not ours, or not any more.
 *
 * @param again the page where the form is, as a relative address
 */
export function refusedFormPage(why: 'expired' | 'foreign', again: string, publicUrl: string | undefined): Page {
  const title = why === 'expired' ? 'This form has expired' : 'This form came from somewhere else'
  const address = publicUrl === undefined ? again : `${publicUrl}/${again}`
  return {
    status: 403,
    title,
    problem: 'form-expired',
    main: html`<h1>${title}</h1>
<p>${
      why === 'expired'
        ? 'It was open for too long, or your browser does not keep cookies for this page. Nothing was changed.'
        : 'Your browser did not send it from this page. Nothing was changed.'
    }</p>
<p><a href="${address}">Open the form again</a></p>`,
  }
}

type Words = { title: string; text: Content }

const WORDS: Partial<Record<DomainError['code'], (error: DomainError, frame: Frame) => Words>> = {
  'registration-disabled': () => ({
    title: 'Registration is closed',
    text: html`<p>Ask the people who run this service for an account.</p><p><a href="login">Log in</a></p>`,
  }),
  'token-invalid': (_error, { isRegistrationOpen }) => ({
    title: 'This link does not work',
    text: html`<p>It may have been used already, or be too old, or not be whole. Ask for another one:</p>
<ul>
<li><a href="forgot-password">a link to set a new password</a></li>
${isRegistrationOpen ? html`<li><a href="resend-confirmation">a link to confirm your address</a></li>` : ''}
</ul>
<p><a href="login">Log in</a></p>`,
  }),
  'email-not-confirmed': (_error, { isRegistrationOpen }) => ({
    title: 'Confirm your address first',
    text: html`<p>We have sent you a mail with a link. Open it to confirm that the address is yours.</p>
${isRegistrationOpen ? html`<p><a href="resend-confirmation">Send me another link</a></p>` : ''}`,
  }),
  'account-inactive': ({ extension }) => ({ title: 'Your account is not in use', text: inactivityText(extension) }),
}

function otherWords({ code, message, retryAfterSeconds }: DomainError): Words {
  const { status, title } = PROBLEMS[code]
  if (status < 500) return { title, text: html`<p>${message}.</p><p><a href="login">Log in</a></p>` }
  return {
    title: status === 503 ? 'The service is busy' : 'The service failed',
    text: html`<p>This is no fault of yours. Try again in ${retryAfterSeconds ?? 10} seconds.</p>`,
  }
}

const REASONS: Record<string, string> = {
  admin: 'It was deactivated by the people who run this service.',
  import: 'It was inactive on the site that it came from.',
  inactivity: 'It was deactivated because nobody had used it for a long time.',
}

/** Reason, period, message and contacts, as far as the login tells them; all of it is text that somebody wrote. */
function inactivityText({ reason, period, message, contacts }: Readonly<Record<string, unknown>>): Content {
  const people = Array.isArray(contacts) ? contacts.filter((contact) => typeof contact === 'object') : []
  return html`<p>The password was right, but nobody can log in to this account.
${REASONS[String(reason)] ?? 'It was deactivated.'}${periodText(period)}</p>
${typeof message === 'string' && message !== '' ? html`<p>You are told:</p><p class="said">${message}</p>` : ''}
${
  people.length === 0
    ? html`<p>Ask the people who run this service to open it again.</p>`
    : html`<h2>Whom to ask</h2><ul>${people.map((person) => html`<li>${contactText(person)}</li>`)}</ul>`
}`
}

function periodText(period: unknown): string {
  const { maxInactivity } = (period ?? {}) as { maxInactivity?: unknown }
  const words = typeof maxInactivity === 'string' ? durationInWords(maxInactivity) : ''
  return words === '' ? '' : ` The longest time without use is ${words}.`
}

/** As one says it, in the words of the mails; '' for anything that is no length of time. */
function durationInWords(text: string): string {
  const reading = readDuration(text)
  return 'interval' in reading ? durationWords(reading.interval) : ''
}

function contactText(contact: Record<string, unknown>): string {
  const told = ({ name, username, email }: Record<string, unknown>) => [name ?? username, email]
  return told(contact)
    .filter((text): text is string => typeof text === 'string' && text !== '')
    .join(', ')
}
