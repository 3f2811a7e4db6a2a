import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Static, TSchema } from 'typebox'
import { DomainError } from '../errors.ts'
import { invalidRequest } from '../http/invalid-request.ts'
import { emptyFields, formFaultsOf } from './form-faults.ts'
import { type FormView, formPage } from './form-view.ts'
import { documentOf, type Frame, type Page } from './page-layout.ts'
import { AnyQuery } from './page-schemas.ts'
import type { Origin, PageServices, PageUser } from './page-services.ts'
import { problemPage } from './problem-pages.ts'

/** What the pages stand on. */
export type PageOptions = {
  services: PageServices
  /** Where people reach the service; undefined: wherever they say. */
  publicUrl: string | undefined
  isRegistrationOpen: boolean
  originOf: (request: FastifyRequest) => Origin
  /** Who an access token belongs to, as long as it opens anything. */
  userOf: (accessToken: string) => PageUser | undefined
  /** What went wrong, for a caller to know; logged where it is ours to mend. */
  faultOf: (error: unknown, request: FastifyRequest, reply: FastifyReply) => DomainError
}

/** Where a page can send somebody on: nowhere but to another page. */
export type Onward = { onwardTo: 'account' | 'login' }

/** A page with a form, and what becomes of the form when it is sent. */
export type FormRoute<Schema extends TSchema> = {
  path: string
  body: Schema
  /** The form as it is for these values: of a link's query, or of what was sent and has to be mended. */
  view: (values: Readonly<Record<string, string>>) => FormView
  act: (form: Static<Schema>, request: FastifyRequest, reply: FastifyReply) => Promise<Page | Onward>
}

const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy':
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  'cache-control': 'no-store',
} as const
const MAX_TOKEN_LENGTH = 200

/** Answers with a page. */
export function showPage(reply: FastifyReply, page: Page): FastifyReply {
  return reply.code(page.status).headers(HEADERS).send(documentOf(page))
}

/** What a page is shown with; the token in it keeps its secret in a cookie of the answer. */
export const frameOf = (reply: FastifyReply, { isRegistrationOpen }: PageOptions): Frame => ({
  formToken: reply.generateCsrf(),
  isRegistrationOpen,
})

/** A page that is only looked at. */
export function pageRoute(
  app: FastifyInstance,
  path: string,
  show: (request: FastifyRequest, reply: FastifyReply) => Promise<Page | Onward> | Page | Onward,
): void {
  app.get(
    path,
    { config: { access: 'public' }, schema: { hide: true, querystring: AnyQuery } },
    async (request, reply) => answered(reply, await show(request, reply)),
  )
}

/** Takes a form; what can be mended in it is shown with the form, as it was filled in. */
export function formRoute<Schema extends TSchema>(
  app: FastifyInstance,
  options: PageOptions,
  { path, body, view, act }: FormRoute<Schema>,
): void {
  const schema = { hide: true, body, querystring: AnyQuery }
  app.post(path, { config: { access: 'public' }, attachValidation: true, schema }, async (request, reply) => {
    const values = request.body as Record<string, string>
    try {
      refuseMisshapen(request, view(values))
      return answered(reply, await act(request.body as Static<Schema>, request, reply))
    } catch (error) {
      const wrong = error instanceof DomainError ? formFaultsOf(error) : undefined
      if (wrong === undefined) throw error
      const { retryAfterSeconds } = error as DomainError
      if (retryAfterSeconds !== undefined) reply.header('retry-after', String(retryAfterSeconds))
      return showPage(reply, formPage(frameOf(reply, options), view(values), values, wrong))
    }
  })
}

/** Of a form as it was sent: fields that were left empty first, since they are what people overlook. */
function refuseMisshapen(request: FastifyRequest, { fields }: FormView): void {
  const empty = emptyFields(fields, request.body as Record<string, string>)
  if (empty.length > 0) throw invalidRequest([...empty])
  if (request.validationError) throw request.validationError
}

/** The page of a form that came by a link with a token; without one there is nothing to do. */
export function linkedFormRoute<Schema extends TSchema>(
  app: FastifyInstance,
  options: PageOptions,
  route: FormRoute<Schema>,
): void {
  pageRoute(app, route.path, (request, reply) => {
    const token = tokenIn(request)
    const frame = frameOf(reply, options)
    return token === '' ? brokenLink(frame) : formPage(frame, route.view({ token }))
  })
  formRoute(app, options, route)
}

const brokenLink = (frame: Frame): Page => problemPage(frame, new DomainError('token-invalid', 'the link has no token'))

function tokenIn({ query }: FastifyRequest): string {
  const { token } = query as { token?: unknown }
  return typeof token === 'string' && token.length <= MAX_TOKEN_LENGTH ? token : ''
}

function answered(reply: FastifyReply, answer: Page | Onward): FastifyReply {
  return 'onwardTo' in answer ? reply.redirect(answer.onwardTo, 303) : showPage(reply, answer)
}
