import { isUtf8 } from 'node:buffer'
import cookies from '@fastify/cookie'
import csrfProtection from '@fastify/csrf-protection'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { DomainError } from '../errors.ts'
import { isKeepable } from '../text.ts'
import { invalidRequest } from './invalid-request.ts'

const FORM_TYPE = 'application/x-www-form-urlencoded'
const MAX_FIELDS = 20

/** Of a form, what `acceptForms` wants back: the name of the hidden field. */
export const FORM_TOKEN_FIELD = 'formToken'

/** A form that is not ours, or not ours any more. `why` tells which of the guards refused it. */
export class FormRefused extends Error {
  readonly why: 'expired' | 'foreign'

  constructor(why: 'expired' | 'foreign') {
    super(`a form was refused: ${why}`)
    this.name = 'FormRefused'
    this.why = why
  }
}

/** Where forms come from, and how their secret is kept by the browser. */
export type FormOptions = {
  /** Where people reach the service; undefined: wherever the request says it was sent. */
  publicUrl: string | undefined
  secretCookie: string
  /** The least bytes that the largest form takes. */
  bodyLimit: number
}

/**
 * Lets the routes of this part of the app take forms, and nothing but forms: of our own pages, by two guards. A browser
 * tells the origin of a form, which must be ours; and a form holds a token that belongs to a secret which the browser
 * keeps in a cookie, and no other site can read either. `reply.generateCsrf()` gives the token.
 *
 * The rest of the app takes no forms and reads no cookies.
 */
export async function acceptForms(app: FastifyInstance, options: FormOptions): Promise<void> {
  app.removeAllContentTypeParsers()
  app.addHook('onRoute', (route) => {
    route.bodyLimit ??= options.bodyLimit
  })
  app.addContentTypeParser(FORM_TYPE, { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      done(null, fieldsIn(body as Buffer))
    } catch (error) {
      done(error as Error, undefined)
    }
  })
  await app.register(cookies)
  await app.register(csrfProtection, {
    cookieKey: options.secretCookie,
    // Not `strict`: whoever comes by the link of a mail keeps the forms that are open in other tabs.
    cookieOpts: { path: '/', httpOnly: true, sameSite: 'lax', secure: isHttps(options.publicUrl) },
    getToken: ({ body }) => (body as Record<string, string> | undefined)?.[FORM_TOKEN_FIELD],
  })
  app.addHook('onRequest', (request, _reply, done) => {
    done(request.method === 'POST' && !isOwnOrigin(request, options.publicUrl) ? new FormRefused('foreign') : undefined)
  })
  app.addHook('preValidation', (request, reply, done) => {
    if (request.method === 'POST') app.csrfProtection(request, reply, done)
    else done()
  })
}

/** Whether people reach the service by TLS, so that cookies can be kept from everything else. */
export const isHttps = (publicUrl: string | undefined): boolean => publicUrl?.startsWith('https:') === true

/**
 * Browsers send `Origin` with every form; what sends none is old or no browser, and is left to the token unless it says
 * itself that it comes from elsewhere.
 */
function isOwnOrigin({ headers }: Pick<FastifyRequest, 'headers'>, publicUrl: string | undefined): boolean {
  const { origin, host } = headers
  if (origin === undefined) return ['same-origin', 'none', undefined].includes(headers['sec-fetch-site'] as string)
  if (!URL.canParse(origin)) return false
  return publicUrl === undefined ? new URL(origin).host === host : origin === new URL(publicUrl).origin
}

/** The fields of a form; each name once, each value a text that can be kept. */
function fieldsIn(body: Buffer): Record<string, string> {
  if (!isUtf8(body)) throw new DomainError('invalid-request', 'the form is not UTF-8')
  const fields = [...new URLSearchParams(body.toString())]
  const names = new Set(fields.map(([name]) => name))
  if (fields.length > MAX_FIELDS || names.size < fields.length) {
    throw new DomainError('invalid-request', 'the form has fields that it cannot have')
  }
  const unkept = fields.filter((field) => !field.every(isKeepable)).map(([name]) => `/${name.slice(0, 100)}`)
  if (unkept.length > 0) throw invalidRequest(unkept.map((pointer) => ({ pointer, detail: 'must not hold NUL' })))
  return Object.fromEntries(fields)
}
