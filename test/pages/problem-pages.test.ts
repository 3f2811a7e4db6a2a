import t from 'tap'
import { DomainError } from '../../src/errors.ts'
import { problemPage } from '../../src/pages/problem-pages.ts'

const frame = { formToken: '', isRegistrationOpen: true }
const inactive = (extension: Record<string, unknown>) => {
  const { main, status } = problemPage(frame, new DomainError('account-inactive', 'not shown', { extension }))
  return { status, text: main.toString() }
}

t.test('the owner of an inactive account is told why, for how long one may be away, and whom to ask', (t) => {
  const { status, text } = inactive({
    reason: 'inactivity',
    period: { maxInactivity: 'P90D', lastActivityAt: '2026-01-01T00:00:00Z' },
    message: 'Your <i>data</i> is kept.',
    contacts: [
      { name: 'Mary <b>', email: 'mary@example.org' },
      { name: 'Nobody', email: '' },
    ],
  })
  t.equal(status, 403)
  for (const words of [
    'nobody had used it for a long time. The longest time without use is 90 days.',
    'Your &#60;i&#62;data&#60;/i&#62; is kept.',
    '<li>Mary &#60;b&#62;, mary@example.org</li><li>Nobody</li>',
  ]) {
    t.ok(text.includes(words), `${words} in ${text}`)
  }
  t.end()
})

t.test('lengths of time are said in words', (t) => {
  const said = (maxInactivity: unknown) =>
    /without use is (.*?)\.</.exec(inactive({ reason: 'inactivity', period: { maxInactivity } }).text)?.[1]
  t.equal(said('P1D'), '1 day')
  t.equal(said('P2WT1H30M'), '14 days and 1 hour')
  t.equal(said('PT15832800.25S'), '183 days and 6 hours', 'the default of CATMAID')
  for (const none of ['<b>1D', null, 90, undefined]) t.equal(said(none), undefined, String(none))
  t.end()
})

t.test('what the login does not tell is not made up', (t) => {
  const { text } = inactive({ reason: 'something new', message: null, contacts: 'nobody' })
  t.match(text, 'It was deactivated.')
  t.match(text, 'Ask the people who run this service')
  t.notMatch(text, /You are told|Whom to ask|longest/)
  t.end()
})

t.test('a fault of the service is told without a word of what it was', (t) => {
  const { main, status } = problemPage(frame, new DomainError('internal', 'secret of the database'))
  t.equal(status, 500)
  t.notMatch(main.toString(), 'secret')
  t.end()
})
