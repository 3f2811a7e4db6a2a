import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { parseDocument } from 'yaml'
import { PolicyModelError } from './policy-model-error.ts'
import { PERMISSIONS } from './policy-state.ts'
import { REASON_CODES } from './reasons.ts'

const oneOf = <Name extends string>(names: readonly Name[]) => Type.Unsafe<Name>({ type: 'string', enum: [...names] })
const closed = { additionalProperties: false }
const Instant = Type.String({ description: 'RFC 3339' })
const Owner = Type.Unsafe<string | null>({ type: ['string', 'null'] })
const ObjectRef = Type.Object({ creator: Owner, importer: Type.Optional(Type.String()) }, closed)

const TestUser = Type.Object(
  {
    isActive: Type.Optional(Type.Boolean()),
    isSuperuser: Type.Optional(Type.Boolean()),
    isAnonymous: Type.Optional(Type.Boolean()),
    isDeleted: Type.Optional(Type.Boolean()),
    generalPermissions: Type.Optional(Type.Array(oneOf(['can_browse']))),
  },
  closed,
)

const TestGrant = Type.Object(
  {
    to: Type.String({ description: 'A login, or `group <name>`' }),
    permission: oneOf(PERMISSIONS),
    project: Type.Integer(),
    effect: Type.Optional(oneOf(['allow', 'deny'])),
    validFrom: Type.Optional(Instant),
    validUntil: Type.Optional(Instant),
  },
  closed,
)

const TestCase = Type.Object(
  {
    says: Type.String({ description: 'The sentence that the case stands for' }),
    check: Type.Object(
      {
        user: Owner,
        project: Type.Integer(),
        permission: Type.String(),
        object: Type.Optional(ObjectRef),
        objects: Type.Optional(Type.Array(ObjectRef, { minItems: 1 })),
        via: Type.Optional(oneOf(['session', 'token'])),
      },
      closed,
    ),
    at: Type.Optional(Instant),
    expect: oneOf(REASON_CODES),
  },
  closed,
)

/** A policy test file: an invented laboratory, and what each check on it must answer and why. */
export const PolicyTestFile = Type.Object(
  {
    at: Instant,
    users: Type.Record(Type.String(), TestUser),
    groups: Type.Array(Type.String()),
    projects: Type.Array(Type.Integer({ minimum: 1 })),
    memberships: Type.Array(
      Type.Object({ user: Type.String(), group: Type.String(), project: Type.Optional(Type.Integer()) }, closed),
    ),
    grants: Type.Array(TestGrant),
    cases: Type.Array(TestCase, { minItems: 1 }),
  },
  closed,
)
export type PolicyTestFile = Static<typeof PolicyTestFile>
export type PolicyTestCase = Static<typeof TestCase>

/**
 * Reads a policy test file (YAML).
 *
 * @throws PolicyModelError naming the file and what is wrong with it
 */
export function readPolicyTestFile(file: string, text: string): PolicyTestFile {
  const document = parseDocument(text, { uniqueKeys: true })
  const [broken] = document.errors
  if (broken !== undefined) throw new PolicyModelError(`${file}: ${broken.message.split('\n')[0]}`, { cause: broken })
  const content: unknown = document.toJS()
  const [fault] = Value.Errors(PolicyTestFile, content)
  if (fault !== undefined) throw new PolicyModelError(`${file}: ${fault.instancePath || '/'} ${fault.message}`)
  return content as PolicyTestFile
}
