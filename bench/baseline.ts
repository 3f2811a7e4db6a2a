import { readFileSync } from 'node:fs'
import type { Verdict } from './targets.ts'

/** `baseline.json`: ratios by number of grants and name of the row; changed by hand, with the reason. */
export type Baseline = { reason: string; ratios: Record<string, Record<string, number>> }

/** A ratio that a run must not show: null where it was not measured at all. */
export type Fallen = { what: string; grants: number; baseline: number; ratio: number | null }

/** A ratio that is smaller than this share of the one in the baseline has fallen. */
const LEAST_SHARE = 0.75

/** The baseline of this clone. */
export function readBaseline(): Baseline {
  return JSON.parse(readFileSync(new URL('baseline.json', import.meta.url), 'utf8'))
}

/**
 * The ratios of a run that fell by more than a quarter below the baseline. A row of the baseline that is missing in the
 * run has fallen too, or else a comparison could end by a change of its name. Sizes that the baseline does not know are
 * not compared.
 */
export function fallenBelow({ ratios }: Baseline, verdicts: Verdict[]): Fallen[] {
  const sizes = new Set(verdicts.map(({ grants }) => grants))
  return [...sizes].flatMap((grants) =>
    Object.entries(ratios[grants] ?? {}).flatMap(([what, baseline]) => {
      const found = verdicts.find((verdict) => verdict.what === what && verdict.grants === grants && verdict.comparable)
      const ratio = found?.ratio ?? null
      return ratio !== null && ratio >= baseline * LEAST_SHARE ? [] : [{ what, grants, baseline, ratio }]
    }),
  )
}

/** One line for a person. */
export function wordedFallen({ what, grants, baseline, ratio }: Fallen): string {
  const where = `${what} (${grants.toLocaleString('en')} grants)`
  if (ratio === null) return `NOT MEASURED: ${where}, in the baseline with ${baseline}`
  const share = Math.round((1 - ratio / baseline) * 100)
  return `FALLEN: ${where}: ratio ${ratio.toPrecision(3)}, ${share} % below the baseline of ${baseline}`
}
