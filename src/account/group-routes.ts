import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { writeContextOf } from '../http/authenticate.ts'
import type { Administrators } from '../http/enforce.ts'
import { pageOf, pageQuery, pageRequestOf, pageSchema } from '../http/page.ts'
import { Revision } from '../http/write-schemas.ts'
import {
  GROUP_SORTS,
  Group,
  GroupPatch,
  GroupPath,
  GroupUserPath,
  groupFilters,
  MEMBER_SORTS,
  Membership,
  MembershipQuery,
  memberFilters,
  NewGroup,
  WrittenGroup,
  WrittenMembership,
} from './group-schemas.ts'
import type { GroupService } from './group-service.ts'
import type { MemberAsker } from './member-rights.ts'

const access = { scope: 'admin' } as const
const ofMembers = { scope: 'admin', orInPerson: 'member' } as const
const tags = ['groups']

type Routes = FastifyPluginCallbackTypebox<{ groups: GroupService; administrators: Administrators }>

/** `/v1/groups`: groups, their members and their maintainers. */
export const groupRoutes: Routes = (app, options, done) => {
  app.register(readRoutes, options)
  app.register(createRoute, options)
  app.register(changeRoutes, options)
  app.register(memberListRoute, options)
  app.register(memberRoutes, options)
  app.register(maintainerRoutes, options)
  done()
}

/** Who asks, and whether the decision engine lets them administer the project that the request names. */
function askerOf(request: FastifyRequest, project: number | undefined, administrators: Administrators): MemberAsker {
  const { user } = request.caller
  const administersProject =
    user !== null && project !== undefined && administrators.mayAdminister(user.id, project, user.via)
  return { inPerson: writeContextOf(request).inPerson, administersProject }
}

const readRoutes: Routes = (app, { groups, administrators }, done) => {
  app.get(
    '/v1/groups',
    {
      config: { access, problems: ['invalid-cursor'] },
      schema: {
        operationId: 'listGroups',
        summary: 'List groups',
        tags,
        querystring: pageQuery(GROUP_SORTS, groupFilters),
        response: { 200: pageSchema(Group) },
      },
    },
    async (request) => {
      const page = pageRequestOf(request, GROUP_SORTS)
      return pageOf(request, page, await groups.list(request.query, page), (group) => group[page.sort])
    },
  )
  app.get(
    '/v1/groups/:id',
    {
      config: { access: ofMembers, problems: ['not-found'] },
      schema: {
        operationId: 'getGroup',
        summary: 'Show a group',
        tags,
        params: GroupPath,
        response: { 200: Group },
      },
    },
    (request) => groups.get(request.params.id, askerOf(request, undefined, administrators)),
  )
  done()
}

const createRoute: Routes = (app, { groups }, done) => {
  app.post(
    '/v1/groups',
    {
      config: { access, problems: ['name-taken', 'name-carries-edit-rights', 'ids-exhausted', 'conflict'] },
      schema: {
        operationId: 'createGroup',
        summary: 'Make a group',
        tags,
        body: NewGroup,
        response: { 201: WrittenGroup },
      },
    },
    async (request, reply) => {
      const { value, revision } = await groups.create(writeContextOf(request), request.body)
      return reply
        .code(201)
        .header('location', `/v1/groups/${value.id}`)
        .send({ ...value, revision })
    },
  )
  done()
}

const changeRoutes: Routes = (app, { groups }, done) => {
  app.patch(
    '/v1/groups/:id',
    {
      config: { access, problems: ['not-found', 'name-taken', 'name-carries-edit-rights', 'conflict'] },
      schema: {
        operationId: 'updateGroup',
        summary: 'Rename a group',
        tags,
        params: GroupPath,
        body: GroupPatch,
        response: { 200: WrittenGroup },
      },
    },
    async (request) => {
      const { value, revision } = await groups.update(writeContextOf(request), request.params.id, request.body)
      return { ...value, revision }
    },
  )
  app.delete(
    '/v1/groups/:id',
    {
      config: { access, problems: ['not-found', 'conflict'] },
      schema: {
        operationId: 'deleteGroup',
        summary: 'Delete a group with its memberships and grants',
        tags,
        params: GroupPath,
        response: { 200: Revision },
      },
    },
    async (request) => {
      const { revision } = await groups.delete(writeContextOf(request), request.params.id)
      return { revision }
    },
  )
  done()
}

const memberListRoute: Routes = (app, { groups, administrators }, done) => {
  app.get(
    '/v1/groups/:id/members',
    {
      config: { access: ofMembers, problems: ['invalid-cursor', 'not-found'] },
      schema: {
        operationId: 'listGroupMembers',
        summary: 'List the memberships in a group; a user may have several',
        tags,
        params: GroupPath,
        querystring: pageQuery(MEMBER_SORTS, memberFilters),
        response: { 200: pageSchema(Membership) },
      },
    },
    async (request) => {
      const page = pageRequestOf(request, MEMBER_SORTS)
      const asker = askerOf(request, request.query.project, administrators)
      const rows = await groups.members(request.params.id, request.query, page, asker)
      return pageOf(request, page, rows, (membership) => membership[page.sort])
    },
  )
  done()
}

const memberRoutes: Routes = (app, { groups, administrators }, done) => {
  app.put(
    '/v1/groups/:id/members/:userId',
    {
      config: { access: ofMembers, problems: ['not-found', 'last-administrator', 'conflict'] },
      schema: {
        operationId: 'addGroupMember',
        summary: 'Put a user into a group, everywhere or in one project',
        tags,
        params: GroupUserPath,
        querystring: MembershipQuery,
        response: { 200: WrittenMembership, 201: WrittenMembership },
      },
    },
    async (request, reply) => {
      const { id: groupId, userId } = request.params
      const place = { groupId, userId, projectId: request.query.project ?? null }
      const { administersProject } = askerOf(request, request.query.project, administrators)
      const { value, revision } = await groups.addMember(writeContextOf(request), place, administersProject)
      return reply.code(value.created ? 201 : 200).send({ ...value.membership, revision })
    },
  )
  app.delete(
    '/v1/groups/:id/members/:userId',
    {
      config: { access: ofMembers, problems: ['not-found', 'last-administrator', 'conflict'] },
      schema: {
        operationId: 'removeGroupMember',
        summary: 'End one membership of a user in a group: the one everywhere, or the one in that project',
        tags,
        params: GroupUserPath,
        querystring: MembershipQuery,
        response: { 200: Revision },
      },
    },
    async (request) => {
      const { id: groupId, userId } = request.params
      const place = { groupId, userId, projectId: request.query.project ?? null }
      const { administersProject } = askerOf(request, request.query.project, administrators)
      const { revision } = await groups.removeMember(writeContextOf(request), place, administersProject)
      return { revision }
    },
  )
  done()
}

const maintainerRoutes: Routes = (app, { groups }, done) => {
  app.put(
    '/v1/groups/:id/maintainers/:userId',
    {
      config: { access, problems: ['not-found', 'anonymous-user', 'conflict'] },
      schema: {
        operationId: 'addGroupMaintainer',
        summary: 'Let a user look after the members of a group',
        tags,
        params: GroupUserPath,
        response: { 200: WrittenGroup, 201: WrittenGroup },
      },
    },
    async (request, reply) => {
      const { id, userId } = request.params
      const { value, revision } = await groups.addMaintainer(writeContextOf(request), id, userId)
      return reply.code(value.created ? 201 : 200).send({ ...value.group, revision })
    },
  )
  app.delete(
    '/v1/groups/:id/maintainers/:userId',
    {
      config: { access, problems: ['not-found', 'conflict'] },
      schema: {
        operationId: 'removeGroupMaintainer',
        summary: 'No longer let a user look after the members of a group',
        tags,
        params: GroupUserPath,
        response: { 200: Revision },
      },
    },
    async (request) => {
      const { id, userId } = request.params
      const { revision } = await groups.removeMaintainer(writeContextOf(request), id, userId)
      return { revision }
    },
  )
  done()
}
