import fc from 'fast-check'
import t from 'tap'
import { durationText, durationWords, lengthOf, readDuration } from '../src/duration.ts'

const DAY = 86_400_000_000n

function read(text: string) {
  const reading = readDuration(text)
  if ('fault' in reading) throw new Error(`${text} ${reading.fault}`)
  return reading.interval
}

t.test('durations of fixed length are read to the microsecond and written as they were', async (t) => {
  const cases: [text: string, length: bigint, written: string][] = [
    ['P90D', 90n * DAY, 'P90D'],
    ['P2W', 14n * DAY, 'P14D'],
    ['PT2160H', 90n * DAY, 'PT2160H'],
    ['PT15832800.25S', 15_832_800_250_000n, 'PT4398H0.25S'],
    ['PT0.000001S', 1n, 'PT0.000001S'],
    ['P1DT1H1M1.5S', DAY + 3_661_500_000n, 'P1DT1H1M1.5S'],
    ['PT1.5000000S', 1_500_000n, 'PT1.5S'],
    ['P36525D', 36_525n * DAY, 'P36525D'],
  ]
  for (const [text, length, written] of cases) {
    t.equal(lengthOf(read(text)), length, text)
    t.equal(durationText(read(text)), written)
    t.equal(lengthOf(read(written)), length)
  }
})

t.test('whatever is written is read back', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 3000 }), fc.bigInt({ min: 1n, max: 10n ** 15n }), (days, microseconds) => {
      const interval = { months: 0, days, microseconds }
      return lengthOf(read(durationText(interval))) === lengthOf(interval)
    }),
  )
})

t.test('what is none, nothing, negative, endless or without fixed length is refused', async (t) => {
  const bad = [
    '',
    'P',
    'PT',
    'P1DT',
    '90D',
    'P1M',
    'P1Y',
    'P-1D',
    '-P1D',
    'PT-1S',
    'p90d',
    'P90D ',
    'P90D\n',
    'P1.5D',
    'P1,5D',
    '1 day',
  ]
  for (const text of [
    ...bad,
    'P0D',
    'PT0S',
    'PT0.0000001S',
    'P36526D',
    `P${'9'.repeat(15)}D`,
    `PT${'9'.repeat(40)}S`,
    '90',
  ]) {
    t.ok('fault' in readDuration(text), JSON.stringify(text))
  }
})

t.test('an imported interval of months or of mixed signs is shown in its exact length', async (t) => {
  t.equal(durationText({ months: 2, days: 1, microseconds: 0n }), 'P61D')
  t.equal(durationText({ months: 0, days: 1, microseconds: -3_600_000_000n }), 'PT23H')
})

t.test('people read the largest units', async (t) => {
  t.equal(durationWords(read('P90D')), '90 days')
  t.equal(durationWords(read('PT15832800.25S')), '183 days and 6 hours')
  t.equal(durationWords(read('P1DT1H')), '1 day and 1 hour')
  t.equal(durationWords(read('PT59S')), 'less than a minute')
})
