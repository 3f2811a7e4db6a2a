/** One figure, measured once a round (or once): what of whom, at which size. */
export type Measure = { what: string; peer: string; grants: number; unit: string; values: number[] }

/** A wrong answer spoils a run; `where` says whose. */
export type Fault = { where: string; fault: string }

/** The value below which this share of the values lies; NaN of none. */
export function quantile(values: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.round(share * (sorted.length - 1))] ?? Number.NaN
}

/** The middle value, of an even number the mean of the two in the middle; NaN of none. */
export function median(values: ArrayLike<number>): number {
  const sorted = Float64Array.from(values).sort()
  const middle = sorted.length / 2
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]]
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2
}
