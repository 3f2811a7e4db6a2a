import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import type { SigningKeyState } from '../decision/policy-state.ts'
import { writeContextOf } from '../http/authenticate.ts'
import { KeySet, Rotated, Rotation, SigningKeys } from './signing-key-schemas.ts'
import { keySet, type SigningKeyService } from './signing-key-service.ts'

const access = { scope: 'admin' } as const
const tags = ['signing-keys']

type Routes = FastifyPluginCallbackTypebox<{
  signingKeys: SigningKeyService
  /** The keys of the snapshot of now. @throws DomainError `snapshot-unavailable` */
  publicKeys: () => ReadonlyMap<string, SigningKeyState>
}>

/** `/.well-known/jwks.json` and `/v1/signing-keys`: what access tokens are signed with. */
export const signingKeyRoutes: Routes = (app, { signingKeys, publicKeys }, done) => {
  app.get(
    '/.well-known/jwks.json',
    {
      config: { access: 'public', problems: ['snapshot-unavailable'] },
      schema: {
        operationId: 'getKeySet',
        summary: 'Show the public keys that verify access tokens',
        tags,
        response: { 200: KeySet },
      },
    },
    (_request, reply) => {
      reply.header('cache-control', 'public, max-age=300')
      return keySet(publicKeys(), Date.now())
    },
  )
  app.get(
    '/v1/signing-keys',
    {
      config: { access },
      schema: {
        operationId: 'listSigningKeys',
        summary: 'List the keys that sign, will sign, or have signed what may be in force',
        tags,
        response: { 200: SigningKeys },
      },
    },
    async () => ({ items: await signingKeys.list() }),
  )
  app.post(
    '/v1/signing-keys/rotation',
    {
      config: { access },
      schema: {
        operationId: 'rotateSigningKeys',
        summary: 'Make the next signing key before its time',
        tags,
        body: Rotation,
        response: { 201: Rotated },
      },
    },
    async (request, reply) => {
      const { immediately = false } = request.body
      const { value, revision } = await signingKeys.rotate(writeContextOf(request), immediately)
      return reply.code(201).send({ items: value, revision })
    },
  )
  done()
}
