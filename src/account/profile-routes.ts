import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { writeContextOf } from '../http/authenticate.ts'
import {
  AppliedDefaults,
  DefaultsApplication,
  Profile,
  ProfileDefaults,
  ProfileDefaultsPatch,
  ProfilePatch,
  WrittenProfile,
  WrittenProfileDefaults,
} from './profile-schemas.ts'
import type { ProfileService } from './profile-service.ts'
import { UserPath } from './user-schemas.ts'

const access = { scope: 'admin' } as const
const tags = ['profiles']

type Routes = FastifyPluginCallbackTypebox<{ profiles: ProfileService }>

/** `/v1/me/profile`, `/v1/users/{id}/profile`, `/v1/profile-defaults`: what users have switched on. */
export const profileRoutes: Routes = (app, options, done) => {
  app.register(ownRoutes, options)
  app.register(userProfileRoutes, options)
  app.register(defaultRoutes, options)
  app.register(applicationRoute, options)
  done()
}

const ownRoutes: Routes = (app, { profiles }, done) => {
  app.get(
    '/v1/me/profile',
    {
      config: { access: { self: 'token' }, problems: ['not-found'] },
      schema: {
        operationId: 'getOwnProfile',
        summary: 'Show the profile of the user who asks',
        tags,
        response: { 200: Profile },
      },
    },
    (request) => profiles.get(ownIdOf(request)),
  )
  app.patch(
    '/v1/me/profile',
    {
      config: { access: { self: 'session' }, problems: ['not-found', 'profile-invalid', 'conflict'] },
      schema: {
        operationId: 'updateOwnProfile',
        summary: 'Change the profile of the user who asks: the color, and the settings that are for users to change',
        tags,
        body: ProfilePatch,
        response: { 200: WrittenProfile },
      },
    },
    async (request) => {
      const { value, revision } = await profiles.update(writeContextOf(request), ownIdOf(request), request.body)
      return { ...value, revision }
    },
  )
  done()
}

const userProfileRoutes: Routes = (app, { profiles }, done) => {
  app.get(
    '/v1/users/:id/profile',
    {
      config: { access, problems: ['not-found'] },
      schema: {
        operationId: 'getProfile',
        summary: 'Show the profile of a user; every user has one',
        tags,
        params: UserPath,
        response: { 200: Profile },
      },
    },
    (request) => profiles.get(request.params.id),
  )
  app.patch(
    '/v1/users/:id/profile',
    {
      config: { access, problems: ['not-found', 'profile-invalid', 'conflict'] },
      schema: {
        operationId: 'updateProfile',
        summary: 'Change the profile of a user',
        tags,
        params: UserPath,
        body: ProfilePatch,
        response: { 200: WrittenProfile },
      },
    },
    async (request) => {
      const { value, revision } = await profiles.update(writeContextOf(request), request.params.id, request.body)
      return { ...value, revision }
    },
  )
  done()
}

const defaultRoutes: Routes = (app, { profiles }, done) => {
  app.get(
    '/v1/profile-defaults',
    {
      config: { access },
      schema: {
        operationId: 'getProfileDefaults',
        summary: 'Show what the profiles of new users begin with, and which settings there are',
        tags,
        response: { 200: ProfileDefaults },
      },
    },
    () => profiles.defaults(),
  )
  app.patch(
    '/v1/profile-defaults',
    {
      config: { access, problems: ['profile-invalid', 'conflict'] },
      schema: {
        operationId: 'updateProfileDefaults',
        summary: 'Change what the profiles of new users begin with; those that there are stay',
        tags,
        body: ProfileDefaultsPatch,
        response: { 200: WrittenProfileDefaults },
      },
    },
    async (request) => {
      const { value, revision } = await profiles.updateDefaults(writeContextOf(request), request.body)
      return { ...value, revision }
    },
  )
  done()
}

const applicationRoute: Routes = (app, { profiles }, done) => {
  app.post(
    '/v1/profile-defaults/application',
    {
      config: { access, problems: ['conflict'] },
      schema: {
        operationId: 'applyProfileDefaults',
        summary: 'Set the settings of all users to the defaults; never their colors and primary groups',
        tags,
        body: DefaultsApplication,
        response: { 200: AppliedDefaults },
      },
    },
    async (request) => {
      const { includeAnonymous = false, dryRun = false } = request.body
      if (dryRun) return { ...(await profiles.previewDefaults({ includeAnonymous })), revision: null }
      const { value, revision } = await profiles.applyDefaults(writeContextOf(request), { includeAnonymous })
      return { ...value, revision }
    },
  )
  done()
}

/** The access of a route for oneself has let nobody else through. */
function ownIdOf({ caller }: { caller: { user: { id: number } | null } }): number {
  if (caller.user === null) throw new Error('a program came through to a route for users in person')
  return caller.user.id
}
