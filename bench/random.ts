/** A seeded source of chance: the same seed gives the same policy and the same requests on every machine. */
export type Random = {
  /** A whole number, 0 <= n < `below`. */
  below(below: number): number
  /** True with this probability. */
  chance(probability: number): boolean
  /** One of a non-empty list. */
  pick<T>(list: readonly T[]): T
}

/** Mulberry32: 32 bits of state, good enough to scatter rows, and short enough to be read. */
export function seeded(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
  const below = (limit: number) => Math.floor(next() * limit)
  return {
    below,
    chance: (probability) => next() < probability,
    pick: (list) => at(list, below(list.length)),
  }
}

/** What stands at that place of a list; throws where nothing does. */
export function at<T>(list: readonly T[], index: number): T {
  const found = list[index]
  if (found === undefined) throw new RangeError(`nothing at place ${index} of ${list.length}`)
  return found
}
