import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { acceptForms, FormRefused, isHttps } from '../http/forms.ts'
import { type PageOptions, showPage } from './form-routes.ts'
import { loginPages } from './login-page-routes.ts'
import type { Page } from './page-layout.ts'
import { AnyQuery } from './page-schemas.ts'
import { cookieNames } from './page-session.ts'
import { PAGE_STYLE } from './page-style.ts'
import { passwordPages } from './password-page-routes.ts'
import { problemPage, refusedFormPage } from './problem-pages.ts'
import { registrationPages } from './registration-page-routes.ts'

/** A registration whose every character is written as `%XX` fits. */
const BODY_LIMIT = 16 * 1024
const STYLE_KEPT_SECONDS = 3600

/**
 * The pages that links in mails lead to, and that people register and log in on: plain HTML that works without
 * JavaScript. They call the same services as the API, take forms where that takes JSON, and tell faults to people.
 */
export const pageRoutes: FastifyPluginAsync<PageOptions> = async (app, options) => {
  const { publicUrl } = options
  await acceptForms(app, { publicUrl, secretCookie: cookieNames(isHttps(publicUrl)).form, bodyLimit: BODY_LIMIT })
  app.setErrorHandler((error, request, reply) => showPage(reply, faultPage(error, request, reply, options)))
  styleRoute(app)
  loginPages(app, options)
  passwordPages(app, options)
  app.register((registering, _options, done) => {
    registrationPages(registering, options)
    done()
  })
}

function styleRoute(app: FastifyInstance): void {
  app.get(
    '/pages.css',
    { config: { access: 'public' }, schema: { hide: true, querystring: AnyQuery } },
    (_request, reply) =>
      reply
        .type('text/css; charset=utf-8')
        .header('cache-control', `public, max-age=${STYLE_KEPT_SECONDS}`)
        .send(PAGE_STYLE),
  )
}

function faultPage(error: unknown, request: FastifyRequest, reply: FastifyReply, options: PageOptions): Page {
  const why = refusalIn(error)
  if (why !== undefined) return refusedFormPage(why, formAddressOf(request), options.publicUrl)
  const { isRegistrationOpen } = options
  return problemPage({ formToken: '', isRegistrationOpen }, options.faultOf(error, request, reply))
}

function refusalIn(error: unknown): FormRefused['why'] | undefined {
  if (error instanceof FormRefused) return error.why
  return (error as { code?: string }).code?.startsWith('FST_CSRF_') ? 'expired' : undefined
}

/** Where the form of a request stands, with the token of the link that led to it. */
function formAddressOf({ routeOptions, body }: FastifyRequest): string {
  const page = (routeOptions.url ?? '/login').slice(1)
  const { token } = (body ?? {}) as { token?: string }
  return token === undefined ? page : `${page}?token=${encodeURIComponent(token)}`
}
