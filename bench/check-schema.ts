const person = { type: ['string', 'integer', 'null'] }
const object = {
  type: 'object',
  required: ['creator'],
  additionalProperties: false,
  properties: { creator: person, importer: { type: ['string', 'integer'] } },
}

/** The body of `POST /check`, in plain JSON Schema. */
export const checkBody = {
  type: 'object',
  required: ['user', 'project', 'permission'],
  additionalProperties: false,
  properties: {
    user: person,
    project: { type: 'integer' },
    permission: { type: 'string' },
    object,
    objects: { type: 'array', items: object, minItems: 1, maxItems: 1000 },
    via: { type: 'string', enum: ['session', 'token'] },
    atLeastRevision: { type: 'integer' },
  },
}

/** The answer of `POST /check`. */
export const checkAnswer = {
  type: 'object',
  required: ['allowed', 'revision'],
  properties: { allowed: { type: 'boolean' }, revision: { type: 'integer' } },
}
