/** The one place that knows whether this is the long run (`npm run test:long`). */
const LONG = process.env.TEST_ROUNDS === 'all'
const SHORTER_BY = 100

/** How many rounds a test goes: all of them in the long run, a hundredth of them otherwise. */
export const rounds = (all: number): number => (LONG ? all : Math.ceil(all / SHORTER_BY))

/** Tells on standard error how far a long run is, in tenths; says nothing in a short one. */
export function progress(what: string, all: number): (done: number) => void {
  const tenth = Math.max(1, Math.floor(all / 10))
  return (done) => {
    if (LONG && done % tenth === 0) process.stderr.write(`${what}: ${done} of ${all}\n`)
  }
}
