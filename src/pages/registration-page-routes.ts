import type { FastifyInstance } from 'fastify'
import { DomainError } from '../errors.ts'
import { formRoute, frameOf, linkedFormRoute, type PageOptions, pageRoute } from './form-routes.ts'
import { type FormView, formPage } from './form-view.ts'
import { html } from './html.ts'
import type { Page } from './page-layout.ts'
import { AddressForm, ConfirmationForm, RegistrationForm } from './page-schemas.ts'
import type { RegistrationTerms } from './page-services.ts'

/** `/register`, `/confirm-email` and `/resend-confirmation`; all of them refuse where nobody can register. */
export function registrationPages(app: FastifyInstance, options: PageOptions): void {
  const { registration } = options.services
  app.addHook('onRequest', (_request, _reply, done) => {
    registration.refuseWhereDisabled()
    done()
  })
  registerPage(app, options)
  confirmationPage(app, options)
  resendPage(app, options)
}

function registerPage(app: FastifyInstance, options: PageOptions): void {
  const { services, originOf } = options
  const { registration } = services
  const view = () => registrationView(registration.terms())
  pageRoute(app, '/register', (_request, reply) => formPage(frameOf(reply, options), view()))
  formRoute(app, options, {
    path: '/register',
    body: RegistrationForm,
    view,
    act: async ({ formToken: _guard, acceptTermsVersion, ...given }, request) => {
      const accepted = acceptTermsVersion === undefined ? {} : { acceptTermsVersion }
      await registration.register({ ...given, ...accepted }, originOf(request))
      return registeredPage(given.email, registration.terms().confirmationRequired)
    },
  })
}

function confirmationPage(app: FastifyInstance, options: PageOptions): void {
  const { services, originOf } = options
  linkedFormRoute(app, options, {
    path: '/confirm-email',
    body: ConfirmationForm,
    view: confirmationView,
    act: async ({ token, password = '', withoutPassword }, request) => {
      const isProved = withoutPassword === undefined
      if (isProved && password === '') throw passwordMissing()
      const confirmation = isProved ? { token, password } : { token }
      const { passwordKept } = await services.registration.confirm(confirmation, originOf(request))
      return confirmedPage(passwordKept)
    },
  })
}

function resendPage(app: FastifyInstance, options: PageOptions): void {
  const { services, originOf } = options
  pageRoute(app, '/resend-confirmation', (_request, reply) => formPage(frameOf(reply, options), RESEND))
  formRoute(app, options, {
    path: '/resend-confirmation',
    body: AddressForm,
    view: () => RESEND,
    act: async ({ email }, request) => {
      await services.registration.resend(email, originOf(request))
      return mailedPage('an account that waits for it')
    },
  })
}

function registrationView({ terms, password }: RegistrationTerms): FormView {
  return {
    title: 'Register',
    action: 'register',
    fields: [
      {
        name: 'username',
        label: 'Login name',
        type: 'text',
        autocomplete: 'username',
        required: true,
        hint: 'What others know you by. It holds no @.',
      },
      {
        name: 'email',
        label: 'E-mail address',
        type: 'email',
        autocomplete: 'email',
        required: true,
        hint: 'We write to you there.',
      },
      { name: 'firstName', label: 'First name', type: 'text', autocomplete: 'given-name' },
      { name: 'lastName', label: 'Last name', type: 'text', autocomplete: 'family-name' },
      newPassword('password', 'Password', password),
      ...(terms === null
        ? []
        : [
            {
              name: 'acceptTermsVersion',
              label: 'I accept the terms',
              type: 'checkbox',
              value: terms.version,
              required: true,
              hint: 'They stand above.',
            } as const,
          ]),
    ],
    ...(terms !== null && {
      intro: html`<h2 id="terms">Terms (version ${terms.version})</h2>
<div class="terms" role="region" aria-labelledby="terms" tabindex="0">${terms.text}</div>`,
    }),
    button: 'Register',
    outro: html`<p>You have an account? <a href="login">Log in</a></p>`,
  }
}

const newPassword = (name: string, label: string, { minLength }: RegistrationTerms['password']) =>
  ({
    name,
    label,
    type: 'password',
    autocomplete: 'new-password',
    required: true,
    hint: `At least ${minLength} characters. A few words in a row are good.`,
  }) as const

const confirmationView = ({ token = '' }: Readonly<Record<string, string>>): FormView => ({
  title: 'Confirm your address',
  intro: html`<p>Give the password that you chose when you registered, and the account opens with it.</p>`,
  action: 'confirm-email',
  hidden: { token },
  fields: [
    {
      name: 'password',
      label: 'Password of the registration',
      type: 'password',
      autocomplete: 'current-password',
    },
  ],
  button: 'Confirm',
  afterButton: html`<h2>You do not know that password?</h2>
<p>Then somebody else may have registered with your address. Confirm without it: that password will open nothing, and you
get a mail with a link to set one of your own.</p>
<p><button class="second" name="withoutPassword" value="yes">Confirm without the password</button></p>`,
})

const passwordMissing = () => {
  const detail = 'is empty; without it, use the other button'
  return new DomainError('invalid-request', 'the password is missing', { faults: [{ pointer: '/password', detail }] })
}

const RESEND: FormView = {
  title: 'Ask for another confirmation link',
  action: 'resend-confirmation',
  fields: [{ name: 'email', label: 'E-mail address', type: 'email', autocomplete: 'email', required: true }],
  button: 'Send the link',
  outro: html`<p><a href="login">Log in</a></p>`,
}

/** The same for everybody: who has an account is nobody else's business. */
const registeredPage = (email: string, confirmationRequired: boolean): Page => ({
  status: 202,
  title: confirmationRequired ? 'Look into your mail' : 'You are registered',
  main: confirmationRequired
    ? html`<h1>Look into your mail</h1>
<p>We write to ${email}. The account opens when you follow the link in the mail and confirm that the address is yours.</p>
<p>No mail? Look into the spam folder, or <a href="resend-confirmation">ask for another link</a>.</p>`
    : html`<h1>You are registered</h1>
<p>The account opens in a moment. Should it not, a mail to ${email} tells you why.</p>
<p><a href="login">Log in</a></p>`,
})

/** The page of a mail that was asked for; whether it was sent, only whoever reads the address learns. */
export const mailedPage = (whose: string): Page => ({
  status: 202,
  title: 'Look into your mail',
  main: html`<h1>Look into your mail</h1>
<p>If the address belongs to ${whose}, a mail with a link is on its way to it.</p>
<p><a href="login">Log in</a></p>`,
})

const confirmedPage = (passwordKept: boolean): Page => ({
  status: 200,
  title: 'Your account is open',
  main: html`<h1>Your account is open</h1>
${
  passwordKept
    ? html`<p>You can log in now.</p>`
    : html`<p>A mail with a link to set your password is on its way to you. After that, you can log in.</p>`
}
<p><a href="login">Log in</a></p>`,
})
