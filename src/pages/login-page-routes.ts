import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { DomainError } from '../errors.ts'
import { publicContextOf } from '../http/authenticate.ts'
import { isHttps } from '../http/forms.ts'
import { accountPage } from './account-view.ts'
import { formRoute, frameOf, type PageOptions, pageRoute } from './form-routes.ts'
import { type FormView, formPage } from './form-view.ts'
import { html } from './html.ts'
import type { Frame, Page } from './page-layout.ts'
import { ButtonForm, LoginForm } from './page-schemas.ts'
import type { PageUser } from './page-services.ts'
import { cookieNames, sessionCookie } from './page-session.ts'

/** How a session that was opened here is called in the list of sessions. */
const DEVICE_NAME = 'Gatehouse pages'

/** `/login`, `/account` and `/logout`. */
export function loginPages(app: FastifyInstance, options: PageOptions): void {
  const { services, publicUrl, userOf, originOf, isRegistrationOpen } = options
  const isSecure = isHttps(publicUrl)
  const name = cookieNames(isSecure).session
  const userIn = (request: FastifyRequest): PageUser | undefined => {
    const accessToken = request.cookies[name]
    return accessToken === undefined ? undefined : userOf(accessToken)
  }
  const view = () => loginView(isRegistrationOpen)

  pageRoute(app, '/login', (request, reply) =>
    userIn(request) === undefined ? formPage(frameOf(reply, options), view()) : { onwardTo: 'account' },
  )
  formRoute(app, options, {
    path: '/login',
    body: LoginForm,
    view,
    act: async ({ login, password }, request, reply) => {
      const { network } = originOf(request)
      const attempt = { login, password, deviceName: DEVICE_NAME, network }
      const { accessToken, expiresIn } = await services.logins.open(publicContextOf(request), attempt)
      reply.setCookie(name, accessToken, { ...sessionCookie(isSecure), maxAge: expiresIn })
      return { onwardTo: 'account' }
    },
  })
  pageRoute(app, '/account', async (request, reply) => {
    const user = userIn(request)
    if (user === undefined) return { onwardTo: 'login' }
    const { account, profiles } = services
    const [own, profile] = [await account.get(user.id), await profiles.get(user.id)]
    return accountPage(own, profile, profiles.catalogue, logoutForm(frameOf(reply, options)))
  })
  pageRoute(app, '/logout', (_request, reply) => formPage(frameOf(reply, options), LOGOUT))
  formRoute(app, options, {
    path: '/logout',
    body: ButtonForm,
    view: () => LOGOUT,
    act: async (_form, request, reply) => {
      await endSession(options, userIn(request), request)
      forgetSession(reply, publicUrl)
      return loggedOutPage()
    },
  })
}

/** Makes the browser forget who was logged in. */
export function forgetSession(reply: FastifyReply, publicUrl: string | undefined): void {
  const isSecure = isHttps(publicUrl)
  reply.clearCookie(cookieNames(isSecure).session, sessionCookie(isSecure))
}

async function endSession({ services }: PageOptions, user: PageUser | undefined, request: FastifyRequest) {
  if (user === undefined || user.sessionId === null) return
  const context = { caller: `user:${user.id}`, requestId: request.id, inPerson: user.id }
  await services.sessions.endOne(context, user.id, user.sessionId).catch((error: unknown) => {
    // Another tab was faster.
    if (!(error instanceof DomainError && error.code === 'not-found')) throw error
  })
}

const loginView = (isRegistrationOpen: boolean): FormView => ({
  title: 'Log in',
  action: 'login',
  fields: [
    {
      name: 'login',
      label: 'Login name or e-mail address',
      type: 'text',
      autocomplete: 'username',
      required: true,
    },
    { name: 'password', label: 'Password', type: 'password', autocomplete: 'current-password', required: true },
  ],
  button: 'Log in',
  outro: html`<ul>
<li><a href="forgot-password">I forgot my password</a></li>
${isRegistrationOpen ? html`<li><a href="register">Register</a></li>` : ''}
</ul>`,
})

const LOGOUT: FormView = {
  title: 'Log out',
  action: 'logout',
  fields: [],
  button: 'Log out',
  outro: html`<p><a href="account">Back to your account</a></p>`,
}

const logoutForm = ({ formToken }: Frame) => html`<form method="post" action="logout">
<input type="hidden" name="formToken" value="${formToken}">
<p><button>Log out</button></p>
</form>`

const loggedOutPage = (): Page => ({
  status: 200,
  title: 'You are logged out',
  main: html`<h1>You are logged out</h1><p><a href="login">Log in again</a></p>`,
})
