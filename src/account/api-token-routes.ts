import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { inPersonOf, writeContextOf } from '../http/authenticate.ts'
import { pageOf, pageQuery, pageRequestOf, pageSchema } from '../http/page.ts'
import { Revision } from '../http/write-schemas.ts'
import {
  API_TOKEN_SORTS,
  ApiToken,
  MadeApiToken,
  NewApiToken,
  OwnTokenPath,
  Revocation,
  RevokedTokens,
  Rotation,
  UserTokenPath,
} from './api-token-schemas.ts'
import type { ApiTokenService } from './api-token-service.ts'
import { UserPath } from './user-schemas.ts'

const tags = ['api-tokens']

type Routes = FastifyPluginCallbackTypebox<{ apiTokens: ApiTokenService }>

/** API tokens: one's own, those of others for who administers the site, and the end of a leaked one. */
export const apiTokenRoutes: Routes = (app, options, done) => {
  app.register(ownReadRoute, options)
  app.register(makeRoutes, options)
  app.register(endRoutes, options)
  app.register(administrationRoutes, options)
  done()
}

const ownReadRoute: Routes = (app, { apiTokens }, done) => {
  app.get(
    '/v1/me/api-tokens',
    {
      config: { access: { self: 'token' }, problems: ['invalid-cursor'] },
      schema: {
        operationId: 'listOwnApiTokens',
        summary: 'List one’s own API tokens',
        tags,
        querystring: pageQuery(API_TOKEN_SORTS, {}),
        response: { 200: pageSchema(ApiToken) },
      },
    },
    async (request) => {
      const page = pageRequestOf(request, API_TOKEN_SORTS)
      return pageOf(request, page, await apiTokens.list(inPersonOf(request).id, page), (token) => token.id)
    },
  )
  done()
}

const makeRoutes: Routes = (app, { apiTokens }, done) => {
  app.post(
    '/v1/me/api-tokens',
    {
      config: {
        access: { self: 'fresh' },
        problems: ['scope-not-grantable', 'expiry-too-long', 'token-limit-reached', 'ids-exhausted', 'conflict'],
      },
      schema: {
        operationId: 'createApiToken',
        summary: 'Make an API token for oneself',
        tags,
        body: NewApiToken,
        response: { 201: MadeApiToken },
      },
    },
    async (request, reply) => {
      const { id } = inPersonOf(request)
      const { value, revision } = await apiTokens.create(writeContextOf(request), id, request.body)
      return reply.code(201).send({ ...value, revision })
    },
  )
  app.post(
    '/v1/me/api-tokens/:id/rotation',
    {
      config: {
        access: { self: 'fresh' },
        problems: ['not-found', 'scope-not-grantable', 'token-limit-reached', 'ids-exhausted', 'conflict'],
      },
      schema: {
        operationId: 'rotateApiToken',
        summary: 'Put a new token in the place of one, which goes on for a while',
        tags,
        params: OwnTokenPath,
        body: Rotation,
        response: { 201: MadeApiToken },
      },
    },
    async (request, reply) => {
      const { id: userId } = inPersonOf(request)
      const { graceSeconds = 0 } = request.body
      const { value, revision } = await apiTokens.rotate(
        writeContextOf(request),
        userId,
        request.params.id,
        graceSeconds,
      )
      return reply.code(201).send({ ...value, revision })
    },
  )
  done()
}

const endRoutes: Routes = (app, { apiTokens }, done) => {
  app.delete(
    '/v1/me/api-tokens/:id',
    {
      config: { access: { self: 'session' }, problems: ['not-found', 'conflict'] },
      schema: {
        operationId: 'deleteOwnApiToken',
        summary: 'End one of one’s own API tokens at once',
        tags,
        params: OwnTokenPath,
        response: { 200: Revision },
      },
    },
    async (request) => {
      const { id } = inPersonOf(request)
      const { revision } = await apiTokens.delete(writeContextOf(request), id, request.params.id)
      return { revision }
    },
  )
  app.post(
    '/v1/api-token-revocations',
    {
      config: { access: 'public', problems: ['conflict'] },
      schema: {
        operationId: 'revokeApiToken',
        summary: 'End an API token that has leaked; the answer does not tell whether there was one',
        tags,
        body: Revocation,
        response: { 202: Type.Object({ status: Type.Literal('accepted') }) },
      },
    },
    async (request, reply) => {
      await apiTokens.revoke({ caller: 'anybody', requestId: request.id, inPerson: null }, request.body.token)
      return reply.code(202).send({ status: 'accepted' })
    },
  )
  done()
}

const administrationRoutes: Routes = (app, { apiTokens }, done) => {
  const access = { scope: 'admin' } as const
  app.get(
    '/v1/users/:id/api-tokens',
    {
      config: { access, problems: ['invalid-cursor', 'not-found'] },
      schema: {
        operationId: 'listApiTokens',
        summary: 'List the API tokens of a user',
        tags,
        params: UserPath,
        querystring: pageQuery(API_TOKEN_SORTS, {}),
        response: { 200: pageSchema(ApiToken) },
      },
    },
    async (request) => {
      const page = pageRequestOf(request, API_TOKEN_SORTS)
      return pageOf(request, page, await apiTokens.list(request.params.id, page), (token) => token.id)
    },
  )
  app.delete(
    '/v1/users/:id/api-tokens/:tokenId',
    {
      config: { access, problems: ['not-found', 'conflict'] },
      schema: {
        operationId: 'deleteApiToken',
        summary: 'End an API token of a user at once',
        tags,
        params: UserTokenPath,
        response: { 200: Revision },
      },
    },
    async (request) => {
      const { id, tokenId } = request.params
      const { revision } = await apiTokens.delete(writeContextOf(request), id, tokenId)
      return { revision }
    },
  )
  app.delete(
    '/v1/users/:id/api-tokens',
    {
      config: { access, problems: ['not-found', 'conflict'] },
      schema: {
        operationId: 'deleteApiTokens',
        summary: 'End all API tokens of a user at once',
        tags,
        params: UserPath,
        response: { 200: RevokedTokens },
      },
    },
    async (request) => {
      const { value, revision } = await apiTokens.deleteAll(writeContextOf(request), request.params.id)
      return { revoked: value, revision }
    },
  )
  done()
}
