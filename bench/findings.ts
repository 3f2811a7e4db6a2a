import type { Fault, Measure } from './measure.ts'

/** What one part of a run found. */
export type Found = { measures: Measure[]; faults?: Fault[] }

/** What a run has found so far. A figure that is measured again joins those of the same name, peer and size. */
export class Findings {
  readonly measures: Measure[] = []
  readonly faults: Fault[] = []

  add({ measures, faults = [] }: Found): void {
    this.faults.push(...faults)
    for (const measure of measures) {
      const known = this.measures.find(
        ({ what, peer, grants }) => what === measure.what && peer === measure.peer && grants === measure.grants,
      )
      if (known) known.values.push(...measure.values)
      else this.measures.push({ ...measure, values: [...measure.values] })
    }
  }
}
