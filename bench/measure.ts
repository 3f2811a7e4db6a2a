/** One figure, measured once a round (or once): what of whom, at which size. */
export type Measure = { what: string; peer: string; grants: number; unit: string; values: number[] }

/** A wrong answer spoils a run; `where` says whose. */
export type Fault = { where: string; fault: string }

/** The value below which this share of the values lies; NaN of none. */
export function quantile(values: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.round(share * (sorted.length - 1))] ?? Number.NaN
}

/** The middle value; NaN of none. */
export const median = (values: ArrayLike<number>): number => quantile(values, 0.5)
