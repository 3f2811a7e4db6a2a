import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox'
import { type Static, Type } from 'typebox'
import { pageOf, pageQuery, pageRequestOf, pageSchema } from '../http/page.ts'
import { PERMISSIONS } from './policy-state.ts'
import { accessOf, permittedUsers, withinRange } from './project-access.ts'
import { existingProject, rangeOf } from './reverse-lookup-routes.ts'
import type { SnapshotKeeper } from './snapshot-keeper.ts'
import { PermissionCount, UserAccess } from './statistics-schemas.ts'

const SORTS = { id: 'integer' } as const
type GrantCounts = Static<typeof PermissionCount>['grants']

/** What the database knows beside the snapshot. */
export interface ProjectStatistics {
  /** The grants on a project, by their permission; what is missing has none. */
  grantCounts(projectId: number): Promise<ReadonlyMap<string, GrantCounts>>
  /** When users were last active, by their ids; who is missing was never. */
  lastActivity(userIds: readonly number[]): Promise<ReadonlyMap<number, string>>
}

/** `now` gives epoch milliseconds. */
export type StatisticsOptions = { keeper: SnapshotKeeper; statistics: ProjectStatistics; now: () => number }

/** `/v1/projects/{id}/statistics`: who has access through what, and who still uses it. */
export const statisticsRoutes: FastifyPluginCallbackTypebox<StatisticsOptions> = (app, options, done) => {
  const { keeper, statistics, now } = options
  app.get(
    '/v1/projects/:id/statistics',
    {
      config: { access: { scope: 'admin', orInPerson: 'project' }, problems: ['not-found', 'invalid-cursor'] },
      schema: {
        operationId: 'getProjectStatistics',
        summary: 'Who has access to the project, through what, and when were they last active?',
        tags: ['projects'],
        params: Type.Object({ id: Type.Integer() }),
        querystring: pageQuery(SORTS, {}),
        response: {
          200: Type.Object({
            ...pageSchema(UserAccess).properties,
            permissions: Type.Array(PermissionCount, { description: 'Of the whole project, on every page' }),
            revision: Type.Integer({ description: 'The policy revision that this page was made from' }),
          }),
        },
      },
    },
    async (request) => {
      const snapshot = keeper.snapshot()
      const { revision } = snapshot
      const page = pageRequestOf(request, SORTS)
      const project = existingProject(snapshot, request.params.id)
      const instant = now()
      const permitted = permittedUsers(snapshot, project, instant)
      const shown = withinRange(permitted, rangeOf(page)).map((user) => accessOf(snapshot, project, user, instant))
      const [counts, activity] = await Promise.all([
        statistics.grantCounts(project),
        statistics.lastActivity(shown.map(({ id }) => id)),
      ])
      const rows = shown.map((user) => ({ ...user, lastActivityAt: activity.get(user.id) ?? null }))
      const permissions = PERMISSIONS.map((permission) => ({
        permission,
        users: permitted.filter(({ permissions: held }) => held.includes(permission)).length,
        grants: counts.get(permission) ?? { direct: 0, throughGroups: 0, denies: 0 },
      }))
      return { ...pageOf(request, page, rows, (row) => row.id), permissions, revision }
    },
  )
  done()
}
