import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { writeContextOf } from '../http/authenticate.ts'
import { pageOf, pageQuery, pageRequestOf, pageSchema } from '../http/page.ts'
import { MAIL_SORTS, MailEntry, MailPath, mailFilters, WrittenMail } from './mail-schemas.ts'
import type { MailService } from './mail-service.ts'

const access = { scope: 'admin' } as const
const tags = ['mail']

/** `/v1/mail/outbox`: what was sent, what waits and what failed. */
export const mailRoutes: FastifyPluginCallbackTypebox<{ mails: MailService }> = (app, { mails }, done) => {
  app.get(
    '/v1/mail/outbox',
    {
      config: { access, problems: ['invalid-cursor'] },
      schema: {
        operationId: 'listMails',
        summary: 'List mails, newest first, without their texts',
        tags,
        querystring: pageQuery(MAIL_SORTS, mailFilters),
        response: { 200: pageSchema(MailEntry) },
      },
    },
    async (request) => {
      const { limit: _limit, cursor: _cursor, sort: _sort, ...filter } = request.query
      const page = pageRequestOf(request, MAIL_SORTS)
      return pageOf(request, page, await mails.list(filter, page), (mail) => mail.id)
    },
  )
  app.post(
    '/v1/mail/outbox/:id/retry',
    {
      config: { access, problems: ['not-found', 'mail-not-retryable'] },
      schema: {
        operationId: 'retryMail',
        summary: 'Try a failed mail again',
        tags,
        params: MailPath,
        response: { 200: WrittenMail },
      },
    },
    async (request) => {
      const { value, revision } = await mails.retry(writeContextOf(request), request.params.id)
      return { ...value, revision }
    },
  )
  done()
}
