import type { GroupService } from '../account/group-service.ts'
import type { UserService } from '../account/user-service.ts'
import type { Permission } from '../decision/policy-state.ts'
import type { GrantService } from '../policy/grant-service.ts'
import type { WriteContext } from '../policy/policy-write.ts'
import type { ProjectService } from '../policy/project-service.ts'
import type { ServiceKeyService } from '../session/service-key-service.ts'

/** The services that the invented laboratory is made with. */
export type LaboratoryServices = {
  users: UserService
  groups: GroupService
  projects: ProjectService
  grants: GrantService
  serviceKeys: ServiceKeyService
}

/** What the questions of the demo need to know of the laboratory. `revision` is that of its last change. */
export type Laboratory = { projectId: number; tracersId: number; tracersGrantId: number; key: string; revision: number }

/** A question about the laboratory and the answer to expect, to the letter of the JSON. */
export type DemoQuestion = { title: string; path: string; body: object; answer: object }

const CONTEXT: WriteContext = { caller: 'command:demo', requestId: null, inPerson: null }
const ONE = { limit: 1, sort: 'id', descending: false, after: null } as const

/**
 * Makes an invented laboratory: ines leads the project, ada and bruno trace neurons in it, and ada is trusted with what
 * bruno traces, because she is in the group of his name.
 *
 * @throws DomainError `id-taken` or `name-taken` where something of that name is there already
 */
export async function makeLaboratory(services: LaboratoryServices): Promise<Laboratory> {
  const { users, groups, projects, grants, serviceKeys } = services
  const ines = await userId(users, 'ines', 'Inês', 'Carvalho')
  const ada = await userId(users, 'ada', 'Ada', 'Brandt')
  const bruno = await userId(users, 'bruno', 'Bruno', 'Okafor')
  const { value: project } = await projects.create(CONTEXT, { title: 'Larval brain, left hemisphere' })
  const { value: tracers } = await groups.create(CONTEXT, { name: 'tracers' })
  await groups.addMember(CONTEXT, { groupId: tracers.id, userId: ada, projectId: null })
  await groups.addMember(CONTEXT, { groupId: tracers.id, userId: bruno, projectId: project.id })
  const [groupBruno] = await groups.list({ name: 'bruno' }, ONE)
  if (groupBruno) await groups.addMember(CONTEXT, { groupId: groupBruno.id, userId: ada, projectId: null })

  const grant = async (type: 'user' | 'group', id: number, permission: Permission) =>
    (await grants.create(CONTEXT, project.id, { principal: { type, id }, permission })).value.id
  await grant('user', ines, 'can_administer')
  await grant('group', tracers.id, 'can_browse')
  const tracersGrantId = await grant('group', tracers.id, 'can_annotate')
  const made = await serviceKeys.create(CONTEXT, { name: 'demo', scopes: ['check', 'admin', 'metrics'] })
  return { projectId: project.id, tracersId: tracers.id, tracersGrantId, key: made.value.key, revision: made.revision }
}

async function userId(users: UserService, username: string, firstName: string, lastName: string): Promise<number> {
  const email = `${username}@laboratory.example`
  return (await users.create(CONTEXT, { username, firstName, lastName, email })).value.id
}

/** Four questions that show the rules at work: an allow, a denial with its reason, and the two ways of D9. */
export function demoQuestions({ projectId, tracersId, tracersGrantId, revision }: Laboratory): DemoQuestion[] {
  const annotate = (user: string) => ({ user, project: projectId, permission: 'can_annotate' })
  const through = {
    id: tracersGrantId,
    rule: null,
    principal: { type: 'group', id: tracersId, name: 'tracers' },
    permission: 'can_annotate',
    effect: 'allow',
  }
  return [
    {
      title: 'May ada annotate in the project? Yes: her group tracers may.',
      path: '/check',
      body: annotate('ada'),
      answer: { allowed: true, revision },
    },
    {
      title: 'May bruno edit what ada made? No, and the answer says why.',
      path: '/check?explain=true',
      body: { ...annotate('bruno'), object: { creator: 'ada' } },
      answer: {
        allowed: false,
        revision,
        reason: {
          code: 'not_creator_group',
          text:
            `bruno may annotate in project ${projectId} through group \`tracers\` (grant ${tracersGrantId})` +
            ', but ada created this object and bruno is not in group `ada`',
          grants: [through],
          missing: ['membership in group ada'],
        },
      },
    },
    {
      title: 'May ada edit what bruno made? Yes: she is in the group named bruno.',
      path: '/check',
      body: { ...annotate('ada'), object: { creator: 'bruno' } },
      answer: { allowed: true, revision },
    },
    {
      title: 'May bruno edit what ines made, but he imported? Yes: importers may edit.',
      path: '/check',
      body: { ...annotate('bruno'), object: { creator: 'ines', importer: 'bruno' } },
      answer: { allowed: true, revision },
    },
  ]
}

/** The question as a command for a shell. */
export function curlOf(question: DemoQuestion, url: string, key: string): string {
  return [
    `curl -sS '${url}${question.path}'`,
    `-H 'Authorization: Bearer ${key}'`,
    `-H 'Content-Type: application/json'`,
    `-d '${JSON.stringify(question.body)}'`,
  ].join(' \\\n  ')
}
