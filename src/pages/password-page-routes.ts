import type { FastifyInstance } from 'fastify'
import { formRoute, frameOf, linkedFormRoute, type PageOptions, pageRoute } from './form-routes.ts'
import { type FormView, formPage } from './form-view.ts'
import { html } from './html.ts'
import { forgetSession } from './login-page-routes.ts'
import type { Page } from './page-layout.ts'
import { AddressForm, ResetForm, TokenForm } from './page-schemas.ts'
import { mailedPage } from './registration-page-routes.ts'

/** `/forgot-password`, `/reset-password` and `/confirm-email-change`. */
export function passwordPages(app: FastifyInstance, options: PageOptions): void {
  const { services, originOf, publicUrl } = options
  pageRoute(app, '/forgot-password', (_request, reply) => formPage(frameOf(reply, options), FORGOTTEN))
  formRoute(app, options, {
    path: '/forgot-password',
    body: AddressForm,
    view: () => FORGOTTEN,
    act: async ({ email }, request) => {
      await services.passwords.askForReset(email, originOf(request))
      return mailedPage('an account')
    },
  })
  linkedFormRoute(app, options, {
    path: '/reset-password',
    body: ResetForm,
    view: (values) => resetView(values, services.registration.terms().password.minLength),
    act: async ({ token, newPassword, revokeApiTokens }, request, reply) => {
      const reset = { token, newPassword, revokeApiTokens: revokeApiTokens === 'yes' }
      const { revokedApiTokens } = await services.passwords.reset(reset, originOf(request))
      forgetSession(reply, publicUrl)
      return resetPage(revokedApiTokens)
    },
  })
  linkedFormRoute(app, options, {
    path: '/confirm-email-change',
    body: TokenForm,
    view: emailChangeView,
    act: async ({ token }, request) => emailChangedPage(await services.account.changeEmail(token, originOf(request))),
  })
}

const FORGOTTEN: FormView = {
  title: 'Set a new password',
  intro: html`<p>Give the address of your account, and we mail you a link to set a new password.</p>`,
  action: 'forgot-password',
  fields: [{ name: 'email', label: 'E-mail address', type: 'email', autocomplete: 'email', required: true }],
  button: 'Send the link',
  outro: html`<p><a href="login">Log in</a></p>`,
}

const resetView = ({ token = '' }: Readonly<Record<string, string>>, minLength: number): FormView => ({
  title: 'Choose a new password',
  intro: html`<p>You will be logged out everywhere.</p>`,
  action: 'reset-password',
  hidden: { token },
  fields: [
    {
      name: 'newPassword',
      label: 'New password',
      type: 'password',
      autocomplete: 'new-password',
      required: true,
      hint: `At least ${minLength} characters. A few words in a row are good.`,
    },
    { name: 'revokeApiTokens', label: 'End my API tokens too', type: 'checkbox' },
  ],
  button: 'Set the password',
})

const resetPage = (revokedApiTokens: number): Page => ({
  status: 200,
  title: 'Your password is set',
  main: html`<h1>Your password is set</h1>
${revokedApiTokens > 0 ? html`<p>API tokens that ended: ${revokedApiTokens}.</p>` : ''}
<p><a href="login">Log in</a></p>`,
})

const emailChangeView = ({ token = '' }: Readonly<Record<string, string>>): FormView => ({
  title: 'Confirm your new address',
  intro: html`<p>From then on we write to you at this address, and you can log in with it.</p>`,
  action: 'confirm-email-change',
  hidden: { token },
  fields: [],
  button: 'Use this address',
})

const emailChangedPage = (email: string): Page => ({
  status: 200,
  title: 'Your address is changed',
  main: html`<h1>Your address is changed</h1><p>It is ${email} now.</p><p><a href="account">Your account</a></p>`,
})
