import { parseArgs } from 'node:util'

/** How large, how long and how often a run measures. */
export type Plan = {
  sizes: number[]
  seed: number
  /** Different checks of each size. */
  questions: number
  /** Rounds of load, in each of which every contender has its turn. */
  rounds: number
  secondsARound: number
  /** Passes over all questions in process. */
  passes: number
  casbinSeconds: number
  /** Starts of each service, of which the last stays. */
  starts: number
  /** Rounds of grants written on one replica and watched on another, and how many in each. */
  propagationRounds: number
  writesARound: number
}

/** What the command line asks for. */
export type Options = { plan: Plan; quick: boolean; json: boolean; databaseUrl: string | undefined }

const FULL: Plan = {
  sizes: [1_000, 100_000, 1_000_000],
  seed: 1,
  questions: 20_000,
  rounds: 12,
  secondsARound: 3,
  passes: 9,
  casbinSeconds: 30,
  starts: 3,
  propagationRounds: 5,
  writesARound: 1_000,
}
/** At most two minutes altogether on two processors. */
const QUICK: Partial<Plan> = {
  sizes: [1_000, 1_000_000],
  questions: 3_000,
  rounds: 3,
  secondsARound: 0.7,
  passes: 5,
  casbinSeconds: 0.5,
  starts: 1,
  propagationRounds: 2,
  writesARound: 150,
}

export const USAGE = `npm run bench -- [options]
  --quick               at most two minutes; the figures scatter more
  --json                print the results as JSON instead of tables
  --sizes 1000,100000   numbers of grants to measure (default ${FULL.sizes.join(',')};
                        with --quick ${QUICK.sizes?.join(',')})
  --rounds N            rounds of load
  --seconds N           length of a round
  --seed N              another policy and other requests of the same kind
  --database-url URL    a PostgreSQL server to make databases on, instead of the embedded one`

/** Reads the arguments; throws where they are not as {@link USAGE} says. */
export function optionsOf(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      sizes: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      seed: { type: 'string' },
      'database-url': { type: 'string' },
    },
  })
  const plan = { ...FULL, ...(values.quick ? QUICK : {}) }
  if (values.sizes !== undefined) plan.sizes = values.sizes.split(',').map((size) => positive('--sizes', size))
  if (values.rounds !== undefined) plan.rounds = positive('--rounds', values.rounds)
  if (values.seconds !== undefined) plan.secondsARound = positive('--seconds', values.seconds)
  if (values.seed !== undefined) plan.seed = positive('--seed', values.seed)
  return { plan, quick: values.quick, json: values.json, databaseUrl: values['database-url'] }
}

function positive(name: string, text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new Error(`${name} takes positive numbers, not ${text}`)
  return value
}
