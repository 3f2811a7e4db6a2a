import type { Explanation } from './explain.ts'

/**
 * An explanation as users may see it who ask about themselves: whether the creator of an object has an account, and
 * which login an id stands for, is nothing that a check tells (D9 refuses both alike).
 */
export function toldToOneself(explanation: Explanation): Explanation {
  const { code, grants } = explanation.reason
  if (code !== 'unknown_creator' && code !== 'not_creator_group') return explanation
  const text = 'you may annotate this project, but not change what this creator made, or this importer brought'
  const missing = ['membership in the group that is named like the creator, or like the importer']
  return { ...explanation, reason: { code: 'not_creator_group', text, grants, missing } }
}
