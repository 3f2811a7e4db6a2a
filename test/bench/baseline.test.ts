import t from 'tap'
import { fallenBelow, readBaseline, wordedFallen } from '../../bench/baseline.ts'
import type { Measure } from '../../bench/measure.ts'
import { STATED_FOR, type Verdict, verdictsOf } from '../../bench/targets.ts'

const WHAT = 'requests a second, of Cerbos'
const baseline = { reason: 'for this test', ratios: { 1000: { [WHAT]: 2 } } }

function verdict(over: Partial<Verdict>): Verdict {
  return {
    what: WHAT,
    grants: 1000,
    values: [12],
    unit: '×',
    aim: '≥ 6 ×',
    met: null,
    ratio: 2,
    comparable: true,
    ...over,
  }
}

t.test('a ratio may fall by a quarter, and not by more', async (t) => {
  t.same(fallenBelow(baseline, [verdict({ ratio: 1.5 })]), [])
  t.same(fallenBelow(baseline, [verdict({ ratio: 1.49 })]), [{ what: WHAT, grants: 1000, baseline: 2, ratio: 1.49 }])
})

t.test('a ratio may rise', async (t) => {
  t.same(fallenBelow(baseline, [verdict({ ratio: 20 })]), [])
})

t.test('a row that the run does not have, or cannot compare, has fallen', async (t) => {
  const missing = [{ what: WHAT, grants: 1000, baseline: 2, ratio: null }]
  t.same(fallenBelow(baseline, [verdict({ what: 'something else' })]), missing)
  t.same(fallenBelow(baseline, [verdict({ ratio: null })]), missing)
  t.same(fallenBelow(baseline, [verdict({ comparable: false })]), missing)
})

t.test('only the sizes of the run are compared', async (t) => {
  t.same(fallenBelow(baseline, [verdict({ grants: 5000, ratio: 0.1 })]), [])
})

t.test('the line for a person names row, ratio and baseline', async (t) => {
  const line = wordedFallen({ what: WHAT, grants: 1000, baseline: 2, ratio: 1 })
  t.equal(line, 'FALLEN: requests a second, of Cerbos (1,000 grants): ratio 1.00, 50 % below the baseline of 2')
})

t.test('every row of the committed baseline is one that a run can compare', async (t) => {
  const { reason, ratios } = readBaseline()
  t.ok(reason.length > 20, 'and it says why it is as it is')
  t.ok(ratios[STATED_FOR] !== undefined, 'at the size that the targets are stated for')
  for (const [grants, rows] of Object.entries(ratios)) {
    const known = verdictsOf([], [1000, Number(grants)]).filter(({ comparable }) => comparable)
    const names = known.map(({ what }) => what)
    t.same(
      Object.keys(rows).filter((what) => !names.includes(what)),
      [],
      grants,
    )
  }
})

t.test('a target is met when its ratio is 1, from either side', async (t) => {
  const figures = (held: number): Measure[] => [
    { what: 'memory held above the empty service', peer: 'gatehouse', grants: STATED_FOR, unit: 'MB', values: [held] },
  ]
  const memory = (held: number) =>
    verdictsOf(figures(held), [STATED_FOR]).find(({ what }) => what === 'memory held above the empty service')
  t.match(memory(100), { ratio: 1, met: true })
  t.match(memory(125), { ratio: 0.8, met: false })
  t.match(memory(50), { ratio: 2, met: true })
})
