import { type Static, Type } from 'typebox'

/** Longest title of a project that is given anew, in code points. */
export const MAX_TITLE_LENGTH = 500
/** What PostgreSQL keeps as an integer; ids of users may be negative where an import brought them. */
export const INT32 = { minimum: -2_147_483_648, maximum: 2_147_483_647 } as const

const id = Type.Integer({ minimum: 1, maximum: INT32.maximum })
const title = Type.String({ minLength: 1, maxLength: MAX_TITLE_LENGTH })

/** A project as the API shows it. */
export const Project = Type.Object({
  id: Type.Integer(),
  title: Type.String(),
  createdAt: Type.String({ format: 'date-time' }),
})
export type Project = Static<typeof Project>

/** A project after a write. */
export const WrittenProject = Type.Object({ ...Project.properties, revision: Type.Integer() })

/** The body that makes a project; without an id it gets the next one. */
export const NewProject = Type.Object({ id: Type.Optional(id), title }, { additionalProperties: false })
export type NewProject = Static<typeof NewProject>

/** The body that changes a project; what is left out stays. */
export const ProjectPatch = Type.Partial(Type.Object({ title }), { additionalProperties: false })
export type ProjectPatch = Static<typeof ProjectPatch>

/** The keys that a list of projects sorts by. */
export const PROJECT_SORTS = { id: 'integer', title: 'text' } as const

/** The filters of a list of projects, each exact. */
export const projectFilters = { title: Type.Optional(Type.String({ description: 'The title, exactly' })) }
export type ProjectFilter = { title?: string }

/** The path of one project. */
export const ProjectPath = Type.Object({ id: Type.Integer(INT32) })
